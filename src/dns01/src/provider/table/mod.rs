//! The table of all supported providers: a row each.
//!
//! Codes, variables, aliases and defaults are those of lego, <https://go-acme.github.io/lego/dns/>. If one of lego's
//! variables is not supported, the row refuses it: ignoring the variable would do something else than the user asked
//! for.

mod appliances;
mod clouds;
mod hosters_a_to_h;
mod hosters_i_to_z;
mod own;
mod single_value;

use std::time::Duration;

use dns_update::DnsUpdater;

use super::values::Values;

/// A provider.
pub(super) struct Row {
    /// lego's code.
    pub(super) code: &'static str,
    /// Other codes for it.
    pub(super) aliases: &'static [&'static str],
    /// The provider's own name.
    pub(super) name: &'static str,
    /// Prefixes of the timing variables, without the `_`.
    pub(super) prefixes: &'static [&'static str],
    /// Suffix of the variable for the HTTP timeout.
    pub(super) http_timeout: &'static str,
    /// The provider's variables.
    pub(super) variables: &'static [Variable],
    /// Sets of variables, of which at least one must be complete.
    pub(super) one_of: &'static [&'static [&'static str]],
    /// lego's variables that are not supported.
    pub(super) refused: &'static [Refused],
    /// lego's default timing.
    pub(super) defaults: Defaults,
    /// The implementation that calls the provider.
    pub(super) means: Means,
    /// The kind of test for this row.
    pub(super) tried: Tried,
    /// A note for users; part of a sentence, or empty.
    pub(super) note: &'static str,
}

/// A variable of lego's.
pub(super) struct Variable {
    /// The variable's name, then its synonyms.
    pub(super) names: &'static [&'static str],
    /// Names of variables that hold the path of a file with the value.
    pub(super) paths: &'static [&'static str],
    /// The effect of the variable's absence.
    pub(super) need: Need,
    /// True if anybody may see the value.
    pub(super) is_public: bool,
}

/// The effect of a variable's absence.
#[derive(Clone, Copy)]
pub(super) enum Need {
    /// The default value.
    Default(&'static str),
    /// The provider does without the variable.
    Optional,
    /// The absence is an error.
    Required,
}

/// A variable of lego's that is not supported.
pub(super) struct Refused {
    /// The variable's name.
    pub(super) name: &'static str,
    /// Values that ask for the behaviour that we have anyway.
    pub(super) harmless: &'static [&'static str],
    /// True if the variable matters only where its supported alternative is missing.
    pub(super) is_alternative: bool,
    /// The reason, and the alternative.
    pub(super) why: &'static str,
}

impl Refused {
    pub(super) fn spares(&self, value: &str) -> bool {
        self.harmless.iter().any(|harmless| harmless.eq_ignore_ascii_case(value))
    }
}

/// lego's defaults, in seconds.
#[derive(Clone, Copy)]
pub(super) struct Defaults {
    pub(super) ttl: u64,
    pub(super) propagation: u64,
    pub(super) polling: u64,
    /// The default for providers that create records one after the other; others do so only if the variable is set.
    pub(super) sequence: Option<u64>,
    pub(super) http: u64,
}

/// The implementation that calls a provider.
#[derive(Clone, Copy)]
pub(super) enum Means {
    /// acme-dns, by its API.
    AcmeDns,
    /// A program of the user's.
    Exec,
    /// A server of the user's.
    HttpReq,
    /// The library `dns-update`, in a process of its own.
    Library(Api),
    /// DNS itself.
    Rfc2136,
}

/// Makes the library's client from the values of variables, with a timeout for each HTTP request.
pub(super) type Client = fn(&Values, Option<Duration>) -> dns_update::Result<DnsUpdater>;

/// A provider's API, as the library has it.
#[derive(Clone, Copy)]
pub(super) struct Api {
    pub(super) client: Client,
    /// Number of values that a name can have.
    pub(super) holds: Holds,
    /// True if a change of one name reads and writes the whole zone, so that two at once would undo each other.
    pub(super) writes_whole_zone: bool,
    /// True if the library adds without checking, or does not recognize its own values: then we check first.
    pub(super) looks_first: bool,
}

impl Api {
    const fn new(client: Client) -> Self {
        Self { client, holds: Holds::Many, writes_whole_zone: false, looks_first: false }
    }
}

