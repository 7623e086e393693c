//! dns-persist-01 (draft-ietf-acme-dns-persist): a TXT record that the user sets once, and that says which account of
//! which CA may have certificates.
//!
//! Promises: what is taken to be right here is right for Pebble too, whose parser (RFC 8659 §4.2, with the draft's
//! parameters) this one follows; what is missing is told as the one line to set.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use config::shortened;
use protocol::DnsPersist01;
use tokio::time::Instant;

use super::lookup::{self, Exchange, Look, Lookup, LookupError, lacking};
use base::clock::Clock;

/// How often a missing record is logged.
const LOG_EVERY: Duration = Duration::from_secs(24 * 60 * 60);
/// The most missing records that are remembered, so that each is not logged more often.
const MAX_LOGGED: usize = 10_000;

/// The most wrong records of one server that are told.
const MAX_TOLD: usize = 4;

/// Looks for the records that users set.
pub struct Persistent {
    exchange: Arc<dyn Exchange>,
    name_server_port: u16,
    clock: Clock,
    /// When a name was last told of.
    logged: Mutex<HashMap<String, Instant>>,
}

impl Persistent {
    /// Authoritative servers are asked on this port; a record's end is judged by this clock.
    pub fn new(exchange: Arc<dyn Exchange>, name_server_port: u16, clock: Clock) -> Self {
        Self { exchange, name_server_port, clock, logged: Mutex::default() }
    }

    /// Looks whether the record is there, once.
    ///
    /// # Errors
    /// When it is missing or is not right: which one to set, and what was found.
    pub async fn check(&self, challenge: &DnsPersist01) -> Result<(), String> {
        if challenge.checks.disable_checks {
            return Ok(());
        }
        let found = self.look(challenge).await;
        let missing = |found: String| {
            let Wanted { name, value } = Wanted::of(challenge);
            format!("set this TXT record: {name} TXT \"{value}\"; found: {found}")
        };
        let looks = found.map_err(|error| missing(error.to_string()))?;
        let now = self.clock.now_seconds();
        let is_fit = |record: &String| judge(record, challenge, now).is_ok();
        let wrong = lacking(looks, |sight| sight.records().iter().any(is_fit));
        if wrong.is_empty() {
            return Ok(());
        }
        let wrong: Vec<String> = wrong.iter().map(|look| unfit(look, challenge, now)).collect();
        let told = missing(wrong.join("; "));
        self.log(challenge, &told);
        Err(told)
    }

    async fn look(&self, challenge: &DnsPersist01) -> Result<Vec<Look>, LookupError> {
        let checks = &challenge.checks;
        let lookup = Lookup::new(self.exchange.clone(), &checks.resolvers, self.name_server_port).await;
        let own = lookup::name(&Wanted::of(challenge).name)?;
        let mut looks = Vec::new();
        if !checks.disable_ans_checks {
            let name = lookup.end_of_chain(&own).await?;
            let servers = lookup.name_servers(&lookup.zone_of(&name).await?).await?;
            looks = lookup.look_at(&servers, &name).await;
        }
        if checks.disable_ans_checks || checks.require_all_rns {
            looks.extend(lookup.look_everywhere(&own).await?);
        }
        Ok(looks)
    }

    /// Engines try again all day long.
    fn log(&self, challenge: &DnsPersist01, told: &str) {
        let now = Instant::now();
        // A panic while the lock is held would be a bug of ours; the map is whole at every moment.
        let mut logged = self.logged.lock().unwrap_or_else(PoisonError::into_inner);
        logged.retain(|_, at| now.duration_since(*at) < LOG_EVERY);
        let key = Wanted::of(challenge).to_string();
        if logged.len() < MAX_LOGGED && !logged.contains_key(&key) {
            tracing::warn!(resolver = challenge.resolver, domain = challenge.domain, "{told}");
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

/// Why the CA would not be content with what this server sees.
fn unfit(look: &Look, challenge: &DnsPersist01, now: i64) -> String {
    let records = look.sight.records();
    if records.is_empty() {
        return look.to_string();
    }
    let reason = |record: &String| Some(format!("{} ({})", shortened(record), judge(record, challenge, now).err()?));
    let reasons: Vec<String> = records.iter().take(MAX_TOLD).filter_map(reason).collect();
    format!("{}: {}", look.server, reasons.join(", "))
}

/// Whether a record gives this account the right.
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
        // Printable ASCII without a space or a semicolon (RFC 8659 §4.2).
        if tag.is_empty() || !value.bytes().all(|byte| byte.is_ascii_graphic()) || !seen.insert(tag.clone()) {
            return Err(Unfit::Syntax);
        }
        match tag.as_str() {
            "accounturi" => account = Some(value),
            "policy" => is_wildcard = value.eq_ignore_ascii_case("wildcard"),
            "persistuntil" => until = Some(value.parse::<i64>().map_err(|_| Unfit::Syntax)?),
            // Others have no meaning here.
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

/// White space as RFC 8659 knows it.
fn trim(text: &str) -> &str {
    text.trim_matches([' ', '\t'])
}

/// Why a record does not give the right.
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
