//! The CA: accounts, orders, authorizations and certificates as RFC 8555 has them, with every signature and nonce
//! checked, and a journal of all it was asked.

use std::collections::{BTreeMap, HashSet};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use p256::ecdsa::signature::Verifier;
use p256::ecdsa::{Signature, VerifyingKey};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::authorization::{AfterFailure, Authorization, Validation, identifier};
use super::certificate::Certificate;
use super::renewals::Renewals;
use super::responses::{BASE, ok, problem, respond};
use super::web::Web;
use crate::host::{Method, Request, Response};

/// How the CA behaves.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Lifetime of its certificates in seconds.
    pub lifetime: i64,
    /// How many looks at an authorization or an order find it still in work.
    pub looks_until_done: u32,
    /// `Retry-After` on everything that is still in work.
    pub retry_after: Option<String>,
    /// True if the network may deliver a request twice. Otherwise a repeated nonce is the client's mistake.
    pub repeated_delivery: bool,
    /// Of a hundred nonces, how many are refused.
    pub refused_nonces: u64,
    /// True if valid authorizations are reused for further orders.
    pub reuse_authorizations: bool,
    /// Names it will not issue for.
    pub blocked: Vec<String>,
    /// The challenge types it offers.
    pub offers: Vec<&'static str>,
    /// The ways by which it does not find what is there: the type of challenge and the name without a wildcard.
    pub unreachable: Vec<(&'static str, &'static str)>,
    /// The reaction to a failed challenge.
    pub after_failure: AfterFailure,
    /// The names it makes of those it was asked for.
    pub alter_names: fn(Vec<String>) -> Vec<String>,
    /// Another origin for finalize URLs than the CA's own.
    pub finalize_elsewhere: Option<String>,
    /// The customers it makes accounts for, by key identifier, and their MAC keys; none are needed when there is none.
    pub customers: Vec<(&'static str, &'static [u8])>,
    /// The profiles that its directory lists.
    pub profiles: Vec<&'static str>,
    /// Profiles that it lists, and yet does not issue by.
    pub retired_profiles: Vec<&'static str>,
    /// The issuers of the last certificate of its chains, that of the default chain first.
    pub issuers: Vec<&'static str>,
    /// URL of another chain, besides those of its own.
    pub another_chain_at: Option<String>,
    /// The answers to renewalInfo requests.
    pub renewals: Renewals,
    /// URL of the terms of service, if there are any.
    pub terms: Option<String>,
    /// A change to every JSON answer: given the endpoint, and the answer as the RFC has it.
    pub says: fn(&str, &mut Value),
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            lifetime: 90 * 86_400,
            looks_until_done: 1,
            retry_after: None,
            repeated_delivery: false,
            refused_nonces: 0,
            reuse_authorizations: false,
            blocked: Vec::new(),
            offers: vec!["dns-persist-01", "dns-01", "http-01", "tls-alpn-01", "unheard-of-01"],
            unreachable: Vec::new(),
            after_failure: AfterFailure::Invalid,
            alter_names: |names| names,
            finalize_elsewhere: None,
            customers: Vec::new(),
            profiles: Vec::new(),
            retired_profiles: Vec::new(),
            issuers: vec!["Scripted Root"],
            another_chain_at: None,
            renewals: Renewals::default(),
            terms: Some(format!("{BASE}/terms")),
            says: |_, _| (),
        }
    }
}

/// A request that the CA was asked, its signature and nonce being right.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The URL.
    pub url: String,
    /// The nonce.
    pub nonce: String,
    /// The account it came from; none for newAccount.
    pub kid: Option<String>,
    /// The payload; null for a POST-as-GET.
    pub payload: Value,
}

/// The maker of a certificate's chain in PEM.
pub type MakeChain = Box<dyn Fn(&Certificate) -> String>;

