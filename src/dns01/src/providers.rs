//! What the solver wants of DNS providers, and where it gets them.

use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::task::spawn_blocking;

use super::provider::{Provider, Record, Timing, Variables};
use base::clock::Clock;

/// Makes records at one account of one DNS provider.
///
/// - Both calls MUST be idempotent: they are made again after a crash. A record that is not there is removed.
/// - Both MUST leave other values at the name as they are, unless it may replace them.
/// - Both may take minutes. An error is one line, without a secret.
pub trait DnsProvider: Send + Sync {
    /// How long it takes.
    fn timing(&self) -> Timing;
    /// Whether a record is made where CNAMEs lead, and not at the challenge's own name.
    fn follows_cnames(&self) -> bool;
    /// Whether other values at a record's name may get lost: whoever chooses a CNAME must not choose the name then.
    fn may_replace(&self) -> bool;
    /// Makes a record.
    fn present<'a>(&'a self, record: &'a Record) -> BoxFuture<'a, Result<(), String>>;
    /// Removes a record.
    fn clean_up<'a>(&'a self, record: &'a Record) -> BoxFuture<'a, Result<(), String>>;
}

/// Finds providers.
pub trait Providers: Send + Sync {
    /// The provider of this code, with the credentials of this resolver.
    ///
    /// # Errors
    /// When there is no such provider, or a variable of its is missing: one line, without a secret.
    fn find<'a>(&'a self, code: &'a str, resolver: &'a str) -> BoxFuture<'a, Result<Box<dyn DnsProvider>, String>>;
}

/// lego's codes and variables.
pub struct ByCode {
    /// The time that signed updates bear.
    pub clock: Clock,
}

impl Providers for ByCode {
    fn find<'a>(&'a self, code: &'a str, resolver: &'a str) -> BoxFuture<'a, Result<Box<dyn DnsProvider>, String>> {
        let (code, resolver, clock) = (code.to_owned(), resolver.to_owned(), self.clock.clone());
        // Variables may name files.
        let found = spawn_blocking(move || Provider::find(&code, &resolver, &Variables::new(), &clock));
        async move {
            // It is cancelled only when the runtime ends, and panics only by a bug.
            let provider = found.await.map_err(|error| error.to_string())?.map_err(|error| error.to_string())?;
            Ok(Box::new(provider) as Box<dyn DnsProvider>)
        }
        .boxed()
    }
}

impl DnsProvider for Provider {
    fn timing(&self) -> Timing {
        self.timing()
    }

    fn follows_cnames(&self) -> bool {
        self.follows_cnames()
    }

    fn may_replace(&self) -> bool {
        self.may_replace()
    }

    fn present<'a>(&'a self, record: &'a Record) -> BoxFuture<'a, Result<(), String>> {
        async move { self.present(record).await.map_err(|error| error.to_string()) }.boxed()
    }

    fn clean_up<'a>(&'a self, record: &'a Record) -> BoxFuture<'a, Result<(), String>> {
        async move { self.clean_up(record).await.map_err(|error| error.to_string()) }.boxed()
    }
}
