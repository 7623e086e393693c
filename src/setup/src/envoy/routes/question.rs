//! Questions that a matcher asks about a request, independent of the rule's syntax.

use config::rule::{Matcher, MatcherKind, Rule, Syntax};

use super::pieces::quote;
use super::{encoded, pattern};

/// A question about a request.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Question {
    /// The client's address is in one of these ranges: address and prefix length.
    ClientIp(Vec<(String, u32)>),
    /// A header has this value.
    Header(String, Wanted),
    /// The host is one of these, in lower case.
    Host(Vec<String>),
    /// The whole of `:authority` matches.
    HostPattern(String),
    /// The method is this one.
    Method(String),
    /// The path, without the query, is this one.
    Path(String),
    /// The path has a match of this expression.
    PathPattern(String),
    /// The path begins with this prefix.
    PathPrefix(String),
    /// The query, as part of `:path`, matches.
    Query(String),
    /// An encoded value of a query parameter has a match of this expression.
    QueryPattern(String, String),
}

/// The required value of a header.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Wanted {
    /// Any value.
    Any,
    /// Exactly this text.
    Exact(String),
    /// A value that matches as a whole.
    Pattern(String),
}

/// A rule of questions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Tree {
    All(Vec<Self>),
    Any(Vec<Self>),
    Not(Box<Self>),
    Ask(Question),
}

/// The reason why a rule is not supported: the position, and what was expected.
pub(super) struct Unfit {
    pub(super) column: usize,
    pub(super) expected: String,
}

/// The questions of a rule.
pub(super) fn tree(rule: &Rule, syntax: Syntax) -> Result<Tree, Unfit> {
    let of = |rules: &[Rule]| rules.iter().map(|rule| tree(rule, syntax)).collect::<Result<Vec<_>, _>>();
    Ok(match rule {
        Rule::All(rules) => Tree::All(of(rules)?),
        Rule::Any(rules) => Tree::Any(of(rules)?),
        Rule::Not(rule) => Tree::Not(Box::new(tree(rule, syntax)?)),
        Rule::Match(matcher) => ask(matcher, syntax)?,
    })
}

const BRACES: &str = "braces that are closed";

fn path_pattern(regexp: &str) -> Result<Question, &'static str> {
    encoded::path_regexp(regexp).map(Question::PathPattern).ok_or(encoded::EXPECTED)
}

fn ask(matcher: &Matcher, syntax: Syntax) -> Result<Tree, Unfit> {
    let unfit = |expected: &str| Unfit { column: matcher.column, expected: expected.to_owned() };
    let arguments = &matcher.arguments;
    if let Some(wrong) = regexps(matcher, syntax).into_iter().find_map(pattern::mistake) {
        return Err(unfit(&format!("a regular expression: {wrong}")));
    }
    let any = |question: &dyn Fn(&str) -> Result<Question, &'static str>| {
        let questions =
            arguments.iter().map(|argument| question(argument).map(Tree::Ask)).collect::<Result<Vec<_>, _>>();
        questions.map(|questions| joined(questions, Tree::Any)).map_err(unfit)
    };
    let is_template = |text: &str| syntax == Syntax::V2 && text.contains(['{', '}']);
    let path = |text: &str, end: &str| {
        let regexp = if is_template(text) { pattern::of_template(text, "[^/]+").ok_or(BRACES)? } else { quote(text) };
        path_pattern(&format!("^{regexp}{end}"))
    };
    match matcher.kind {
        MatcherKind::ClientIp => {
            let ranges = arguments.iter().map(|range| range_of(range)).collect::<Option<Vec<_>>>();
            ranges
                .map(|ranges| Tree::Ask(Question::ClientIp(ranges)))
                .ok_or_else(|| unfit("addresses or ranges of them"))
        }
        MatcherKind::Header | MatcherKind::HeaderRegexp => Ok(headers(matcher, syntax)),
        MatcherKind::Host => Ok(hosts(arguments)),
        MatcherKind::HostRegexp if syntax == Syntax::V2 => any(&|template| {
            let regexp = format!("^{}$", pattern::of_template(template, "[^.]+").ok_or(BRACES)?);
            Ok(Question::HostPattern(pattern::of_authority(&regexp)))
        }),
        MatcherKind::HostRegexp => any(&|regexp| Ok(Question::HostPattern(pattern::of_authority(regexp)))),
        MatcherKind::Method => any(&|method| Ok(Question::Method(method.to_ascii_uppercase()))),
        MatcherKind::Path => any(&|text| match encoded::has_one_spelling(text) {
            true => Ok(Question::Path(text.to_owned())),
            false => path(text, "$"),
        }),
        MatcherKind::PathPrefix => any(&|text| match encoded::has_one_spelling(text) {
            true => Ok(Question::PathPrefix(text.to_owned())),
            false => path(text, ""),
        }),
        MatcherKind::PathRegexp => any(&path_pattern),
        MatcherKind::Query | MatcherKind::QueryRegexp => queries(matcher, syntax).ok_or_else(|| unfit(BRACES)),
        MatcherKind::Alpn | MatcherKind::HostSni | MatcherKind::HostSniRegexp => {
            Err(unfit("a matcher for requests: this one is for connections, in tcp.routers"))
        }
    }
}

