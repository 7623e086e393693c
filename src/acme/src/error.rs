//! The error of every ACME flow: one enum, classified by type and never by text.
//!
//! A single enum serves all operations, for three reasons. First, the caller decides about whole flows: an attempt is
//! account, order, validation and download in one, and [`Error::class`], [`Error::ends_order`] and the switch to
//! another challenge ask the same questions of each step. Second, the steps fail alike: every one of them is a signed
//! request, so every operation's enum would repeat `BadAnswer`, `ForeignUrl`, `Refused`, `Send` and `TimedOut`, and the
//! few variants of a single operation name it: `AccountLost`, `Order…`, `NotValidated`. Third, the plugin has a budget
//! of bytes: each further enum is one more conversion, drop and `Display` in every `?` of the flows.
//!
//! The class of a `Refused` follows from the problem's type (RFC 8555 §6.7), and from the HTTP status where the type is
//! unknown. Texts of the CA are only ever displayed.

use std::fmt;
use std::time::Duration;

use crate::challenge::ChallengeType;
use crate::host::SendError;
use crate::problem::Problem;
use crate::text::one_line;

/// An error that ended an ACME flow. Its `Display` is one line for a person, with all text of the CA
/// escaped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// The CA does not know the account that the request named: register again.
    AccountLost(Problem),
    /// The CA asked to be left alone for longer than could be waited: it is not done, and nothing has failed.
    AskedToWait {
        /// Work of the CA that was waited for.
        waiting_for: String,
        /// How long that may be.
        timeout: Duration,
        /// How long the CA asked to wait, from now on.
        asked: Duration,
    },
    /// The CA's answer is not what the RFC says it is.
    BadAnswer {
        /// The URL that was asked.
        url: String,
        /// The fault in the answer.
        what: String,
    },
    /// The CA makes accounts only for those that it knows by other means, and none is configured (§7.3.4).
    ExternalAccountRequired,
    /// The CA sent a URL with another origin than the directory's.
    ForeignUrl {
        /// The member that held the URL: `order.finalize`.
        place: &'static str,
        /// The URL.
        url: String,
    },
    /// Of the challenges the CA offers for a name, none can be answered here.
    NoChallenge {
        /// The name.
        identifier: String,
        /// The types the CA offered.
        offered: Vec<String>,
    },
    /// The CA could not validate names, and leaves it to us to have it look again (§8.2).
    NotValidated {
        /// Why, by the CA.
        problems: Vec<Refusal>,
    },
    /// The CA gave up an order (RFC 8555 §7.1.6, status `invalid`).
    OrderInvalid {
        /// The order's URL.
        order: String,
        /// Why, by the CA: of the order, or of the authorizations that failed.
        problems: Vec<Refusal>,
    },
    /// The stored order can't be resumed: a new one can be placed at once.
    OrderLost {
        /// The order's URL.
        order: String,
        /// Why.
        why: String,
    },
    /// An order has come as far as it will, as what the CA did with it shows.
    OrderStuck {
        /// The order's URL.
        order: String,
        /// Why.
        why: String,
    },
    /// The CA changed the names of an order.
    OrderNamesChanged {
        /// The order's URL.
        order: String,
        /// The names it has now.
        names: Vec<String>,
    },
    /// The CA refused a request.
    Refused {
        /// The endpoint: `newOrder`.
        endpoint: &'static str,
        /// Why.
        problem: Problem,
    },
    /// No answer came.
    Send {
        /// The URL that was asked.
        url: String,
        /// Why.
        error: SendError,
    },
    /// The CA took longer than the configuration allows.
    TimedOut {
        /// Work of the CA that was waited for.
        waiting_for: String,
        /// How long.
        after: Duration,
    },
    /// The CA does not have the profile that is asked for (draft-ietf-acme-profiles §3).
    UnknownProfile {
        /// The profile.
        profile: String,
        /// The CA's profiles, separated by commas; empty if it has none.
        offered: String,
    },
}

/// Why the CA gave up an order: one cause of several.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The name that it could not validate (`*.a.example` for a wildcard); none when it is about the whole order.
    pub identifier: Option<String>,
    /// The type of challenge that failed, if it is one that we answer.
    pub challenge: Option<ChallengeType>,
    /// The CA's error.
    pub problem: Problem,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(identifier) = &self.identifier {
            write!(f, "{}: ", one_line(identifier))?;
        }
        if let Some(challenge) = self.challenge {
            write!(f, "{challenge}: ")?;
        }
        write!(f, "{}", self.problem)
    }
}

/// The class of an error: what has to happen before the next attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// The same request will fail again until somebody changes something.
    Permanent,
    /// The CA asks to slow down; for how long, if it said so.
    RateLimited(Option<Duration>),
    /// Later it may work; not before this long, if the CA said so.
    Transient(Option<Duration>),
    /// The CA could not validate a name: it may work once its owner has fixed the cause.
    Validation,
}

