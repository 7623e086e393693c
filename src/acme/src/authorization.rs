//! Authorizations (RFC 8555 §7.1.4 and §7.5): the proof that a name is ours, by one of the challenges that the CA offers.

use std::time::Duration;

use crate::challenge::{ChallengeType, named};
use crate::client::Client;
use crate::error::{Error, Refusal};
use crate::fetch::parse;
use crate::host::Host;
use crate::identifier::Identifier;
use crate::lenient::Object;
use crate::order::Order;
use crate::problem::{self, Problem};
use crate::retry_after;

/// The errors of an order's failed authorizations.
pub(crate) async fn problems<H: Host>(client: &Client<H>, urls: &[String]) -> Vec<Refusal> {
    let mut problems = Vec::new();
    for url in urls {
        // One that can't be read tells nothing; the order's own error is shown anyway.
        if let Ok(authorization) = fetch(client, url).await {
            problems.extend(refusal(authorization.state, None));
        }
    }
    problems
}

/// An authorization as the CA tells it.
pub(crate) struct Authorization {
    pub(crate) state: AuthorizationState,
    /// How long it asks to wait before the next look.
    pub(crate) retry_after: Option<Duration>,
}

pub(crate) async fn fetch<H: Host>(client: &Client<H>, url: &str) -> Result<Authorization, Error> {
    let response = client.post_as_get("authorization", url).await?;
    let retry_after =
        response.header("retry-after").and_then(|value| retry_after::parse(value, client.host.now_millis()));
    Ok(Authorization { state: parse(url, &response, AuthorizationState::of)?, retry_after })
}

/// Error of an authorization that can't become valid any more, which ends its order. `told` is the type of challenge
/// that the CA was told of, if any.
pub(crate) fn invalid(order: &Order, state: AuthorizationState, told: Option<ChallengeType>) -> Error {
    let detail = format!("its authorization is {}, and the CA gives no reason", state.status.as_str());
    let (identifier, challenge) = (state.name(), state.failed().and_then(ChallengeState::kind).or(told));
    let problem = Problem { detail, ..Problem::default() };
    let refusal = refusal(state, told).unwrap_or(Refusal { identifier, challenge, problem });
    Error::OrderInvalid { order: order.url.clone(), problems: vec![refusal] }
}

fn refusal(state: AuthorizationState, told: Option<ChallengeType>) -> Option<Refusal> {
    let failed = state.failed().filter(|failed| failed.error.is_some());
    let failed = failed.or_else(|| state.challenges.iter().find(|challenge| challenge.error.is_some()))?;
    let (identifier, challenge) = (state.name(), failed.kind().or(told));
    Some(Refusal { identifier, challenge, problem: failed.error.clone()? })
}

/// An authorization as it stands in JSON (§7.1.4).
pub(crate) struct AuthorizationState {
    pub(crate) identifier: Option<String>,
    pub(crate) status: AuthorizationStatus,
    /// Challenges that can be read: one of a type that nobody knows may look like anything (§7.1.5).
    pub(crate) challenges: Vec<ChallengeState>,
    pub(crate) wildcard: bool,
}

impl AuthorizationState {
    fn of(object: Object<'_>) -> Self {
        Self {
            identifier: object.identifier("identifier"),
            status: AuthorizationStatus::of(object.word("status").as_deref()),
            challenges: object.objects("challenges").map(ChallengeState::of).collect(),
            wildcard: object.flag("wildcard"),
        }
    }

    /// The name as it stands in a certificate.
    fn name(&self) -> Option<String> {
        let told = Identifier::of(self.identifier.as_deref()?).value();
        Some(if self.wildcard && !told.starts_with("*.") { named(&told, true) } else { told })
    }

    /// The challenge that decided it.
    fn failed(&self) -> Option<&ChallengeState> {
        self.challenges.iter().find(|challenge| challenge.status.as_deref() == Some("invalid"))
    }

    /// The challenge at this URL.
    pub(crate) fn challenge(&self, url: &str) -> Option<&ChallengeState> {
        self.challenges.iter().find(|known| known.url.as_deref() == Some(url))
    }
}

/// How far an authorization is (§7.1.6).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum AuthorizationStatus {
    Deactivated,
    Expired,
    Invalid,
    /// Also where the CA tells no status, or one that is not known.
    #[default]
    Pending,
    Revoked,
    Valid,
}

impl AuthorizationStatus {
    const ALL: [Self; 6] = [Self::Deactivated, Self::Expired, Self::Invalid, Self::Pending, Self::Revoked, Self::Valid];

    fn of(word: Option<&str>) -> Self {
        Self::ALL.into_iter().find(|status| Some(status.as_str()) == word).unwrap_or_default()
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Deactivated => "deactivated",
            Self::Expired => "expired",
            Self::Invalid => "invalid",
            Self::Pending => "pending",
            Self::Revoked => "revoked",
            Self::Valid => "valid",
        }
    }
}

/// A challenge as it stands in JSON (§7.1.5). Types this client does not know may lack what the others have.
pub(crate) struct ChallengeState {
    /// Empty where there is none.
    kind: String,
    url: Option<String>,
    pub(crate) token: Option<String>,
    status: Option<String>,
    error: Option<Problem>,
    pub(crate) issuer_domain_names: Vec<String>,
}

