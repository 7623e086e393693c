//! A row of the table: a provider's code, its variables, and how it is reached.

use super::super::values::Values;
use dns_update::DnsUpdater;
use std::time::Duration;

/// A provider.
pub(crate) struct Row {
    /// lego's code.
    pub(crate) code: &'static str,
    /// Other codes for it.
    pub(crate) aliases: &'static [&'static str],
    /// The provider's own name.
    pub(crate) name: &'static str,
    /// Prefixes of the timing variables, without the `_`.
    pub(crate) prefixes: &'static [&'static str],
    /// Suffix of the variable for the HTTP timeout.
    pub(crate) http_timeout: &'static str,
    /// The provider's variables.
    pub(crate) variables: &'static [Variable],
    /// Sets of variables, of which at least one must be complete.
    pub(crate) one_of: &'static [&'static [&'static str]],
    /// lego's variables that are not supported.
    pub(crate) refused: &'static [Refused],
    /// lego's default timing.
    pub(crate) defaults: Defaults,
    /// The implementation that calls the provider.
    pub(crate) means: Means,
    /// The kind of test for this row.
    pub(crate) tried: Tried,
    /// A note for users; part of a sentence, or empty.
    pub(crate) note: &'static str,
}

/// A variable of lego's.
pub(crate) struct Variable {
    /// The variable's name, then its synonyms.
    pub(crate) names: &'static [&'static str],
    /// Names of variables that hold the path of a file with the value.
    pub(crate) paths: &'static [&'static str],
    /// The effect of the variable's absence.
    pub(crate) need: Need,
    /// True if anybody may see the value.
    pub(crate) is_public: bool,
}

/// The effect of a variable's absence.
#[derive(Clone, Copy)]
pub(crate) enum Need {
    /// The default value.
    Default(&'static str),
    /// The provider does without the variable.
    Optional,
    /// The absence is an error.
    Required,
}

/// A variable of lego's that is not supported.
pub(crate) struct Refused {
    /// The variable's name.
    pub(crate) name: &'static str,
    /// Values that ask for the behaviour that we have anyway.
    pub(crate) harmless: &'static [&'static str],
    /// True if the variable matters only where its supported alternative is missing.
    pub(crate) is_alternative: bool,
    /// The reason, and the alternative.
    pub(crate) why: &'static str,
}

impl Refused {
    pub(crate) fn spares(&self, value: &str) -> bool {
        self.harmless.iter().any(|harmless| harmless.eq_ignore_ascii_case(value))
    }
}

/// lego's defaults, in seconds.
#[derive(Clone, Copy)]
pub(crate) struct Defaults {
    pub(crate) ttl: u64,
    pub(crate) propagation: u64,
    pub(crate) polling: u64,
    /// The default for providers that create records one after the other; others do so only if the variable is set.
    pub(crate) sequence: Option<u64>,
    pub(crate) http: u64,
}

/// The implementation that calls a provider.
#[derive(Clone, Copy)]
pub(crate) enum Means {
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
pub(crate) type Client = fn(&Values, Option<Duration>) -> dns_update::Result<DnsUpdater>;

/// A provider's API, as the library has it.
#[derive(Clone, Copy)]
pub(crate) struct Api {
    pub(crate) client: Client,
    /// Number of values that a name can have.
    pub(crate) holds: Holds,
    /// True if a change of one name reads and writes the whole zone, so that two at once would undo each other.
    pub(crate) writes_whole_zone: bool,
    /// True if the library adds without checking, or does not recognize its own values: then we check first.
    pub(crate) looks_first: bool,
}

impl Api {
    pub(crate) const fn new(client: Client) -> Self {
        Self { client, holds: Holds::Many, writes_whole_zone: false, looks_first: false }
    }
}

/// Number of TXT values that a name can have at a provider.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Holds {
    /// Any number.
    Many,
    /// A single one: a new value replaces it.
    One,
}

/// The kind of test for a provider.
#[derive(Clone, Copy)]
pub(crate) enum Tried {
    /// Not tested.
    No,
    /// Tested against this real server.
    Real(&'static str),
    /// Tested against a stub of the documented API.
    Stub,
}

/// Common defaults: each row gives the differences.
pub(crate) const ROW: Row = Row {
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

pub(crate) const DEFAULTS: Defaults = Defaults { ttl: 120, propagation: 60, polling: 2, sequence: None, http: 30 };

pub(crate) const fn required(names: &'static [&'static str]) -> Variable {
    Variable { names, paths: &[], need: Need::Required, is_public: false }
}

pub(crate) const fn optional(names: &'static [&'static str]) -> Variable {
    Variable { names, paths: &[], need: Need::Optional, is_public: false }
}

impl Variable {
    /// The name to use.
    pub(crate) fn name(&self) -> &'static str {
        self.names.first().copied().unwrap_or_default()
    }

    pub(crate) const fn or(mut self, value: &'static str) -> Self {
        self.need = Need::Default(value);
        self
    }

    pub(crate) const fn or_in_file(mut self, paths: &'static [&'static str]) -> Self {
        self.paths = paths;
        self
    }

    pub(crate) const fn public(mut self) -> Self {
        self.is_public = true;
        self
    }
}

pub(crate) const fn refuses(name: &'static str, why: &'static str) -> Refused {
    Refused { name, harmless: &[], is_alternative: false, why }
}

/// A variable of which all values but these are refused.
pub(crate) const fn refuses_but(name: &'static str, harmless: &'static [&'static str], why: &'static str) -> Refused {
    Refused { name, harmless, is_alternative: false, why }
}

/// A variable for another kind of credentials, which is not supported.
pub(crate) const fn instead(name: &'static str, why: &'static str) -> Refused {
    Refused { name, harmless: &[], is_alternative: true, why }
}

/// A provider where a name can have many values.
pub(crate) const fn api(client: Client) -> Means {
    Means::Library(Api::new(client))
}

/// A provider where a name can have many values, and where we check for the value first.
pub(crate) const fn api_after_a_look(client: Client) -> Means {
    Means::Library(Api { looks_first: true, ..Api::new(client) })
}

/// A provider where a name can have many values, and every change writes the whole zone.
pub(crate) const fn whole_zone_api(client: Client) -> Means {
    Means::Library(Api { writes_whole_zone: true, ..Api::new(client) })
}