impl Class {
    /// A name for metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Permanent => "permanent",
            Self::RateLimited(_) => "rate_limited",
            Self::Transient(_) => "transient",
            Self::Validation => "validation",
        }
    }
}

impl Error {
    /// The error's class.
    pub fn class(&self) -> Class {
        match self {
            Self::Refused { problem, .. } | Self::AccountLost(problem) => class_of(problem),
            Self::NotValidated { problems } | Self::OrderInvalid { problems, .. } => {
                let classes: Vec<Class> = problems.iter().map(|refusal| class_of(&refusal.problem)).collect();
                // Several causes: a rate limit decides before all others, then an error that waiting can't cure.
                let limited = classes.iter().find(|class| matches!(class, Class::RateLimited(_)));
                let permanent = classes.iter().find(|class| matches!(class, Class::Permanent));
                limited.or(permanent).copied().unwrap_or(Class::Validation)
            }
            Self::ExternalAccountRequired
            | Self::ForeignUrl { .. }
            | Self::NoChallenge { .. }
            | Self::OrderNamesChanged { .. }
            | Self::UnknownProfile { .. } => Class::Permanent,
            Self::Send { error: SendError::Refused(_), .. } => Class::Permanent,
            Self::AskedToWait { asked, .. } => Class::Transient(Some(*asked)),
            Self::BadAnswer { .. }
            | Self::OrderLost { .. }
            | Self::OrderStuck { .. }
            | Self::Send { .. }
            | Self::TimedOut { .. } => Class::Transient(None),
        }
    }

    /// True if the CA does not have the requested profile, or has it no longer: the directory has to be fetched again.
    pub fn is_of_profile(&self) -> bool {
        match self {
            Self::UnknownProfile { .. } => true,
            Self::Refused { problem, .. } => problem.is("invalidProfile"),
            _ => false,
        }
    }

    /// True when the order is worth placing again at once without the certificate that it was to replace (RFC 9773 §5),
    /// whatever the CA says: some fail where they don't know it. One that asks to be left alone is.
    pub fn may_be_of_replacement(&self) -> bool {
        match self {
            Self::Refused { endpoint: "newOrder", problem } => {
                !matches!(class_of(problem), Class::RateLimited(_)) && problem.retry_after.is_none()
            }
            Self::BadAnswer { .. } => true,
            Self::Send { error, .. } => !matches!(error, SendError::Refused(_)),
            _ => false,
        }
    }

    /// True when a CA that answers failed by itself at what it was asked for, and did not ask for a wait. One that has
    /// not even a nonce fails at everything.
    pub(crate) fn is_failure_of_ca(&self) -> bool {
        matches!(self, Self::Refused { endpoint, problem }
            if *endpoint != "newNonce" && matches!(class_of(problem), Class::Transient(None)) && !problem.is("badNonce"))
    }

    /// True when the CA has nothing at a URL that it told.
    pub(crate) fn is_of_nothing_there(&self) -> bool {
        matches!(self, Self::Refused { problem, .. } if matches!(problem.status, 401 | 403 | 404 | 410))
    }

    /// True if the order can't be resumed after this error.
    pub fn ends_order(&self) -> bool {
        matches!(
            self,
            Self::OrderInvalid { .. }
                | Self::OrderLost { .. }
                | Self::OrderStuck { .. }
                | Self::OrderNamesChanged { .. }
                | Self::NoChallenge { .. }
                | Self::ForeignUrl { .. }
        ) || matches!(self, Self::Refused { endpoint: "challenge" | "finalize", problem }
            if matches!(class_of(problem), Class::Permanent))
    }
}