/// Number of TXT values that a name can have at a provider.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Holds {
    /// Any number.
    Many,
    /// A single one: a new value replaces it.
    One,
}

/// The kind of test for a provider.
#[derive(Clone, Copy)]
pub(super) enum Tried {
    /// Not tested.
    No,
    /// Tested against this real server.
    Real(&'static str),
    /// Tested against a stub of the documented API.
    Stub,
}

/// Common defaults: each row gives the differences.
const ROW: Row = Row {
    code: "",
    aliases: &[],
    name: "",
    prefixes: &[],
    http_timeout: "HTTP_TIMEOUT",
    variables: &[],
    one_of: &[],
    refused: &[],
    defaults: DEFAULTS,
    means: Means::Exec,
    tried: Tried::No,
    note: "",
};

const DEFAULTS: Defaults = Defaults { ttl: 120, propagation: 60, polling: 2, sequence: None, http: 30 };

const fn required(names: &'static [&'static str]) -> Variable {
    Variable { names, paths: &[], need: Need::Required, is_public: false }
}

const fn optional(names: &'static [&'static str]) -> Variable {
    Variable { names, paths: &[], need: Need::Optional, is_public: false }
}

impl Variable {
    /// The name to use.
    pub(super) fn name(&self) -> &'static str {
        self.names.first().copied().unwrap_or_default()
    }

    const fn or(mut self, value: &'static str) -> Self {
        self.need = Need::Default(value);
        self
    }

    const fn or_in_file(mut self, paths: &'static [&'static str]) -> Self {
        self.paths = paths;
        self
    }

    const fn public(mut self) -> Self {
        self.is_public = true;
        self
    }
}

const fn refuses(name: &'static str, why: &'static str) -> Refused {
    Refused { name, harmless: &[], is_alternative: false, why }
}

/// A variable of which all values but these are refused.
const fn refuses_but(name: &'static str, harmless: &'static [&'static str], why: &'static str) -> Refused {
    Refused { name, harmless, is_alternative: false, why }
}

/// A variable for another kind of credentials, which is not supported.
const fn instead(name: &'static str, why: &'static str) -> Refused {
    Refused { name, harmless: &[], is_alternative: true, why }
}

/// A provider where a name can have many values.
const fn api(client: Client) -> Means {
    Means::Library(Api::new(client))
}

/// A provider where a name can have many values, and where we check for the value first.
const fn api_after_a_look(client: Client) -> Means {
    Means::Library(Api { looks_first: true, ..Api::new(client) })
}

/// A provider where a name can have many values, and every change writes the whole zone.
const fn whole_zone_api(client: Client) -> Means {
    Means::Library(Api { writes_whole_zone: true, ..Api::new(client) })
}

static TABLES: [&[Row]; 6] =
    [appliances::ROWS, clouds::ROWS, hosters_a_to_h::ROWS, hosters_i_to_z::ROWS, own::ROWS, single_value::ROWS];

/// All rows, in no particular order.
pub(super) fn rows() -> impl Iterator<Item = &'static Row> {
    TABLES.iter().copied().flatten()
}

/// The row with this code.
pub(super) fn row(code: &str) -> Option<&'static Row> {
    rows().find(|row| row.code == code || row.aliases.contains(&code))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_code_is_there_once() {
        let mut codes = BTreeSet::new();
        for row in rows() {
            for code in row.aliases.iter().chain([&row.code]) {
                assert!(codes.insert(*code), "{code}");
                assert!(code.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'), "{code}");
            }
        }
        assert!(codes.len() >= 70, "{}", codes.len());
    }

    #[test]
    fn every_row_is_whole() {
        for row in rows() {
            let names = |variable: &'static Variable| variable.names.iter().chain(variable.paths);
            assert!(!row.name.is_empty() && !row.prefixes.is_empty() && !row.variables.is_empty(), "{}", row.code);
            let all: Vec<&str> = row.variables.iter().flat_map(names).copied().collect();
            assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len(), "{}: {all:?}", row.code);
            assert!(all.iter().all(|name| !name.ends_with("_FILE")), "{}: {all:?}", row.code);
            for name in row.one_of.iter().copied().flatten() {
                assert!(row.variables.iter().any(|variable| variable.name() == *name), "{}: {name}", row.code);
            }
            for refused in row.refused {
                assert!(!all.contains(&refused.name), "{}: {}", row.code, refused.name);
            }
        }
    }
}