/// A CA.
pub struct Ca {
    /// How it behaves; may be changed at any time.
    pub settings: Settings,
    /// The web, as the CA sees it.
    pub web: Web,
    /// All well-signed requests, in order.
    pub journal: Vec<Entry>,
    /// All certificates, in order.
    pub certificates: Vec<Certificate>,
    /// Makes the chain of a certificate where its client wants X.509; the same one each time. Else it is JSON in PEM.
    pub make_chain: Option<MakeChain>,
    accounts: BTreeMap<String, Vec<Value>>,
    orders: Vec<Order>,
    pub(super) authorizations: Vec<Authorization>,
    /// Renewal identifiers that the CA was asked about, each with its time in seconds since 1970.
    pub renewals_asked: Vec<(String, i64)>,
    nonces: HashSet<String>,
    spent: HashSet<String>,
    pub(super) counter: u64,
}

struct Order {
    names: Vec<String>,
    authorizations: Vec<usize>,
    csr: Option<Vec<u8>>,
    looks_left: u32,
    certificate: Option<usize>,
    replaces: Option<String>,
}

impl Ca {
    /// A CA that validates against this web.
    pub fn new(settings: Settings, web: &Web) -> Self {
        Self {
            settings,
            web: web.clone(),
            journal: Vec::new(),
            certificates: Vec::new(),
            make_chain: None,
            accounts: BTreeMap::new(),
            orders: Vec::new(),
            authorizations: Vec::new(),
            renewals_asked: Vec::new(),
            nonces: HashSet::new(),
            spent: HashSet::new(),
            counter: 0,
        }
    }

    /// The URL of its directory.
    pub fn directory_url(&self) -> String {
        format!("{BASE}/directory")
    }

    /// Forgets accounts, orders and authorizations, as a test CA does when it is started anew.
    pub fn forget_everything(&mut self) {
        self.accounts.clear();
        self.orders.clear();
        self.authorizations.clear();
        self.nonces.clear();
    }

    /// How many accounts it has.
    pub fn account_count(&self) -> usize {
        self.accounts.len()
    }

    /// The contacts of its accounts.
    pub fn contacts(&self) -> Vec<Vec<Value>> {
        self.accounts.values().cloned().collect()
    }

    /// The certificates that orders named as those they replace (RFC 9773 §5), in order.
    pub fn replaced(&self) -> Vec<&str> {
        self.orders.iter().filter_map(|order| order.replaces.as_deref()).collect()
    }