/// The class of a problem by its type (RFC 8555 §6.7), or by its status where the type is unknown.
fn class_of(problem: &Problem) -> Class {
    match problem.kind.as_str() {
        "rateLimited" => Class::RateLimited(problem.retry_after),
        "caa" | "connection" | "dns" | "incorrectResponse" | "tls" => Class::Validation,
        // As the problem of a failed challenge it says that the wrong answer came; of a request, that it is forbidden.
        "unauthorized" if problem.status == 0 => Class::Validation,
        "accountDoesNotExist" | "badNonce" | "orderNotReady" | "serverInternal" => {
            Class::Transient(problem.retry_after)
        }
        "alreadyReplaced"
        | "alreadyRevoked"
        | "badCSR"
        | "badPublicKey"
        | "badRevocationReason"
        | "badSignatureAlgorithm"
        | "externalAccountRequired"
        | "invalidContact"
        | "invalidProfile"
        | "malformed"
        | "rejectedIdentifier"
        | "unauthorized"
        | "unsupportedContact"
        | "unsupportedIdentifier"
        | "userActionRequired" => Class::Permanent,
        _ => match problem.status {
            429 => Class::RateLimited(problem.retry_after),
            400..=499 if problem.status != 408 => Class::Permanent,
            _ => Class::Transient(problem.retry_after),
        },
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AccountLost(problem) if problem.is("unauthorized") => write!(f, "newOrder refused: {problem}"),
            Self::AccountLost(problem) => write!(f, "the CA does not know the account: {problem}"),
            Self::AskedToWait { waiting_for, timeout, asked } => write!(
                f,
                "{} takes longer than {} ms: the CA asked to wait {} s more",
                one_line(waiting_for),
                timeout.as_millis(),
                asked.as_secs()
            ),
            Self::BadAnswer { url, what } => write!(f, "{}: {}", one_line(url), one_line(what)),
            Self::ExternalAccountRequired => f.write_str(
                "the CA makes accounts only for customers it knows: set eab.kid and eab.hmacEncoded to what it gave you; in a configuration of Envoy's own, the latter is the sidecar's flag --eab",
            ),
            Self::ForeignUrl { place, url } => write!(
                f,
                "{place} is {}, which has not the origin of caServer; if that is right, list its host in caClusters",
                one_line(url)
            ),
            Self::NoChallenge { identifier, offered } => {
                write!(f, "{}: the CA offers no challenge that is configured and proves it", one_line(identifier))?;
                write!(f, ", only {}", one_line(&offered.join(", ")))
            }
            Self::NotValidated { problems } => {
                f.write_str("validation failed, also after the challenge was retried")?;
                problems.iter().try_for_each(|refusal| write!(f, "; {refusal}"))
            }
            Self::OrderInvalid { order, problems } => {
                write!(f, "the CA gave up order {}", one_line(order))?;
                problems.iter().try_for_each(|refusal| write!(f, "; {refusal}"))
            }
            Self::OrderLost { order, why } | Self::OrderStuck { order, why } => {
                write!(f, "order {} can't be resumed: {}", one_line(order), one_line(why))
            }
            Self::OrderNamesChanged { order, names } => {
                write!(f, "the CA changed the names of order {}", one_line(order))?;
                match names.join(", ").as_str() {
                    "" => f.write_str(": it does not tell what an authorization is for"),
                    names => write!(f, " to {}", one_line(names)),
                }
            }
            Self::Refused { endpoint, problem } => write!(f, "{endpoint} refused: {problem}"),
            Self::Send { url, error } => write!(f, "{}: {error}", one_line(url)),
            Self::TimedOut { waiting_for, after } => {
                write!(f, "{} took longer than {} ms", one_line(waiting_for), after.as_millis())
            }
            Self::UnknownProfile { profile, offered } => {
                write!(f, "the CA has no profile {}", one_line(profile))?;
                match offered.as_str() {
                    "" => f.write_str("; it has none at all"),
                    offered => write!(f, ", only {}", one_line(offered)),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    fn refused(kind: &str, status: u16) -> Error {
        Error::Refused { endpoint: "newOrder", problem: Problem { kind: kind.into(), status, ..Problem::default() } }
    }

    fn refusal(identifier: &str, problem: Problem) -> Refusal {
        Refusal { identifier: Some(identifier.into()), challenge: Some(ChallengeType::Http01), problem }
    }

    #[test]
    fn classes_are_told_by_type_and_else_by_status() {
        assert_eq!(refused("rateLimited", 429).class(), Class::RateLimited(None));
        assert_eq!(refused("rejectedIdentifier", 400).class(), Class::Permanent);
        assert_eq!(refused("unauthorized", 403).class(), Class::Permanent);
        assert_eq!(refused("serverInternal", 500).class(), Class::Transient(None));
        assert_eq!(refused("", 503).class(), Class::Transient(None));
        assert_eq!(refused("", 429).class(), Class::RateLimited(None));
        assert_eq!(refused("", 404).class(), Class::Permanent);
        assert_eq!(refused("somethingNew", 500).class(), Class::Transient(None));
    }

    #[test]
    fn a_failed_validation_is_no_permanent_error() {
        let problem = Problem { kind: "unauthorized".into(), ..Problem::default() };
        let error = Error::OrderInvalid { order: "o".into(), problems: vec![refusal("a.example", problem)] };
        assert_eq!(error.class(), Class::Validation);
        assert!(error.ends_order());
    }

    #[test]
    fn text_of_the_ca_stays_on_one_line() {
        let problem = Problem { kind: "dns".into(), detail: "a\r\nb\u{1b}[2J".into(), ..Problem::default() };
        let error = Error::OrderInvalid { order: "o".into(), problems: vec![refusal("x\ny", problem)] };
        assert_eq!(error.to_string(), "the CA gave up order o; x\\ny: http-01: dns: a\\r\\nb\\u{1b}[2J");
    }
}
