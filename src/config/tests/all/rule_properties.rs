//! Properties of every rule: a printed tree is read back, any text is read or refused at a position within it, and the
//! hosts are those that Traefik's own algorithm finds.

use config::rule::{Matcher, MatcherKind, Rule, Syntax, parse};
use proptest::prelude::*;

/// Name, kind, and the least and most arguments; pairs where the last is set.
type Form = (&'static str, MatcherKind, usize, usize, bool);

const V3: &[Form] = &[
    ("Host", MatcherKind::Host, 1, 3, false),
    ("HostSNI", MatcherKind::HostSni, 1, 3, false),
    ("HostRegexp", MatcherKind::HostRegexp, 1, 1, false),
    ("HostSNIRegexp", MatcherKind::HostSniRegexp, 1, 1, false),
    ("Path", MatcherKind::Path, 1, 1, false),
    ("PathPrefix", MatcherKind::PathPrefix, 1, 1, false),
    ("PathRegexp", MatcherKind::PathRegexp, 1, 1, false),
    ("Method", MatcherKind::Method, 1, 1, false),
    ("Header", MatcherKind::Header, 2, 2, false),
    ("HeaderRegexp", MatcherKind::HeaderRegexp, 2, 2, false),
    ("Query", MatcherKind::Query, 1, 2, false),
    ("QueryRegexp", MatcherKind::QueryRegexp, 1, 2, false),
    ("ClientIP", MatcherKind::ClientIp, 1, 1, false),
    ("ALPN", MatcherKind::Alpn, 1, 1, false),
];

const V2: &[Form] = &[
    ("Host", MatcherKind::Host, 1, 3, false),
    ("HostHeader", MatcherKind::Host, 1, 3, false),
    ("HostSNI", MatcherKind::HostSni, 1, 3, false),
    ("HostRegexp", MatcherKind::HostRegexp, 1, 3, false),
    ("HostSNIRegexp", MatcherKind::HostSniRegexp, 1, 3, false),
    ("Path", MatcherKind::Path, 1, 3, false),
    ("PathPrefix", MatcherKind::PathPrefix, 1, 3, false),
    ("Method", MatcherKind::Method, 1, 3, false),
    ("Headers", MatcherKind::Header, 1, 2, true),
    ("HeadersRegexp", MatcherKind::HeaderRegexp, 1, 2, true),
    ("Query", MatcherKind::Query, 1, 3, false),
    ("ClientIP", MatcherKind::ClientIp, 1, 3, false),
    ("ALPN", MatcherKind::Alpn, 1, 3, false),
];

/// A rule to print: its tree, each matcher with the name that it is written by.
#[derive(Clone, Debug)]
enum Written {
    All(Vec<Self>),
    Any(Vec<Self>),
    Not(Box<Self>),
    Match { name: String, kind: MatcherKind, arguments: Vec<String> },
}

fn argument(kind: MatcherKind) -> impl Strategy<Value = String> {
    let text = prop_oneof![
        3 => "[a-z]{1,8}\\.example",
        1 => Just("*".to_owned()),
        2 => any::<String>().prop_filter("empty arguments are refused", |text| !text.is_empty()),
    ];
    let is_path = matches!(kind, MatcherKind::Path | MatcherKind::PathPrefix);
    text.prop_map(move |text| if is_path { format!("/{text}") } else { text })
}

fn matcher(forms: &'static [Form]) -> impl Strategy<Value = Written> {
    (prop::sample::select(forms), any::<u32>()).prop_flat_map(|((name, kind, least, most, is_paired), case)| {
        let letters = name.chars().enumerate();
        let cased: String = letters.map(|(i, c)| if case >> i & 1 == 0 { c } else { c.to_ascii_uppercase() }).collect();
        let step = if is_paired { 2 } else { 1 };
        (least..=most)
            .prop_flat_map(move |count| prop::collection::vec(argument(kind), count * step))
            .prop_map(move |arguments| Written::Match { name: cased.clone(), kind, arguments })
    })
}

fn written(forms: &'static [Form]) -> impl Strategy<Value = Written> {
    matcher(forms).prop_recursive(5, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 2..4).prop_map(Written::All),
            prop::collection::vec(inner.clone(), 2..4).prop_map(Written::Any),
            inner.prop_map(|rule| Written::Not(Box::new(rule))),
        ]
    })
}

/// Prints a rule, and gives the tree that reading it must give.
struct Printer {
    text: String,
    /// White space to put between words, in rotation.
    spaces: Vec<&'static str>,
    turn: usize,
}

impl Printer {
    fn new(spaces: Vec<&'static str>) -> Self {
        Self { text: String::new(), spaces, turn: 0 }
    }

    fn put(&mut self, word: &str) {
        self.space();
        self.text += word;
    }

    fn space(&mut self) {
        self.text += self.spaces[self.turn % self.spaces.len()];
        self.turn += 1;
    }

