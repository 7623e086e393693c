//! The matchers of both syntaxes: their names, and their numbers of arguments.

/// The syntax of a rule: a router's `ruleSyntax`, else Traefik's `core.defaultRuleSyntax`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Syntax {
    /// Traefik 2's syntax. `{name:regexp}` in `Path`, `PathPrefix`, `HostRegexp` and `HostSNIRegexp` is a placeholder.
    V2,
    /// Traefik 3's syntax, and its default.
    #[default]
    V3,
}

/// A matcher with its arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Matcher {
    /// The property that is matched.
    pub kind: MatcherKind,
    /// The values to match, unquoted; at least one, none of them empty. Any one of several matches, except for
    /// `Header`, `HeaderRegexp`, `Query` and `QueryRegexp`: see there.
    pub arguments: Vec<String>,
    /// The column where the matcher's name begins, in characters, from 1.
    pub column: usize,
}

/// The property of a request or connection that is matched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MatcherKind {
    /// The application protocols that a TLS client offers.
    Alpn,
    /// The client's address: an IP address or a range.
    ClientIp,
    /// A header's name, then its value. v2 (`Headers`) has any number of such pairs, of which all must match.
    Header,
    /// A header's name, then a regular expression for its value; pairs in v2 (`HeadersRegexp`), as in `Header`.
    HeaderRegexp,
    /// The host of a request; also v2's `HostHeader`. `*` matches any host.
    Host,
    /// A regular expression for the host of a request; in v2 a template with `{name:regexp}` in it.
    HostRegexp,
    /// The server name of a TLS client. `*` matches any name, and none.
    HostSni,
    /// A regular expression for the server name of a TLS client; in v2 a template.
    HostSniRegexp,
    /// The method of a request, ignoring case.
    Method,
    /// The whole path of a request, beginning with a slash; in v2 a template.
    Path,
    /// A prefix of the path of a request, beginning with a slash; in v2 a template.
    PathPrefix,
    /// A regular expression for the path of a request.
    PathRegexp,
    /// A query parameter's name, then its value, which is empty when it is left out. v2 has any number of `name=value`,
    /// of which all must match.
    Query,
    /// A query parameter's name, then a regular expression for its value; without one as in `Query`.
    QueryRegexp,
}

/// A known matcher: its spelling, kind and arguments.
pub(super) struct Known {
    pub(super) name: &'static str,
    pub(super) kind: MatcherKind,
    v2: Option<Arity>,
    v3: Option<Arity>,
}

/// The number of arguments.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Arity {
    One,
    OneOrTwo,
    Pairs,
    Some,
    Two,
}

impl Arity {
    pub(super) fn admits(self, count: usize) -> bool {
        match self {
            Self::One => count == 1,
            Self::OneOrTwo => matches!(count, 1 | 2),
            Self::Pairs => count > 0 && count.is_multiple_of(2),
            Self::Some => count > 0,
            Self::Two => count == 2,
        }
    }

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::One => "one argument",
            Self::OneOrTwo => "one or two arguments",
            Self::Pairs => "pairs of arguments",
            Self::Some => "at least one argument",
            Self::Two => "two arguments",
        }
    }
}

impl Known {
    /// The matcher of this name in this syntax. Traefik accepts four spellings of each name; here any case matches.
    pub(super) fn find(name: &str, syntax: Syntax) -> Option<&'static Self> {
        Self::of(syntax).find(|known| known.name.eq_ignore_ascii_case(name))
    }

    /// All matchers of a syntax.
    pub(super) fn of(syntax: Syntax) -> impl Iterator<Item = &'static Self> {
        KNOWN.iter().filter(move |known| known.arity(syntax).is_some())
    }

    pub(super) fn arity(&self, syntax: Syntax) -> Option<Arity> {
        match syntax {
            Syntax::V2 => self.v2,
            Syntax::V3 => self.v3,
        }
    }
}

const fn known(name: &'static str, kind: MatcherKind, v2: Option<Arity>, v3: Option<Arity>) -> Known {
    Known { name, kind, v2, v3 }
}

/// From Traefik's `pkg/muxer/http` and `pkg/muxer/tcp`, each `matcher.go` and `matcher_v2.go`.
static KNOWN: [Known; 17] = {
    use Arity::{One, OneOrTwo, Pairs, Some as Several, Two};
    use MatcherKind as Kind;
    [
        known("ALPN", Kind::Alpn, Some(Several), Some(One)),
        known("ClientIP", Kind::ClientIp, Some(Several), Some(One)),
        known("Header", Kind::Header, None, Some(Two)),
        known("HeaderRegexp", Kind::HeaderRegexp, None, Some(Two)),
        known("Headers", Kind::Header, Some(Pairs), None),
        known("HeadersRegexp", Kind::HeaderRegexp, Some(Pairs), None),
        known("Host", Kind::Host, Some(Several), Some(Several)),
        known("HostHeader", Kind::Host, Some(Several), None),
        known("HostRegexp", Kind::HostRegexp, Some(Several), Some(One)),
        known("HostSNI", Kind::HostSni, Some(Several), Some(Several)),
        known("HostSNIRegexp", Kind::HostSniRegexp, Some(Several), Some(One)),
        known("Method", Kind::Method, Some(Several), Some(One)),
        known("Path", Kind::Path, Some(Several), Some(One)),
        known("PathPrefix", Kind::PathPrefix, Some(Several), Some(One)),
        known("PathRegexp", Kind::PathRegexp, None, Some(One)),
        known("Query", Kind::Query, Some(Several), Some(OneOrTwo)),
        known("QueryRegexp", Kind::QueryRegexp, None, Some(OneOrTwo)),
    ]
};
