//! dns-persist-01 (draft-ietf-acme-dns-persist): a TXT record, set once by the user, that allows an account of a CA to
//! issue certificates.
//!
//! Promises: a record that is accepted here is accepted by Pebble too, whose parser (RFC 8659 §4.2, with the draft's
//! parameters) this one follows; a missing record is reported as the one line to set.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use config::shortened;
use protocol::DnsPersist01;
use tokio::time::Instant;

use super::lookup::{self, Exchange, Lookup, LookupError, ServerAnswer, lacking};
use base::clock::Clock;

/// Minimum interval between log lines about the same missing record.
const LOG_EVERY: Duration = Duration::from_secs(24 * 60 * 60);
/// Maximum number of missing records to remember for that interval.
const MAX_LOGGED: usize = 10_000;

/// Maximum number of wrong records per server in an error.
const MAX_WRONG: usize = 4;

/// Checks the records that users set.
pub struct Persistent {
    exchange: Arc<dyn Exchange>,
    name_server_port: u16,
    clock: Clock,
    /// Time of the last log line, by name.
    logged: Mutex<HashMap<String, Instant>>,
}

impl Persistent {
    /// Creates the checks. Authoritative servers are asked on this port; a record's expiry is judged by this clock.
    pub fn new(exchange: Arc<dyn Exchange>, name_server_port: u16, clock: Clock) -> Self {
        Self { exchange, name_server_port, clock, logged: Mutex::default() }
    }

    /// Checks the record once.
    ///
    /// # Errors
    /// If the record is missing or wrong: the record to set, and the records found.
    pub async fn check(&self, challenge: &DnsPersist01) -> Result<(), String> {
        if challenge.checks.disable_checks {
            return Ok(());
        }
        let found = self.answers(challenge).await;
        let missing = |found: String| {
            let Wanted { name, value } = Wanted::of(challenge);
            format!("set this TXT record: {name} TXT \"{value}\"; found: {found}")
        };
        let answers = found.map_err(|error| missing(error.to_string()))?;
        let now = self.clock.now_seconds();
        let is_fit = |record: &String| judge(record, challenge, now).is_ok();
        let wrong = lacking(answers, |answer| answer.records().iter().any(is_fit));
        if wrong.is_empty() {
            return Ok(());
        }
        let wrong: Vec<String> = wrong.iter().map(|answer| unfit(answer, challenge, now)).collect();
        let error = missing(wrong.join("; "));
        self.log(challenge, &error);
        Err(error)
    }

    async fn answers(&self, challenge: &DnsPersist01) -> Result<Vec<ServerAnswer>, LookupError> {
        let checks = &challenge.checks;
        let lookup = Lookup::new(self.exchange.clone(), &checks.resolvers, self.name_server_port).await;
        let own = lookup::name(&Wanted::of(challenge).name)?;
        let mut answers = Vec::new();
        if !checks.disable_ans_checks {
            let name = lookup.end_of_chain(&own).await?;
            let servers = lookup.name_servers(&lookup.zone_of(&name).await?).await?;
            answers = lookup.ask_authoritative(&servers, &name).await;
        }
        if checks.disable_ans_checks || checks.require_all_rns {
            answers.extend(lookup.ask_recursive(&own).await?);
        }
        Ok(answers)
    }

    /// Logs an error, at intervals: engines try again all day long.
    fn log(&self, challenge: &DnsPersist01, error: &str) {
        let now = Instant::now();
        // Only a bug could cause a panic while the lock is held, and the map is consistent at every moment.
        let mut logged = self.logged.lock().unwrap_or_else(PoisonError::into_inner);
        logged.retain(|_, at| now.duration_since(*at) < LOG_EVERY);
        let key = Wanted::of(challenge).to_string();
        if logged.len() < MAX_LOGGED && !logged.contains_key(&key) {
            tracing::warn!(resolver = challenge.resolver, domain = challenge.domain, "{error}");
            logged.insert(key, now);
        }
    }
}

/// The record to set.
struct Wanted {
    name: String,
    value: String,
}

impl Wanted {
    fn of(challenge: &DnsPersist01) -> Self {
        let issuer = challenge.issuer_domain_names.first().map_or("", String::as_str);
        let policy = if challenge.wildcard { "; policy=wildcard" } else { "" };
        Self {
            name: format!("_validation-persist.{}.", challenge.domain),
            value: format!("{issuer}; accounturi={}{policy}", challenge.account_uri),
        }
    }
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name, self.value)
    }
}

/// The reason why the CA would not accept the records on this server.
fn unfit(answer: &ServerAnswer, challenge: &DnsPersist01, now: i64) -> String {
    let records = answer.answer.records();
    if records.is_empty() {
        return answer.to_string();
    }
    let reason = |record: &String| Some(format!("{} ({})", shortened(record), judge(record, challenge, now).err()?));
    let reasons: Vec<String> = records.iter().take(MAX_WRONG).filter_map(reason).collect();
    format!("{}: {}", answer.server, reasons.join(", "))
}

/// Checks whether a record allows this account to issue.
fn judge(record: &str, challenge: &DnsPersist01, now: i64) -> Result<(), Unfit> {
    let mut parts = record.split(';').map(trim);
    let issuer = parts.next().unwrap_or_default();
    if !challenge.issuer_domain_names.iter().any(|name| name == issuer) {
        return Err(Unfit::Issuer);
    }
    let (mut account, mut is_wildcard, mut until) = (None, false, None);
    let mut seen = BTreeSet::new();
    for part in parts {
        let (tag, value) = part.split_once('=').ok_or(Unfit::Syntax)?;
        let (tag, value) = (trim(tag).to_ascii_lowercase(), trim(value));
        // Printable ASCII without spaces and semicolons (RFC 8659 §4.2).
        if tag.is_empty() || !value.bytes().all(|byte| byte.is_ascii_graphic()) || !seen.insert(tag.clone()) {
            return Err(Unfit::Syntax);
        }
        match tag.as_str() {
            "accounturi" => account = Some(value),
            "policy" => is_wildcard = value.eq_ignore_ascii_case("wildcard"),
            "persistuntil" => until = Some(value.parse::<i64>().map_err(|_| Unfit::Syntax)?),
            // Unknown parameters have no meaning here.
            _ => {}
        }
    }
    if account != Some(challenge.account_uri.as_str()) {
        return Err(Unfit::Account);
    }
    if challenge.wildcard && !is_wildcard {
        return Err(Unfit::Policy);
    }
    if until.is_some_and(|until| until < now) {
        return Err(Unfit::Past);
    }
    Ok(())
}

/// Trims white space by RFC 8659.
fn trim(text: &str) -> &str {
    text.trim_matches([' ', '\t'])
}

/// The reason why a record does not allow issuance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unfit {
    Account,
    Issuer,
    Past,
    Policy,
    Syntax,
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Account => "another accounturi, or none",
            Self::Issuer => "for another CA",
            Self::Past => "persistUntil is past",
            Self::Policy => "without policy=wildcard",
            Self::Syntax => {
                "expected parameters tag=value, each once, with a semicolon between two and none at the end"
            }
        })
    }
}