    /// Operators that bind less than this need parentheses: 0 for `||`, 1 for `&&`, 2 for `!`.
    fn print(&mut self, rule: &Written, binding: u8) -> Rule {
        let own = match rule {
            Written::Any(_) => 0,
            Written::All(_) => 1,
            Written::Not(_) | Written::Match { .. } => 2,
        };
        if own < binding {
            self.put("(");
            let inner = self.print(rule, 0);
            self.put(")");
            return inner;
        }
        match rule {
            Written::Any(rules) => Rule::Any(self.joined(rules, "||", 1)),
            Written::All(rules) => Rule::All(self.joined(rules, "&&", 2)),
            Written::Not(rule) => {
                self.put("!");
                Rule::Not(Box::new(self.print(rule, 2)))
            }
            Written::Match { name, kind, arguments } => {
                self.space();
                let column = self.text.chars().count() + 1;
                self.text += name;
                self.put("(");
                for (i, argument) in arguments.iter().enumerate() {
                    if i > 0 {
                        self.put(",");
                    }
                    self.put(&quoted(argument, self.turn));
                }
                self.put(")");
                Rule::Match(Matcher { kind: *kind, arguments: arguments.clone(), column })
            }
        }
    }

    fn joined(&mut self, rules: &[Written], operator: &str, binding: u8) -> Vec<Rule> {
        let mut trees = Vec::new();
        for (i, rule) in rules.iter().enumerate() {
            if i > 0 {
                self.put(operator);
            }
            trees.push(self.print(rule, binding));
        }
        trees
    }
}

fn quoted(text: &str, turn: usize) -> String {
    if turn.is_multiple_of(2) && !text.contains(['`', '\r']) {
        return format!("`{text}`");
    }
    let escaped: String = text
        .chars()
        .map(|c| match c {
            '"' | '\\' => format!("\\{c}"),
            '\n' => "\\n".to_owned(),
            '\u{7}' => "\\a".to_owned(),
            c if c.is_ascii_control() => format!("\\x{:02x}", u32::from(c)),
            c if !c.is_ascii() && turn.is_multiple_of(3) => format!("\\U{:08X}", u32::from(c)),
            c => c.to_string(),
        })
        .collect();
    format!("\"{escaped}\"")
}

fn printed(rule: &Written, spaces: Vec<&'static str>) -> (String, Rule) {
    let mut printer = Printer::new(spaces);
    let tree = printer.print(rule, 0);
    printer.space();
    (printer.text, tree)
}

fn spaces() -> impl Strategy<Value = Vec<&'static str>> {
    prop::collection::vec(prop::sample::select(vec!["", "", " ", "\n\t"]), 1..5)
}

fn in_either_syntax() -> impl Strategy<Value = (Syntax, Written)> {
    prop_oneof![written(V3).prop_map(|rule| (Syntax::V3, rule)), written(V2).prop_map(|rule| (Syntax::V2, rule))]
}

/// As in Traefik's parser: negations are pushed down to the matchers first, which swaps `&&` and `||`.
fn hosts(rule: &Rule, is_negated: bool) -> Vec<String> {
    match rule {
        Rule::All(rules) if is_negated => hosts(&Rule::Any(rules.iter().map(negated).collect()), false),
        Rule::Any(rules) if is_negated => hosts(&Rule::All(rules.iter().map(negated).collect()), false),
        Rule::All(rules) | Rule::Any(rules) => rules.iter().flat_map(|rule| hosts(rule, false)).collect(),
        Rule::Not(rule) => hosts(rule, !is_negated),
        Rule::Match(Matcher { kind: MatcherKind::Host | MatcherKind::HostSni, arguments, .. }) if !is_negated => {
            arguments.iter().filter(|name| name.as_str() != "*").cloned().collect()
        }
        Rule::Match(_) => Vec::new(),
    }
}

fn negated(rule: &Rule) -> Rule {
    Rule::Not(Box::new(rule.clone()))
}

fn refused_within(text: &str, syntax: Syntax) -> Result<(), TestCaseError> {
    if let Err(error) = parse(text, syntax) {
        prop_assert!((1..=text.chars().count() + 1).contains(&error.column), "{error:?}");
        prop_assert!(!error.expected.is_empty());
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2_000) })]

    #[test]
    fn a_printed_tree_is_read_back((syntax, rule) in in_either_syntax(), spaces in spaces()) {
        let (text, tree) = printed(&rule, spaces);
        prop_assert_eq!(parse(&text, syntax), Ok(tree), "{}", text);
    }

    #[test]
    fn the_hosts_are_those_of_the_rule_without_its_negations((_, rule) in in_either_syntax()) {
        let (_, tree) = printed(&rule, vec![""]);
        prop_assert_eq!(tree.hosts(), hosts(&tree, false));
    }

    #[test]
    fn any_text_is_read_or_refused_at_a_place_within_it(text in any::<String>()) {
        refused_within(&text, Syntax::V3)?;
        refused_within(&text, Syntax::V2)?;
    }

    #[test]
    fn any_words_are_read_or_refused_at_a_place_within_them(
        words in prop::collection::vec(
            prop::sample::select(vec![
                "Host", "Pfad", "Path", "Header", "Headers", "(", ")", "!", "&&", "||", "&", "|", ",", " ", "\n", "`",
                "`a.example`", "`/ä`", "\"", "\"\\x", "\"\\u00e9\"", "\\", "é", "\u{202e}", "*", "//",
            ]),
            0..24,
        ),
    ) {
        let text = words.concat();
        refused_within(&text, Syntax::V3)?;
        refused_within(&text, Syntax::V2)?;
    }

    #[test]
    fn a_rule_cut_short_is_refused_at_its_end_or_before(
        (syntax, rule) in in_either_syntax(),
        spaces in spaces(),
        cut in any::<prop::sample::Index>(),
    ) {
        let (text, _) = printed(&rule, spaces);
        let text: String = text.chars().take(cut.index(text.chars().count())).collect();
        refused_within(&text, syntax)?;
    }
}
