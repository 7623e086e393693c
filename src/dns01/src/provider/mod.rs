//! DNS providers, by lego's codes and with lego's variables.
//!
//! | folder or file | what it does |
//! |---|---|
//! | `table/` | every provider: its code, its variables with their defaults, and how it is reached |
//! | `variables` | finds lego's variables, also in files, and for one resolver alone |
//! | `timing` | how long a provider takes, and the life of its records |
//! | `rfc2136` | dynamic updates, by a DNS message of our own |
//! | `exec`, `httpreq`, `acme_dns/` | lego's bridges: a program, an HTTP server, acme-dns |
//! | `library` | all others: `dns-update`, in a process of its own, which `worker` is |
//! | `child`, `http` | what these are run by: a program with bounds, an HTTP client with bounds |
//! | `scrub` | takes credentials out of what a provider says |
//! | `document`, `unknown` | the table for people; which of lego's providers are not in it |
//!
//! Promises: whatever a provider answers is bounded in size and time; no credential is on a command line, in a log or in
//! an error.

mod acme_dns;
mod child;
mod document;
mod error;
mod exec;
mod http;
mod httpreq;
mod library;
mod rfc2136;
mod scrub;
mod table;
mod timing;
mod unknown;
mod values;
mod variables;
mod worker;

use std::path::PathBuf;
use std::sync::Arc;

pub use document::{json, markdown};
pub use error::ProviderError;
pub use scrub::Scrub;
pub use timing::Timing;
pub use variables::Variables;
pub use worker::run as run_worker;

use table::{Means, Row};
use variables::Environment;

use base::clock::Clock;
use base::program::own_binary;

/// One TXT record of a challenge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The record's own name: `_acme-challenge.` and the domain, or where CNAMEs lead from there; lower case, with a
    /// trailing dot.
    pub fqdn: String,
    /// The zone that the name is in; lower case, with a trailing dot.
    pub zone: String,
    /// What it holds.
    pub value: String,
    /// The DNS name that is proved, without the `*.` of a wildcard.
    pub domain: String,
    /// The challenge's token, for providers that make the value themselves.
    pub token: String,
    /// The challenge's key authorization, likewise.
    pub key_authorization: String,
}

/// Whether there is a provider with this code.
///
/// # Errors
/// When there is none: which one may be meant, or what to use instead.
pub fn recognise(code: &str) -> Result<(), ProviderError> {
    table::row(code).map(|_| ()).ok_or_else(|| unknown::error(code))
}

/// A provider with its credentials: makes and removes records.
#[derive(Clone)]
pub struct Provider(Arc<Inner>);

struct Inner {
    row: &'static Row,
    timing: Timing,
    reached: Reached,
}

/// How it is reached.
enum Reached {
    AcmeDns(acme_dns::AcmeDns),
    Exec(exec::Exec),
    HttpReq(httpreq::HttpReq),
    Library(library::Library),
    Rfc2136(Box<rfc2136::Rfc2136>),
}

impl Provider {
    /// The provider with lego's code `code`, with the credentials that the variables give to the ACME resolver named
    /// `resolver`. It reads the small files that `_FILE` variables name. What it signs bears the time of `clock`.
    ///
    /// # Errors
    /// When there is no such provider, a variable is missing (all that are, at once) or a value is wrong.
    pub fn find(code: &str, resolver: &str, variables: &Variables, clock: &Clock) -> Result<Self, ProviderError> {
        Self::find_with(code, resolver, variables, clock, own_binary())
    }

    /// Like [`Provider::find`], with this `envoy-autocert` for the providers that run in a process of their own.
    ///
    /// # Errors
    /// Like those of [`Provider::find`].
    pub fn find_with(
        code: &str,
        resolver: &str,
        variables: &Variables,
        clock: &Clock,
        binary: PathBuf,
    ) -> Result<Self, ProviderError> {
        let row = table::row(code).ok_or_else(|| unknown::error(code))?;
        let environment = Environment::new(resolver, variables);
        let values = values::of(row, &environment)?;
        let lives = timing::of(row, &environment)?;
        let reached = match row.means {
            Means::AcmeDns => Reached::AcmeDns(acme_dns::AcmeDns::new(row, &values, lives.http)?),
            Means::Exec => Reached::Exec(exec::Exec::new(row, &values, lives.timing)?),
            Means::HttpReq => Reached::HttpReq(httpreq::HttpReq::new(row, &values, lives.http)?),
            Means::Library(_) => Reached::Library(library::Library::new(row, values, &lives, binary, &environment)?),
            Means::Rfc2136 => {
                Reached::Rfc2136(Box::new(rfc2136::Rfc2136::new(row, &values, lives.ttl, clock.clone())?))
            }
        };
        Ok(Self(Arc::new(Inner { row, timing: lives.timing, reached })))
    }

    /// How long it takes.
    pub fn timing(&self) -> Timing {
        self.0.timing
    }

    /// Whether the record is to be made where CNAMEs lead to. lego has no provider that does without: those that are
    /// told the domain, too, take the name from it themselves.
    pub fn follows_cnames(&self) -> bool {
        match self.0.row.means {
            Means::AcmeDns | Means::Exec | Means::HttpReq | Means::Library(_) | Means::Rfc2136 => true,
        }
    }

    /// Whether making or removing a record may take other values of its name away. Programs and servers of the user's
    /// may; acme-dns has names of its own alone, wherever CNAMEs lead.
    pub fn may_replace(&self) -> bool {
        match &self.0.reached {
            Reached::AcmeDns(_) | Reached::Rfc2136(_) => false,
            Reached::Exec(provider) => !provider.chooses_names(),
            Reached::HttpReq(provider) => !provider.chooses_names(),
            Reached::Library(provider) => provider.replaces(),
        }
    }

    /// Makes the record, beside others of its name unless the provider may replace them. Doing it again changes nothing.
    ///
    /// # Errors
    /// When the provider can't be reached, refuses it, or is too slow.
    pub async fn present(&self, record: &Record) -> Result<(), ProviderError> {
        match &self.0.reached {
            Reached::AcmeDns(provider) => provider.present(record).await,
            Reached::Exec(provider) => provider.present(record).await,
            Reached::HttpReq(provider) => provider.present(record).await,
            Reached::Library(provider) => provider.present(record).await,
            Reached::Rfc2136(provider) => provider.present(record).await,
        }
    }

    /// Removes this value, and no other of the name's unless the provider may replace them. One that is not there is as good as removed.
    ///
    /// # Errors
    /// Like those of [`Provider::present`].
    pub async fn clean_up(&self, record: &Record) -> Result<(), ProviderError> {
        match &self.0.reached {
            // acme-dns has no way to remove one: it keeps the two latest.
            Reached::AcmeDns(_) => Ok(()),
            Reached::Exec(provider) => provider.clean_up(record).await,
            Reached::HttpReq(provider) => provider.clean_up(record).await,
            Reached::Library(provider) => provider.clean_up(record).await,
            Reached::Rfc2136(provider) => provider.clean_up(record).await,
        }
    }
}