impl ChallengeState {
    pub(crate) fn of(object: Object<'_>) -> Self {
        Self {
            kind: object.text("type").unwrap_or_default(),
            url: object.text("url"),
            token: object.text("token"),
            status: object.word("status"),
            error: problem::error(object.value("error")),
            issuer_domain_names: object.texts("issuer-domain-names"),
        }
    }

    /// True when nobody told the CA yet that it can look.
    pub(crate) fn is_idle(&self) -> bool {
        self.status.as_deref().is_none_or(|status| status == "pending")
    }

    /// True when the CA was told that it can look, and has not said yet what came of it.
    pub(crate) fn is_begun(&self) -> bool {
        self.status.as_deref() == Some("processing") && self.error.is_none()
    }

    /// Problem that the CA met when it looked, where it may look again (§8.2).
    pub(crate) fn complaint(&self) -> Option<Problem> {
        let is_open = self.status.as_deref().is_none_or(|status| !matches!(status, "valid" | "invalid"));
        self.error.clone().filter(|_| is_open)
    }

    fn kind(&self) -> Option<ChallengeType> {
        ChallengeType::from_name(&self.kind)
    }

    /// Type of the challenge, and why it can't be answered, where that is its own fault.
    pub(crate) fn described(&self) -> String {
        match (ChallengeType::from_name(&self.kind), usable(self)) {
            (Some(ChallengeType::DnsPersist01), None) => format!("{} (without usable issuer-domain-names)", self.kind),
            (Some(_), None) if self.url.is_none() => format!("{} (without a URL)", self.kind),
            (Some(_), None) => format!("{} (its token is not base64url of 22 to 128 characters)", self.kind),
            _ => self.kind.clone(),
        }
    }
}

/// The lengths a token may have: 128 bits of entropy need 22 characters (RFC 8555 §8.3), and the bound keeps state small.
const TOKEN_LENGTHS: std::ops::RangeInclusive<usize> = 22..=128;

/// The most names by which a CA may find its record (draft-ietf-acme-dns-persist §4: at most ten).
const MAX_ISSUER_DOMAIN_NAMES: usize = 10;

/// A challenge of a type we know that has all it must have, with its URL.
pub(crate) fn usable(challenge: &ChallengeState) -> Option<(ChallengeType, &ChallengeState, &str)> {
    let kind = ChallengeType::from_name(&challenge.kind)?;
    let is_whole = match kind {
        ChallengeType::DnsPersist01 => (1..=MAX_ISSUER_DOMAIN_NAMES).contains(&challenge.issuer_domain_names.len()),
        _ => challenge.token.as_deref().is_some_and(is_token),
    };
    Some((kind, challenge, challenge.url.as_deref()?)).filter(|_| is_whole)
}

/// True if a text is a token (§8.1): base64url, and long enough to have 128 bits.
pub fn is_token(token: &str) -> bool {
    TOKEN_LENGTHS.contains(&token.len()) && token.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    fn state(text: &str) -> AuthorizationState {
        AuthorizationState::of(Object::of(&serde_json::from_str(text).unwrap()).unwrap())
    }

    /// The example of RFC 8555 §7.1.4, <https://www.rfc-editor.org/rfc/rfc8555#section-7.1.4>.
    #[test]
    fn reads_the_rfcs_example() {
        let state = state(
            r#"{
              "status": "valid",
              "expires": "2015-03-01T14:09:07.99Z",
              "identifier": { "type": "dns", "value": "www.example.org" },
              "challenges": [
                {
                  "url": "https://example.com/acme/chall/prV_B7yEyA4",
                  "type": "http-01",
                  "status": "valid",
                  "token": "DGyRejmCefe7v4NfDGDKfA",
                  "validated": "2014-12-01T12:05:58.16Z"
                }
              ],
              "wildcard": false
            }"#,
        );
        assert_eq!(state.status, AuthorizationStatus::Valid);
        assert_eq!(state.challenges[0].token.as_deref(), Some("DGyRejmCefe7v4NfDGDKfA"));
    }

    #[test]
    fn what_is_absent_or_odd_hides_nothing_else() {
        let state = state(
            r#"{"status": null, "wildcard": null, "identifier": {"value": "A.example"}, "challenges": [
                null, 7, {"type": 7, "url": {}, "error": []},
                {"type": "http-01", "url": "https://ca.example/1", "token": "DGyRejmCefe7v4NfDGDKfA",
                 "status": "PROCESSING", "error": {}, "issuer-domain-names": null, "validated": 7}
            ]}"#,
        );
        assert_eq!((state.status, state.name().as_deref()), (AuthorizationStatus::Pending, Some("a.example")));
        let usable: Vec<_> = state.challenges.iter().filter_map(usable).collect();
        assert_eq!((usable.len(), usable[0].0), (1, ChallengeType::Http01));
        assert!(usable[0].1.is_begun() && usable[0].1.error.is_none());
    }

    #[test]
    fn no_challenges_are_none() {
        for none in [r#"{"challenges": null}"#, "{}"] {
            assert!(state(none).challenges.is_empty());
        }
    }

    #[test]
    fn tokens_are_base64url_of_128_bits_and_more() {
        assert!(is_token("DGyRejmCefe7v4NfDGDKfA"));
        assert!(is_token(&"a".repeat(128)));
        for token in [
            "",
            "short",
            &"a".repeat(129),
            "DGyRejmCefe7v4NfDGDKf/",
            "../../../../etc/passwd/x",
            "DGyRejmCefe7v4NfDG%4fA",
        ] {
            assert!(!is_token(token), "{token}");
        }
    }
}
