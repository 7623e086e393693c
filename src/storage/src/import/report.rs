//! The result of an import, for people and for scripts.
//!
//! As JSON: `{"source", "path", "storage", "dryRun", "changed", "certificates": [{"place", "resolver", "names",
//! "notAfter", "expired", "outcome", "reason"}], "accounts": [{"place", "resolver", "url", "outcome", "reason"}],
//! "warnings", "error"}`. `error` says why nothing could be used, and is null otherwise. `outcome` is `imported`,
//! `alreadyThere` or `leftOut`, in a dry run what it would be.

use std::fmt;
use std::path::PathBuf;

use serde::Serialize;

use super::Kind;
use super::found::FoundAccount;
use crate::Certificate;

/// The result of an import.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// The kind of the source.
    pub source: Kind,
    /// The source's path.
    pub path: PathBuf,
    /// The destination; of several files, the default one.
    pub storage: PathBuf,
    /// True if nothing was written.
    pub dry_run: bool,
    /// True if the storage has changed, or would have.
    pub changed: bool,
    /// The outcome of each certificate.
    pub certificates: Vec<CertificateLine>,
    /// The outcome of each account.
    pub accounts: Vec<AccountLine>,
    /// Warnings for the user.
    pub warnings: Vec<String>,
    /// Reason why nothing could be imported; `None` when something was.
    pub error: Option<String>,
}

/// The outcome of a certificate or account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Outcome {
    /// Stored before.
    AlreadyThere,
    /// Stored now.
    Imported,
    /// Left out, for the reason given.
    LeftOut,
}

/// The outcome of a certificate.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CertificateLine {
    /// The place in the source.
    pub place: String,
    /// The resolver.
    pub resolver: Option<String>,
    /// The names, as far as they are known.
    pub names: Vec<String>,
    /// End of validity, seconds since 1970; `None` when it can't be read.
    pub not_after: Option<i64>,
    /// True outside of its dates.
    pub expired: bool,
    /// The outcome.
    pub outcome: Outcome,
    /// The reason, where there is one.
    pub reason: Option<String>,
}

/// The outcome of an account.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AccountLine {
    /// The place in the source.
    pub place: String,
    /// The resolver.
    pub resolver: String,
    /// The account's URL at the CA.
    pub url: Option<String>,
    /// The outcome.
    pub outcome: Outcome,
    /// The reason, where there is one.
    pub reason: Option<String>,
}

impl CertificateLine {
    pub(super) fn of(place: String, certificate: &Certificate, now: i64) -> Self {
        Self {
            place,
            resolver: Some(certificate.facts.resolver.clone()),
            names: certificate.facts.names.clone(),
            not_after: Some(certificate.pair.not_after),
            expired: certificate.pair.not_after < now,
            outcome: Outcome::Imported,
            reason: None,
        }
    }

    pub(super) fn unreadable(place: String, resolver: Option<String>, why: String) -> Self {
        let reason = Some(why);
        let names = Vec::new();
        let not_after = None;
        Self { place, resolver, names, not_after, expired: false, outcome: Outcome::LeftOut, reason }
    }

    pub(super) fn leave_out(&mut self, why: String) {
        (self.outcome, self.reason) = (Outcome::LeftOut, Some(why));
    }
}

impl AccountLine {
    pub(super) fn of(found: &FoundAccount, resolver: &str) -> Self {
        let url = found.registration.as_ref().map(|registration| registration.url.clone());
        let place = found.place.clone();
        let resolver = resolver.to_owned();
        Self { place, resolver, url, outcome: Outcome::Imported, reason: None }
    }

