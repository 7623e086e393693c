//! DNS providers, by lego's codes and with lego's variables.
//!
//! | folder or file | its part |
//! |---|---|
//! | `table/` | every provider: its code, its variables with their defaults, and how it is called |
//! | `variables` | finds lego's variables, also in files, and per resolver |
//! | `timing` | a provider's timeouts and intervals, and the TTL of its records |
//! | `rfc2136` | dynamic updates, by DNS messages of our own |
//! | `exec`, `httpreq`, `acme_dns/` | lego's bridges: a program, an HTTP server, acme-dns |
//! | `library` | all others: `dns-update`, in a process of its own, whose code is in `worker` |
//! | `child`, `http` | a child process with bounds, an HTTP client with bounds |
//! | `scrub` | removes credentials from a provider's messages |
//! | `document`, `unknown` | the table for people; lego's providers that are not in the table |
//!
//! Promises: a provider's response is bounded in size and time; no credential is on a command line, in a log or in an
//! error.

mod acme_dns;
mod child;
mod document;
mod error;
mod exec;
mod http;
mod httpreq;
mod library;
mod record;
mod rfc2136;
mod row_values;
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
pub use record::Record;
pub use scrub::Scrub;
pub use timing::Timing;
pub use variables::Variables;
pub use worker::run as run_worker;

use table::{Means, Row};
use variables::Environment;

use base::clock::Clock;
use base::program::own_binary;

/// Checks that there is a provider with this code.
///
/// # Errors
/// If there is none: the provider that may be meant, or an alternative.
pub fn recognise(code: &str) -> Result<(), ProviderError> {
    table::row(code).map(|_| ()).ok_or_else(|| unknown::error(code))
}

/// A provider with its credentials: creates and removes records.
#[derive(Clone)]
pub struct Provider(Arc<Inner>);

struct Inner {
    row: &'static Row,
    timing: Timing,
    reached: Reached,
}

/// The implementation that calls the provider.
enum Reached {
    AcmeDns(acme_dns::AcmeDns),
    Exec(exec::Exec),
    HttpReq(httpreq::HttpReq),
    Library(library::Library),
    Rfc2136(Box<rfc2136::Rfc2136>),
}

impl Provider {
    /// Finds the provider with lego's code `code`, with the credentials that the variables give to the ACME resolver named
    /// `resolver`. Reads the small files that `_FILE` variables name. Signatures have the time of `clock`.
    ///
    /// # Errors
    /// If there is no such provider, if variables are missing (the error names all of them) or if a value is wrong.
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
        let values = row_values::of(row, &environment)?;
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

    /// The provider's timing.
    pub fn timing(&self) -> Timing {
        self.0.timing
    }

    /// True if the record is to be created at the end of the CNAME chain. All of lego's providers follow CNAMEs: those
    /// that also get the domain derive the name from it themselves.
    pub fn follows_cnames(&self) -> bool {
        match self.0.row.means {
            Means::AcmeDns | Means::Exec | Means::HttpReq | Means::Library(_) | Means::Rfc2136 => true,
        }
    }

    /// True if creating or removing a record may remove other values of its name. Programs and servers of the user's
    /// may; acme-dns has names of its own alone, wherever CNAMEs lead.
    pub fn may_replace(&self) -> bool {
        match &self.0.reached {
            Reached::AcmeDns(_) | Reached::Rfc2136(_) => false,
            Reached::Exec(provider) => !provider.chooses_names(),
            Reached::HttpReq(provider) => !provider.chooses_names(),
            Reached::Library(provider) => provider.replaces(),
        }
    }

    /// Creates the record, beside others of its name unless the provider may replace them. Idempotent.
    ///
    /// # Errors
    /// If the provider can't be reached, refuses the record, or is too slow.
    pub async fn present(&self, record: &Record) -> Result<(), ProviderError> {
        match &self.0.reached {
            Reached::AcmeDns(provider) => provider.present(record).await,
            Reached::Exec(provider) => provider.present(record).await,
            Reached::HttpReq(provider) => provider.present(record).await,
            Reached::Library(provider) => provider.present(record).await,
            Reached::Rfc2136(provider) => provider.present(record).await,
        }
    }

    /// Removes this value, and no other of the name's unless the provider may replace them. Removing an absent value
    /// succeeds.
    ///
    /// # Errors
    /// Like those of [`Provider::present`].
    pub async fn clean_up(&self, record: &Record) -> Result<(), ProviderError> {
        match &self.0.reached {
            // acme-dns can't remove values: it keeps the latest two.
            Reached::AcmeDns(_) => Ok(()),
            Reached::Exec(provider) => provider.clean_up(record).await,
            Reached::HttpReq(provider) => provider.clean_up(record).await,
            Reached::Library(provider) => provider.clean_up(record).await,
            Reached::Rfc2136(provider) => provider.clean_up(record).await,
        }
    }
}
