//! Imports the certificates and accounts of another tool into our storage, without any new order.
//!
//! Promises: the source is only read; a certificate is checked like one from a CA before it is stored (an expired one
//! is accepted too, since it is better than none); a stored certificate that lasts longer is never replaced; all of it
//! is stored or nothing; a second run changes nothing. Every certificate left out is named with the reason. Secrets are
//! never shown.
//!
//! | file | what it does |
//! |---|---|
//! | `acme_sh.rs`, `caddy.rs`, `certbot.rs`, `dehydrated.rs`, `kubernetes.rs`, `lego.rs`, `mod_md.rs`, `nginx_acme.rs`, `pem/`, `traefik.rs` | the layout of each kind of files |
//! | `kind.rs`, `source.rs` | recognition of the source |
//! | `unsupported.rs` | files that are recognised but can't be imported |
//! | `tree.rs`, `text.rs`, `shell.rs`, `account_key.rs` | reading them: bounded, and keys in many forms |
//! | `found.rs` | the content found, before it is judged |
//! | `choice.rs`, `plan.rs` | the resolver, and the outcome of each record |
//! | `report.rs`, `error.rs` | the result, and errors |

pub mod account_key;
pub mod acme_sh;
pub mod caddy;
mod candidates;
pub mod certbot;
mod choice;
pub mod dehydrated;
mod directory;
mod error;
mod found;
mod kind;
pub mod kubernetes;
pub mod lego;
pub mod mod_md;
mod nginx_acme;
mod pem;
mod plan;
mod report;
pub mod shell;
mod source;
mod text;
pub mod traefik;
mod tree;
mod unsupported;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

pub use candidates::Candidates;
pub use choice::{ChoiceError, ResolverChoice};
pub use error::ImportError;
pub use found::{Found, FoundAccount, FoundCertificate, MAX_CERTIFICATES, Unreadable};
pub use kind::Kind;
pub use report::{AccountLine, CertificateLine, Outcome, Report, shown};
pub use tree::ReadError;

use directory::{directory, is_same};
use source::Source;

use crate::{Offline, Storages};
use base::clock::Clock;

/// Source and destination of an import.
#[derive(Clone, Debug)]
pub struct Options {
    /// The file or directory.
    pub path: PathBuf,
    /// The file with the key, where `path` has the chain alone.
    pub key: Option<PathBuf>,
    /// The kind of the source; recognised when absent.
    pub kind: Option<Kind>,
    /// The resolver for the records.
    pub resolver: Option<ResolverChoice>,
    /// The storage.
    pub storages: Storages,
    /// True to import certificates of CAs' test systems too.
    pub takes_tests: bool,
    /// True to report only, and change nothing.
    pub dry_run: bool,
}

/// Imports the source. Blocks. `now` is in seconds since 1970.
///
/// # Errors
/// When the source or the storage can't be used at all; nothing has been changed then.
pub fn import(options: &Options, clock: &Clock) -> Result<Report, ImportError> {
    let storages: Vec<PathBuf> = options.storages.files().iter().map(|(path, _)| (*path).to_owned()).collect();
    if storages.iter().any(|storage| is_same(storage, &options.path)) {
        return Err(ImportError::SameFile(options.path.clone()));
    }
    let named = if options.key.is_some() { Some(Kind::Pem) } else { options.kind };
    let source = source::source(&options.path, named, &storages)?;
    if options.key.is_some() && source.content.is_none() {
        let what = "it is a directory, and --key goes with a chain's file".to_owned();
        return Err(ReadError { path: options.path.clone(), what }.into());
    }
    let mut found = read(&source, options.key.as_deref())?;
    if let Some(part) = &source.part {
        found.keep(part);
    }
    if source.is_guess && found.is_empty() {
        return Err(unrecognised(&source.path));
    }
    let mut warnings = std::mem::take(&mut found.warnings);
    warnings.extend(source.note(&options.path));
    warnings.extend(choice::assign(&mut found, options.resolver.as_ref())?);
    let file = file_of(&options.storages, &found);
    let mut storage = open(options, &found, clock)?;
    let plan = plan::plan(found, &storage, plan::Rules { takes_tests: options.takes_tests, now: clock.now_seconds() });
    let changed = !plan.changes.is_empty();
    if changed && !options.dry_run {
        storage.make(plan.changes)?;
        storage.save()?;
    }
    let mut report = Report {
        source: source.kind,
        path: source.path,
        storage: file,
        dry_run: options.dry_run,
        changed,
        certificates: plan.certificates,
        accounts: plan.accounts,
        warnings,
        error: None,
    };
    let other = || source::other(&options.path, options.kind).map(|kind| format!("; it is {kind}'s: leave out --from"));
    report.error = (!plan.is_useful).then(|| report.nothing_usable() + &other().unwrap_or_default());
    Ok(report)
}

/// Locks and reads the storage. In a dry run it is read without a lock; a missing storage is not made while there is
/// nothing to put into it.
fn open(options: &Options, found: &Found, clock: &Clock) -> Result<Offline, ImportError> {
    if options.dry_run {
        return Ok(Offline::look(&options.storages)?);
    }
    let is_there = options.storages.files().iter().any(|(path, _)| path.exists());
    let is_needed = !(found.certificates.is_empty() && found.accounts.is_empty());
    if is_there || is_needed { Ok(Offline::open(&options.storages, clock)?) } else { Ok(Offline::default()) }
}

/// The destination's file; of several, the default one.
fn file_of(storages: &Storages, found: &Found) -> PathBuf {
    let of_accounts = found.accounts.iter().map(|account| &account.resolver);
    let resolvers = found.certificates.iter().map(|certificate| &certificate.resolver).chain(of_accounts);
    let files: BTreeSet<&PathBuf> =
        resolvers.flatten().map(|resolver| storages.own.get(resolver).unwrap_or(&storages.default)).collect();
    match files.first() {
        Some(only) if files.len() == 1 => (*only).clone(),
        _ => storages.default.clone(),
    }
}

fn read(source: &Source, key: Option<&Path>) -> Result<Found, ImportError> {
    let Source { kind, path, content, .. } = source;
    let Some(content) = content else { return Ok(directory(*kind, path)?) };
    let mut found = match kind {
        Kind::Kubernetes => kubernetes::read(&content.bytes),
        Kind::Traefik => {
            let damaged = |damage| ImportError::Damaged { path: path.clone(), damage };
            traefik::read(&content.bytes).map_err(damaged)?
        }
        _ => return Ok(pem::read(path, content, key)?),
    };
    if content.is_exposed && !found.certificates.is_empty() {
        found.warnings.push(format!("the permissions of {} let others read its keys", path.display()));
    }
    Ok(found)
}

/// The error for a directory without anything to import, not even an unreadable file.
fn unrecognised(path: &Path) -> ImportError {
    let why = unsupported::directory(path).map(|other| other.with(path));
    let why = why.unwrap_or_else(|| {
        "found nothing to import, neither there nor further down: expected acme.sh's directory (with account.conf), \
         Caddy's data directory (with certificates/ and acme/), certbot's configuration directory (with live/), \
         dehydrated's (with certs/ and accounts/), lego's .lego (with certificates/ and accounts/), mod_md's store (with \
         md_store.json), an nginx issuer's state_path, Traefik's acme.json, or chains and their keys in PEM"
            .to_owned()
    });
    ImportError::Unrecognised { path: path.to_owned(), why }
}

#[cfg(test)]
mod tests;
