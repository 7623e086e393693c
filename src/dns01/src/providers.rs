//! The solver's interface to DNS providers.

use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::task::spawn_blocking;

use super::provider::{Provider, Record, Timing, Variables};
use base::clock::Clock;

/// Creates records with one account of a DNS provider.
///
/// - Both calls MUST be idempotent: they are repeated after a crash. Removing an absent record succeeds.
/// - Both MUST leave other values at the name unchanged, unless `may_replace` is true.
/// - Both may take minutes. An error is one line, without a secret.
pub trait DnsProvider: Send + Sync {
    /// The provider's timing.
    fn timing(&self) -> Timing;
    /// True if a record is created at the end of the CNAME chain, and not at the challenge's own name.
    fn follows_cnames(&self) -> bool;
    /// True if other values at a record's name may get lost: then the owner of a CNAME must not be able to choose the
    /// name.
    fn may_replace(&self) -> bool;
    /// Creates a record.
    fn present<'a>(&'a self, record: &'a Record) -> BoxFuture<'a, Result<(), String>>;
    /// Removes a record.
    fn clean_up<'a>(&'a self, record: &'a Record) -> BoxFuture<'a, Result<(), String>>;
}

/// Finds providers.
pub trait Providers: Send + Sync {
    /// Returns the provider with this code, with the credentials of this resolver.
    ///
    /// # Errors
    /// If there is no such provider, or if one of its variables is missing: one line, without a secret.
    fn find<'a>(&'a self, code: &'a str, resolver: &'a str) -> BoxFuture<'a, Result<Box<dyn DnsProvider>, String>>;
}

/// Finds providers by lego's codes and variables.
pub struct ByCode {
    /// The clock for signed updates.
    pub clock: Clock,
}

impl Providers for ByCode {
    fn find<'a>(&'a self, code: &'a str, resolver: &'a str) -> BoxFuture<'a, Result<Box<dyn DnsProvider>, String>> {
        let (code, resolver, clock) = (code.to_owned(), resolver.to_owned(), self.clock.clone());
        // Variables may name files.
        let found = spawn_blocking(move || Provider::find(&code, &resolver, &Variables::new(), &clock));
        async move {
            // The task is only cancelled when the runtime ends, and panics only by a bug.
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