    /// The status of the order at this URL, as its client is told it; none when there is no such order.
    pub fn order_status(&self, url: &str) -> Option<&'static str> {
        let index = url.strip_prefix(BASE)?.strip_prefix("/order/")?.parse::<usize>().ok()?;
        Some(self.status(self.orders.get(index)?))
    }

    /// How many orders were placed.
    pub fn order_count(&self) -> usize {
        self.orders.len()
    }

    /// How many well-signed requests went to URLs that hold this text.
    pub fn asked(&self, part: &str) -> usize {
        self.journal.iter().filter(|entry| entry.url.contains(part)).count()
    }

    /// Answers a request, in its own way.
    pub fn answer(&mut self, request: &Request, now_millis: i64) -> Response {
        let mut response = self.answer_by_the_rfc(request, now_millis);
        if let Ok(mut value) = serde_json::from_slice::<Value>(&response.body) {
            (self.settings.says)(request.endpoint, &mut value);
            response.body = value.to_string().into_bytes();
        }
        response
    }

    fn answer_by_the_rfc(&mut self, request: &Request, now_millis: i64) -> Response {
        // A query makes another CA of it, for those who tell them apart by their directories.
        let path = request.url.strip_prefix(BASE).and_then(|path| path.split('?').next());
        let mut response = match (request.method, path) {
            (Method::Get, Some("/directory")) => return ok(&self.directory()),
            (Method::Get, Some(path)) if path.starts_with("/renewal-info/") => {
                let id = path.trim_start_matches("/renewal-info/").to_owned();
                self.renewals_asked.push((id.clone(), now_millis / 1000));
                return self.settings.renewals.answer(&id, &self.certificates);
            }
            (Method::Head, Some("/new-nonce")) => respond(200, &[], ""),
            (Method::Post, Some(path)) => self.signed(path, request, now_millis / 1000),
            _ => problem(404, "malformed", "no such place"),
        };
        self.counter += 1;
        let nonce = format!("nonce-{}", self.counter);
        response.headers.push(("replay-nonce".into(), nonce.clone()));
        self.nonces.insert(nonce);
        response
    }

    fn directory(&self) -> Value {
        let profiles = self.settings.profiles.iter().map(|name| ((*name).to_owned(), json!(format!("{BASE}/{name}"))));
        json!({
            "newNonce": format!("{BASE}/new-nonce"),
            "newAccount": format!("{BASE}/new-account"),
            "newOrder": format!("{BASE}/new-order"),
            "renewalInfo": format!("{BASE}/renewal-info"),
            "unknown": {"a": []},
            "meta": {
                "termsOfService": self.settings.terms,
                "externalAccountRequired": !self.settings.customers.is_empty(),
                "profiles": profiles.collect::<serde_json::Map<_, _>>(),
            },
        })
    }

    fn signed(&mut self, path: &str, request: &Request, now: i64) -> Response {
        let body: Value = serde_json::from_slice(&request.body).expect("the client sends JSON");
        let part = |name: &str| URL_SAFE_NO_PAD.decode(body[name].as_str().unwrap()).expect("base64url");
        let header: Value = serde_json::from_slice(&part("protected")).unwrap();
        let nonce = header["nonce"].as_str().unwrap().to_owned();
        let is_fresh = self.spent.insert(nonce.clone());
        assert!(is_fresh || self.settings.repeated_delivery, "nonce {nonce} was used twice");
        assert_eq!(header["url"], request.url.as_str(), "the signed URL is the one asked");
        if !self.nonces.remove(&nonce) || self.refuses_this_nonce() {
            return problem(400, "badNonce", "that nonce is not mine");
        }
        let kid = header["kid"].as_str().map(str::to_owned);
        let thumbprint = match &kid {
            Some(kid) => kid.rsplit('/').next().unwrap().to_owned(),
            None => thumbprint(&header["jwk"], &body),
        };
        if kid.is_some() && !self.accounts.contains_key(&thumbprint) {
            return problem(400, "accountDoesNotExist", "no such account");
        }
        let payload: Value = serde_json::from_slice(&part("payload")).unwrap_or(Value::Null);
        self.journal.push(Entry { url: request.url.clone(), nonce, kid, payload: payload.clone() });
        let segments: Vec<&str> = path.split('/').skip(1).collect();
        let number =
            |index: usize| segments.get(index).and_then(|text| text.parse::<usize>().ok()).unwrap_or(usize::MAX);
        match segments.first().copied() {
            Some("new-account") => match self.is_customer(&header["jwk"], &payload) {
                Ok(()) => self.new_account(thumbprint, &payload),
                Err(refusal) => refusal,
            },
            Some("account") => self.account(&thumbprint, &payload),
            Some("new-order") => self.new_order(thumbprint, &payload),
            Some("order") => self.look_at_order(number(1), now),
            Some("finalize") => self.finalize(number(1), &payload),
            Some("authorization") => self.look_at_authorization(number(1), now),
            Some("challenge") => self.challenge(number(1), segments.get(2).copied().unwrap_or_default(), now),
            Some("certificate") => self.certificate(number(1), if segments.len() > 2 { number(2) } else { 0 }),
            _ => problem(404, "malformed", "no such place"),
        }
    }

    fn refuses_this_nonce(&mut self) -> bool {
        // Spread evenly by a fixed stride, so that no seed is needed here.
        (self.spent.len() as u64 * 37) % 100 < self.settings.refused_nonces
    }

    /// Checks the external account binding (§7.3.4), where one is needed.
    fn is_customer(&self, jwk: &Value, payload: &Value) -> Result<(), Response> {
        if self.settings.customers.is_empty() || payload["onlyReturnExisting"] == true {
            return Ok(());
        }
        let binding = &payload["externalAccountBinding"];
        let [Some(protected), Some(bound), Some(signature)] =
            ["protected", "payload", "signature"].map(|name| binding[name].as_str())
        else {
            return Err(problem(403, "externalAccountRequired", "only customers get an account"));
        };
        let json = |text: &str| serde_json::from_slice::<Value>(&URL_SAFE_NO_PAD.decode(text).unwrap()).unwrap();
        let header = json(protected);
        assert_eq!(header["alg"], "HS256");
        assert_eq!(header["url"], format!("{BASE}/new-account"));
        assert!(header.get("nonce").is_none(), "a binding has no nonce");
        assert_eq!(json(bound), *jwk, "the account's key is bound");
        let customer = self.settings.customers.iter().find(|(kid, _)| header["kid"] == *kid);
        let Some((_, key)) = customer else { return Err(problem(403, "unauthorized", "no such customer")) };
        if URL_SAFE_NO_PAD.encode(mac(key, &format!("{protected}.{bound}"))) != signature {
            return Err(problem(403, "unauthorized", "the MAC is wrong"));
        }
        Ok(())
    }

    fn certificate(&self, index: usize, chain: usize) -> Response {
        let (Some(certificate), Some(issuer)) = (self.certificates.get(index), self.settings.issuers.get(chain)) else {
            return problem(404, "malformed", "no such certificate");
        };
        let mut headers = vec![("link".to_owned(), format!("<{BASE}/directory>;rel=\"index\""))];
        let own = (0..self.settings.issuers.len()).filter(|other| *other != chain);
        let own = own.map(|other| format!("{BASE}/certificate/{index}/{other}"));
        for url in own.chain(self.settings.another_chain_at.clone()) {
            headers.push(("link".to_owned(), format!("<{url}>;rel=\"alternate\"")));
        }
        let certificate = Certificate { issuer: (*issuer).to_owned(), ..certificate.clone() };
        let pem = self.make_chain.as_ref().map_or_else(|| certificate.pem(), |make| make(&certificate));
        Response { status: 200, headers, body: pem.into() }
    }

    fn new_account(&mut self, thumbprint: String, payload: &Value) -> Response {
        let known = self.accounts.contains_key(&thumbprint);
        if !known && payload["onlyReturnExisting"] == true {
            return problem(400, "accountDoesNotExist", "no account has this key");
        }
        if !known {
            assert_eq!(payload["termsOfServiceAgreed"], true, "the terms were agreed");
            let contact = payload["contact"].as_array().cloned().unwrap_or_default();
            self.accounts.insert(thumbprint.clone(), contact);
        }
        let mut response = self.account(&thumbprint, &Value::Null);
        response.status = if known { 200 } else { 201 };
        response.headers.push(("location".into(), format!("{BASE}/account/{thumbprint}")));
        response
    }

    fn account(&mut self, thumbprint: &str, payload: &Value) -> Response {
        let account = self.accounts.get_mut(thumbprint).unwrap();
        if let Some(contact) = payload["contact"].as_array() {
            *account = contact.clone();
        }
        ok(&json!({"status": "valid", "contact": account}))
    }

    fn new_order(&mut self, account: String, payload: &Value) -> Response {
        let asked: Vec<String> = payload["identifiers"]
            .as_array()
            .unwrap()
            .iter()
            .map(|identifier| identifier["value"].as_str().unwrap().to_owned())
            .collect();
        if let Some(blocked) = asked.iter().find(|name| self.settings.blocked.contains(name)) {
            return problem(400, "rejectedIdentifier", &format!("will not issue for {blocked}"));
        }
        if let Some(profile) = payload["profile"].as_str() {
            let is_offered = self.settings.profiles.contains(&profile);
            if !is_offered || self.settings.retired_profiles.contains(&profile) {
                return problem(400, "invalidProfile", &format!("{profile} is no profile"));
            }
        }
        let replaces = payload["replaces"].as_str().map(str::to_owned);
        let is_taken = |order: &Order| order.replaces.is_some() && order.replaces == replaces;
        if self.orders.iter().any(is_taken) && self.settings.renewals.once {
            return problem(409, "alreadyReplaced", "that certificate has been replaced");
        }
        let names = (self.settings.alter_names)(asked);
        let authorizations = names.iter().map(|name| self.authorize(&account, name)).collect();
        let order = Order { names, authorizations, csr: None, looks_left: 0, certificate: None, replaces };
        self.orders.push(order);
        let index = self.orders.len() - 1;
        let mut response = self.order_response(index);
        response.status = 201;
        response.headers.push(("location".into(), format!("{BASE}/order/{index}")));
        response
    }

    fn look_at_order(&mut self, index: usize, now: i64) -> Response {
        let Some(order) = self.orders.get(index) else { return problem(404, "malformed", "no such order") };
        for authorization in order.authorizations.clone() {
            self.validate(authorization, now);
        }
        let order = &mut self.orders[index];
        if let (Some(csr), None) = (&order.csr, order.certificate) {
            if order.looks_left == 0 {
                let serial = self.certificates.len() as u64 + 1;
                let (not_before, not_after) = (now, now + self.settings.lifetime);
                let names = order.names.clone();
                order.certificate = Some(self.certificates.len());
                let (csr, issuer) = (csr.clone(), String::new());
                self.certificates.push(Certificate { names, csr, not_before, not_after, serial, issuer });
            } else {
                order.looks_left -= 1;
            }
        }
        self.order_response(index)
    }

    fn status(&self, order: &Order) -> &'static str {
        let states = || order.authorizations.iter().map(|index| self.authorizations[*index].state);
        match order {
            Order { certificate: Some(_), .. } => "valid",
            Order { csr: Some(_), .. } => "processing",
            _ if self.settings.after_failure == AfterFailure::Invalid
                && states().any(|state| state == Validation::Failed) =>
            {
                "invalid"
            }
            _ if states().all(|state| state == Validation::Valid) => "ready",
            _ => "pending",
        }
    }

    fn order_response(&self, index: usize) -> Response {
        let order = &self.orders[index];
        let status = self.status(order);
        let finalize = format!("{BASE}/finalize/{index}");
        let mut resource = json!({
            "status": status,
            "identifiers": order.names.iter().map(|name| identifier(name)).collect::<Vec<_>>(),
            "authorizations":
                order.authorizations.iter().map(|index| format!("{BASE}/authorization/{index}")).collect::<Vec<_>>(),
            "finalize": self.settings.finalize_elsewhere.clone().unwrap_or(finalize),
        });
        if let Some(certificate) = order.certificate {
            resource["certificate"] = json!(format!("{BASE}/certificate/{certificate}"));
        }
        self.with_retry_after(ok(&resource), status == "processing")
    }

    fn finalize(&mut self, index: usize, payload: &Value) -> Response {
        let looks = self.settings.looks_until_done;
        let ready = self.orders.get(index).is_some_and(|order| {
            order.csr.is_none()
                && order.authorizations.iter().all(|index| self.authorizations[*index].state == Validation::Valid)
        });
        if !ready {
            return problem(403, "orderNotReady", "not ready");
        }
        self.orders[index].csr = Some(URL_SAFE_NO_PAD.decode(payload["csr"].as_str().unwrap()).unwrap());
        self.orders[index].looks_left = looks;
        self.order_response(index)
    }

    pub(super) fn with_retry_after(&self, mut response: Response, in_work: bool) -> Response {
        if let (true, Some(value)) = (in_work, &self.settings.retry_after) {
            response.headers.push(("retry-after".into(), value.clone()));
        }
        response
    }
}