    pub(super) fn leave_out(&mut self, why: String) {
        (self.outcome, self.reason) = (Outcome::LeftOut, Some(why));
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display().to_string();
        let storage = self.storage.display().to_string();
        writeln!(f, "{} {} -> {}", self.source, shown(&path), shown(&storage))?;
        for line in &self.certificates {
            let names = if line.names.is_empty() { "certificate".to_owned() } else { line.names.join(", ") };
            let mut about = vec![line.place.clone()];
            about.extend(line.resolver.iter().map(|resolver| format!("resolver {resolver}")));
            about.extend(line.not_after.map(|end| {
                let verb = if line.expired { "expired on" } else { "valid until" };
                format!("{verb} {}", day(end))
            }));
            self.line(f, line.outcome, &names, &about, line.reason.as_deref())?;
        }
        for line in &self.accounts {
            let what = line.url.as_ref().map_or_else(|| "account".to_owned(), |url| format!("account {url}"));
            let about = [line.place.clone(), format!("resolver {}", line.resolver)];
            self.line(f, line.outcome, &what, &about, line.reason.as_deref())?;
        }
        self.summary(f)
    }
}

impl Report {
    /// The error when nothing can be imported: the kinds and places searched.
    pub(super) fn nothing_usable(&self) -> String {
        let of_tool = match self.source {
            Kind::Pem | Kind::Kubernetes => String::new(),
            tool => format!(", as {tool} has them"),
        };
        let left_out = match self.certificates.as_slice() {
            [] => "found none".to_owned(),
            [only] => {
                let why = only.reason.as_deref().unwrap_or_default();
                format!("found one, which is left out ({}): {why}", only.place)
            }
            several => format!("found {}, which are left out; the list says why of each", several.len()),
        };
        let accounts = self.accounts.iter().filter(|line| line.outcome == Outcome::Imported).count();
        let accounts = match accounts {
            0 => String::new(),
            count => format!(
                " (of accounts {count} {} {})",
                if count == 1 { "was" } else { "were" },
                self.verb(Outcome::Imported)
            ),
        };
        format!(
            "{}: there is no certificate to take: looked for {}{of_tool}; {left_out}{accounts}",
            self.path.display(),
            self.source.looked_for()
        )
    }

    fn line(
        &self,
        f: &mut fmt::Formatter<'_>,
        outcome: Outcome,
        what: &str,
        about: &[String],
        reason: Option<&str>,
    ) -> fmt::Result {
        let reason = reason.map(|reason| format!(": {reason}")).unwrap_or_default();
        let text = format!("{what} ({}){reason}", about.join(", "));
        writeln!(f, "  {:<14} {}", self.verb(outcome), shown(&text))
    }

    fn summary(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of = |outcome| self.certificates.iter().filter(move |line| line.outcome == outcome);
        let count = |outcome| of(outcome).count();
        let expired = of(Outcome::Imported).filter(|line| line.expired).count();
        let expired = if expired == 0 { String::new() } else { format!(" ({expired} of them expired)") };
        let accounts = self.accounts.iter().filter(|line| line.outcome == Outcome::Imported).count();
        writeln!(
            f,
            "certificates: {} {}{expired}, {} already there, {} left out; accounts: {accounts} {}",
            count(Outcome::Imported),
            self.verb(Outcome::Imported),
            count(Outcome::AlreadyThere),
            count(Outcome::LeftOut),
            self.verb(Outcome::Imported),
        )?;
        if self.changed && self.dry_run {
            writeln!(f, "dry run: nothing was changed")?;
        } else if !self.changed && self.error.is_none() {
            writeln!(f, "nothing to do: the storage is as it was")?;
        }
        Ok(())
    }

    fn verb(&self, outcome: Outcome) -> &'static str {
        match outcome {
            Outcome::AlreadyThere => "already there",
            Outcome::Imported if self.dry_run => "to be imported",
            Outcome::Imported => "imported",
            Outcome::LeftOut => "left out",
        }
    }
}

/// The day of a time, in UTC.
pub(super) fn day(seconds: i64) -> String {
    let moment = time::OffsetDateTime::from_unix_timestamp(seconds).map(|moment| moment.date().to_string());
    moment.unwrap_or_else(|_| format!("second {seconds} since 1970"))
}

/// Escapes control characters, which a terminal would obey: the text is somebody else's.
pub fn shown(text: &str) -> String {
    text.chars().map(|character| if character.is_control() { char::REPLACEMENT_CHARACTER } else { character }).collect()
}
