//! The process that makes one change by the library `dns-update`: `envoy-autocert dns-provider`.
//!
//! It reads a [`Request`] on its standard input and writes a [`Reply`] on its standard output.
//!
//! Promises: it uses no more memory and no more time than it is given, whatever a provider responds; it leaves no core
//! dump.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::process::ExitCode;
use std::time::Duration;

use dns_update::{DnsRecord, DnsUpdater, Error};
use protocol::SecretText;
use rustix::process::{Resource, Rlimit, setrlimit};
use serde::{Deserialize, Serialize};

use super::table::{self, Api, Holds, Means};

/// Maximum memory, in bytes: the process takes some tens of megabytes, and address space for a few threads.
pub(super) const MAX_MEMORY: u64 = 512 * 1024 * 1024;
/// Maximum size of a request, in bytes: some variables of at most 64 KiB.
const MAX_REQUEST: u64 = 1024 * 1024;

/// The change to make.
#[derive(Serialize, Deserialize)]
pub(super) struct Request {
    /// The provider's code in our table.
    pub(super) provider: String,
    /// The values by each variable's first name.
    pub(super) values: BTreeMap<String, String>,
    pub(super) http_seconds: u64,
    pub(super) limit_seconds: u64,
    pub(super) action: Action,
    pub(super) fqdn: String,
    pub(super) zone: String,
    pub(super) value: String,
    pub(super) ttl: u32,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
pub(super) enum Action {
    CleanUp,
    Present,
}

/// The result of a change.
#[derive(Serialize, Deserialize)]
pub(super) struct Reply {
    pub(super) outcome: Outcome,
    /// The library's error; empty on success.
    pub(super) why: String,
}

#[derive(Serialize, Deserialize)]
pub(super) enum Outcome {
    Configuration,
    Done,
    Failed,
    Refused,
    Unauthorized,
}

/// Makes the change that is requested on the standard input.
pub fn run() -> ExitCode {
    base::hardening::keep_memory_private();
    let reply = limited().and_then(|()| request()).map_or_else(failed, |request| done(&request));
    let written = serde_json::to_vec(&reply).is_ok_and(|text| std::io::stdout().write_all(&text).is_ok());
    if written { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn limited() -> Result<(), String> {
    let limit = Rlimit { current: Some(MAX_MEMORY), maximum: Some(MAX_MEMORY) };
    setrlimit(Resource::As, limit).map_err(|error| format!("its memory can't be limited: {error}"))
}

fn request() -> Result<Request, String> {
    let mut text = Vec::new();
    std::io::stdin().take(MAX_REQUEST).read_to_end(&mut text).map_err(|error| error.to_string())?;
    // The parser's own error could show a credential.
    serde_json::from_slice(&text).map_err(|_| "this command is for the sidecar alone".to_owned())
}

fn failed(why: String) -> Reply {
    Reply { outcome: Outcome::Failed, why }
}

fn done(request: &Request) -> Reply {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().max_blocking_threads(2).build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => return failed(error.to_string()),
    };
    let limit = Duration::from_secs(request.limit_seconds);
    let outcome = runtime.block_on(async { tokio::time::timeout(limit, change(request)).await });
    // A name lookup may hang in a thread.
    runtime.shutdown_background();
    match outcome {
        Ok(Ok(())) => Reply { outcome: Outcome::Done, why: String::new() },
        Ok(Err(error)) => Reply { outcome: kind(&error), why: said(&error) },
        Err(_) => failed(format!("it was not done within {} s", limit.as_secs())),
    }
}

async fn change(request: &Request) -> dns_update::Result<()> {
    let Some(Means::Library(api)) = table::row(&request.provider).map(|row| row.means) else {
        return Err(Error::Unsupported(request.provider.clone()));
    };
    let values = request.values.iter().map(|(name, value)| (name.clone(), SecretText::new(value.clone()))).collect();
    let client = (api.client)(&values, Some(Duration::from_secs(request.http_seconds)))?;
    made(api, &client, request).await
}

async fn made(api: Api, client: &DnsUpdater, request: &Request) -> dns_update::Result<()> {
    let (name, zone, ttl) = (request.fqdn.as_str(), request.zone.as_str(), request.ttl);
    let mut records = vec![DnsRecord::TXT(request.value.clone())];
    if api.looks_first {
        let existing = dns_api::list(client, name, zone).await?;
        let same =
            existing.into_iter().find(|record| matches!(record, DnsRecord::TXT(text) if is(text, &request.value)));
        match (request.action, same) {
            (Action::Present, Some(_)) | (Action::CleanUp, None) => return Ok(()),
            (Action::Present, None) => {}
            // In the API's own spelling: otherwise the record would not be found.
            (Action::CleanUp, Some(record)) => records = vec![record],
        }
    }
    match (api.holds, request.action) {
        (Holds::Many, Action::Present) => dns_api::add(client, name, ttl, records, zone).await,
        (Holds::Many, Action::CleanUp) => dns_api::remove(client, name, records, zone).await,
        (Holds::One, Action::Present) => dns_api::set(client, name, ttl, records, zone).await,
        (Holds::One, Action::CleanUp) => dns_api::set(client, name, ttl, Vec::new(), zone).await,
    }
}

/// True if both are the same text; some APIs add quotes.
fn is(text: &str, value: &str) -> bool {
    text == value || text.strip_prefix('"').and_then(|text| text.strip_suffix('"')) == Some(value)
}

fn said(error: &Error) -> String {
    match error {
        Error::NotFound => "the API does not have it: is the zone there, and in this account?".to_owned(),
        error => error.to_string(),
    }
}

fn kind(error: &Error) -> Outcome {
    match error {
        Error::Unauthorized => Outcome::Unauthorized,
        Error::InvalidRegion | Error::Parse(_) | Error::Unsupported(_) => Outcome::Configuration,
        Error::BadRequest | Error::NotFound => Outcome::Refused,
        _ => Outcome::Failed,
    }
}