/// The payload of a signed request; null for a POST-as-GET.
pub fn payload(request: &Request) -> Value {
    let body: Value = serde_json::from_slice(&request.body).unwrap();
    let payload = URL_SAFE_NO_PAD.decode(body["payload"].as_str().unwrap()).unwrap();
    serde_json::from_slice(&payload).unwrap_or_default()
}

/// The MAC of a text under a customer's key: HMAC with SHA-256 (RFC 7518 §3.2).
pub fn mac(key: &[u8], text: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

/// Checks a request's signature by the key it carries, and names the key.
fn thumbprint(jwk: &Value, body: &Value) -> String {
    let coordinate = |name: &str| URL_SAFE_NO_PAD.decode(jwk[name].as_str().unwrap()).unwrap();
    let mut point = vec![4];
    point.extend(coordinate("x"));
    point.extend(coordinate("y"));
    let key = VerifyingKey::from_sec1_bytes(&point).expect("a point on P-256");
    let text = |name: &str| body[name].as_str().unwrap();
    let signature = URL_SAFE_NO_PAD.decode(text("signature")).unwrap();
    let signed = format!("{}.{}", text("protected"), text("payload"));
    key.verify(signed.as_bytes(), &Signature::from_slice(&signature).unwrap()).expect("the signature is right");
    let canonical = format!(r#"{{"crv":"P-256","kty":"EC","x":{},"y":{}}}"#, jwk["x"], jwk["y"]);
    URL_SAFE_NO_PAD.encode(Sha256::digest(canonical))
}