/// The arguments that are regular expressions.
fn regexps(matcher: &Matcher, syntax: Syntax) -> Vec<&str> {
    let values = || matcher.arguments.chunks(2).filter_map(|pair| pair.get(1)).map(String::as_str).collect();
    match matcher.kind {
        MatcherKind::HeaderRegexp | MatcherKind::QueryRegexp => values(),
        MatcherKind::HostRegexp | MatcherKind::PathRegexp if syntax == Syntax::V3 => {
            matcher.arguments.iter().map(String::as_str).collect()
        }
        _ => Vec::new(),
    }
}

/// `*` is any host.
fn hosts(arguments: &[String]) -> Tree {
    if arguments.iter().any(|host| host == "*") {
        return Tree::All(Vec::new());
    }
    Tree::Ask(Question::Host(arguments.iter().map(|host| host.trim_end_matches('.').to_ascii_lowercase()).collect()))
}

/// Pairs of a name and a value, which must all match. In v2 an empty value is any.
fn headers(matcher: &Matcher, syntax: Syntax) -> Tree {
    let pairs = matcher.arguments.chunks(2).filter_map(|pair| Some((pair.first()?, pair.get(1)?)));
    let question = |(name, value): (&String, &String)| {
        let wanted = match matcher.kind {
            _ if value.is_empty() && syntax == Syntax::V2 => Wanted::Any,
            MatcherKind::HeaderRegexp => Wanted::Pattern(pattern::whole(value)),
            _ => Wanted::Exact(value.clone()),
        };
        Tree::Ask(Question::Header(name.to_ascii_lowercase(), wanted))
    };
    joined(pairs.map(question).collect(), Tree::All)
}

fn queries(matcher: &Matcher, syntax: Syntax) -> Option<Tree> {
    let (key, value) = (matcher.arguments.first()?, matcher.arguments.get(1).map_or("", String::as_str));
    if syntax == Syntax::V2 {
        let question = |pair: &String| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            let regexp = match value {
                "" => String::new(),
                template if template.contains(['{', '}']) => format!("^{}$", pattern::of_template(template, "[^&]*")?),
                text => return Some(Tree::Ask(Question::Query(pattern::of_query_value(key, text)))),
            };
            Some(query(key, &regexp))
        };
        return matcher.arguments.iter().map(question).collect::<Option<Vec<_>>>().map(|all| joined(all, Tree::All));
    }
    Some(match matcher.kind {
        MatcherKind::QueryRegexp if matcher.arguments.len() > 1 => query(key, value),
        _ => Tree::Ask(Question::Query(pattern::of_query_value(key, value))),
    })
}

fn query(key: &str, regexp: &str) -> Tree {
    Tree::Ask(Question::QueryPattern(key.to_owned(), regexp.to_owned()))
}

/// Joins several trees; a single one stays as it is.
fn joined(mut trees: Vec<Tree>, join: fn(Vec<Tree>) -> Tree) -> Tree {
    if trees.len() == 1
        && let Some(only) = trees.pop()
    {
        only
    } else {
        join(trees)
    }
}

/// An address with its prefix length.
fn range_of(text: &str) -> Option<(String, u32)> {
    let (address, length) = text.split_once('/').map_or((text, None), |(address, length)| (address, Some(length)));
    let address: std::net::IpAddr = address.trim().parse().ok()?;
    let most = if address.is_ipv4() { 32 } else { 128 };
    let length = length.map_or(Some(most), |length| length.parse().ok()).filter(|length| *length <= most)?;
    Some((address.to_string(), length))
}
