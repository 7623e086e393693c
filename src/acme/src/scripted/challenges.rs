//! The CA's challenges: what it offers for a name, and where it looks for the answer.

use serde_json::{Value, json};

use super::authorization::{AfterFailure, Authorization, Validation, identifier};
use super::ca::Ca;
use super::responses::{BASE, ok, problem};
use crate::challenge::ChallengeType;
use crate::host::Response;

/// How long its validations take at most, in seconds, however late somebody asks for their outcome.
const LONGEST_VALIDATION: i64 = 600;

impl Ca {
    pub(super) fn authorize(&mut self, account: &str, name: &str) -> usize {
        let reusable = |a: &Authorization| a.state == Validation::Valid && a.name == name && a.account == account;
        if self.settings.reuse_authorizations
            && let Some(index) = self.authorizations.iter().position(reusable)
        {
            return index;
        }
        self.counter += 1;
        let token = format!("token-of-at-least-22-chars-{}", self.counter);
        let (account, name) = (account.to_owned(), name.to_owned());
        self.authorizations.push(Authorization {
            account,
            name,
            token,
            state: Validation::Idle,
            told: None,
            first_look: (0, false),
        });
        self.authorizations.len() - 1
    }

    pub(super) fn challenge(&mut self, index: usize, kind: &str, now: i64) -> Response {
        let looks = self.settings.looks_until_done;
        let position = self.offers(index).iter().position(|offered| *offered == kind);
        let (Some(authorization), Some(position)) = (self.authorizations.get_mut(index), position) else {
            return problem(404, "malformed", "no such challenge");
        };
        if !matches!(authorization.state, Validation::Idle | Validation::Open) {
            return problem(400, "malformed", "the challenge is not pending");
        }
        authorization.state = Validation::Working(looks);
        authorization.told = self.settings.offers.iter().find(|offered| **offered == kind).copied();
        let is_found = self.finds_answer(&self.authorizations[index]);
        self.authorizations[index].first_look = (now, is_found);
        if self.settings.after_failure == AfterFailure::Refused {
            self.authorizations[index].state = if is_found { Validation::Valid } else { Validation::Open };
            if !is_found {
                return problem(400, "connection", "no route to host");
            }
        }
        self.with_retry_after(ok(&self.challenges(index)[position]), true)
    }

    /// Goes on with a validation by one look, at it or at its order. One that was over long ago has the outcome that it
    /// had then.
    pub(super) fn validate(&mut self, index: usize, now: i64) {
        let authorization = &self.authorizations[index];
        let (told_at, was_found) = authorization.first_look;
        let is_over = now - told_at > LONGEST_VALIDATION;
        self.authorizations[index].state = match authorization.state {
            Validation::Working(_) if is_over && was_found => Validation::Valid,
            Validation::Working(0) if self.finds_answer(authorization) => Validation::Valid,
            Validation::Working(0) if self.settings.after_failure == AfterFailure::Pending => Validation::Open,
            Validation::Working(0) => Validation::Failed,
            Validation::Working(looks) => Validation::Working(looks - 1),
            state => state,
        };
    }

    pub(super) fn look_at_authorization(&mut self, index: usize, now: i64) -> Response {
        if index >= self.authorizations.len() {
            return problem(404, "malformed", "no such challenge");
        }
        self.validate(index, now);
        let authorization = &self.authorizations[index];
        let (name, host) = (authorization.name.clone(), authorization.host().to_owned());
        let state = authorization.state;
        let status = match state {
            Validation::Idle | Validation::Working(_) | Validation::Open => "pending",
            Validation::Valid => "valid",
            Validation::Failed => "invalid",
        };
        let mut resource = json!({
            "status": status,
            "identifier": identifier(&host),
            "challenges": self.challenges(index),
        });
        if name.starts_with('*') {
            resource["wildcard"] = json!(true);
        }
        self.with_retry_after(ok(&resource), matches!(state, Validation::Working(_) | Validation::Open))
    }

    /// True if the expected response is where the CA looks for it. The record of dns-persist-01 has no token.
    fn finds_answer(&self, authorization: &Authorization) -> bool {
        let (host, kind) = (authorization.host(), authorization.told.unwrap_or_default());
        if self.settings.unreachable.contains(&(kind, host)) {
            return false;
        }
        let (token, expected) = match kind {
            "dns-persist-01" => (String::new(), String::new()),
            _ => (authorization.token.clone(), format!("{}.{}", authorization.token, authorization.account)),
        };
        self.web.borrow().get(&(host.to_owned(), token)).is_some_and(|found| *found == expected)
    }

    /// The types of challenges that it offers for a name: only DNS proves a wildcard, and no address.
    fn offers(&self, index: usize) -> Vec<&'static str> {
        let name = self.authorizations.get(index).map(|authorization| authorization.name.as_str()).unwrap_or_default();
        let proves = |kind: &&'static str| ChallengeType::from_name(kind).is_none_or(|kind| kind.proves(name));
        self.settings.offers.iter().copied().filter(proves).collect()
    }

    fn challenges(&self, index: usize) -> Vec<Value> {
        let authorization = &self.authorizations[index];
        let status_of = |kind: &str| match authorization.state {
            _ if authorization.told != Some(kind) => "pending",
            Validation::Open if self.settings.after_failure == AfterFailure::Refused => "processing",
            Validation::Idle | Validation::Open => "pending",
            Validation::Working(_) => "processing",
            Validation::Valid => "valid",
            Validation::Failed => "invalid",
        };
        let offer = |kind: &'static str| {
            let url = format!("{BASE}/challenge/{index}/{kind}");
            let mut challenge = match kind {
                // All types have a URL and a status (§8); those unknown to a client may lack the rest.
                "unheard-of-01" => json!({"type": kind, "url": url, "accounturi": "x"}),
                "unreadable-01" => return json!({"type": kind, "url": 7, "token": {}, "error": "none"}),
                "dns-persist-01" => json!({"type": kind, "url": url, "issuer-domain-names": ["ca.example"]}),
                _ => json!({"type": kind, "url": url, "token": authorization.token}),
            };
            challenge["status"] = json!(status_of(kind));
            let error = match (authorization.state, self.settings.after_failure) {
                _ if authorization.told != Some(kind) => None,
                (Validation::Failed, AfterFailure::Invalid) => Some(("unauthorized", "the wrong answer")),
                (Validation::Open, AfterFailure::Pending) => Some(("connection", "no route to host")),
                _ => None,
            };
            if let Some((error, detail)) = error {
                challenge["error"] = json!({"type": format!("urn:ietf:params:acme:error:{error}"), "detail": detail});
            }
            challenge
        };
        self.offers(index).into_iter().map(offer).collect()
    }
}
