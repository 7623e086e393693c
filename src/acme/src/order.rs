//! Orders (RFC 8555 §7.1.3 and §7.4): placed, fetched, finalized.

use std::net::IpAddr;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use crate::account::location;
use crate::client::{Client, OnSilence, parse};
use crate::error::Error;
use crate::host::{Host, Response};
use crate::problem::{Document, Problem};
use crate::retry_after;

/// The most authorizations an order may have: one for each name, and CAs take a hundred names.
const MAX_AUTHORIZATIONS: usize = 200;

/// What a certificate is for: a DNS name, or an IP address (RFC 8738).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Identifier {
    /// A DNS name in lower-case ASCII.
    Dns(String),
    /// An IP address.
    Ip(IpAddr),
}

impl Identifier {
    /// An IP address where it is one, else a DNS name.
    pub fn of(name: &str) -> Self {
        match name.parse() {
            Ok(ip) => Self::Ip(ip),
            Err(_) => Self::Dns(name.to_ascii_lowercase()),
        }
    }

    /// The name or the address as text.
    pub fn value(&self) -> String {
        match self {
            Self::Dns(name) => name.clone(),
            Self::Ip(ip) => ip.to_string(),
        }
    }

    fn resource(&self) -> IdentifierResource {
        let kind = if matches!(self, Self::Dns(_)) { "dns" } else { "ip" };
        IdentifierResource { kind: kind.to_owned(), value: self.value() }
    }
}

/// An order: where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// The order's URL.
    pub url: String,
}

/// What the CA says of an order at some moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderState {
    /// How far it is (§7.1.6).
    pub status: OrderStatus,
    /// What it is for.
    pub identifiers: Vec<Identifier>,
    /// The URLs of its authorizations.
    pub authorizations: Vec<String>,
    /// Where the signing request goes.
    pub finalize: String,
    /// Where the certificate is, when there is one.
    pub certificate: Option<String>,
    /// Why it failed.
    pub error: Option<Problem>,
    /// How long the CA asks to wait before the next look.
    pub retry_after: Option<std::time::Duration>,
}

/// How far an order is (§7.1.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OrderStatus {
    /// The CA gave it up.
    Invalid,
    /// Its names are to be authorized.
    Pending,
    /// The CA is making the certificate.
    Processing,
    /// Its names are authorized; the signing request is awaited.
    Ready,
    /// The certificate is there.
    Valid,
}

/// Places an order (§7.4), by the client's profile if it has one. A profile that the CA does not list is not asked for.
/// `replaces` names the certificate that this one takes the place of (RFC 9773 §5); only a CA that tells when to renew
/// is told.
pub async fn place<H: Host>(
    client: &Client<H>,
    names: &[Identifier],
    replaces: Option<&str>,
) -> Result<(Order, OrderState), Error> {
    let (directory, profile) = (&client.directory, client.options.profile.as_ref());
    if let Some(profile) = profile {
        let offered = directory.profiles();
        if !offered.contains(&profile.as_str()) {
            return Err(Error::UnknownProfile { profile: profile.clone(), offered: offered.join(", ") });
        }
    }
    let url = directory.new_order.clone();
    let replaces = replaces.filter(|_| directory.renewal_info.is_some());
    let payload = NewOrder { identifiers: names.iter().map(Identifier::resource).collect(), profile, replaces };
    let response = client.post("newOrder", &url, &payload, OnSilence::Repeat).await?;
    let order = Order { url: location(client, &url, &response, "order.location")? };
    let state = state_of(client, &url, &response)?;
    same_names(&order, names, &state)?;
    Ok((order, state))
}

/// Looks at an order (§7.4); [`Error::OrderLost`] when the CA has none at this URL.
pub async fn fetch<H: Host>(client: &Client<H>, order: &Order) -> Result<OrderState, Error> {
    match client.post_as_get("order", &order.url).await {
        Ok(response) => state_of(client, &order.url, &response),
        Err(Error::Refused { problem, .. }) if matches!(problem.status, 401 | 403 | 404 | 410) => {
            Err(Error::OrderLost { order: order.url.clone() })
        }
        Err(error) => Err(error),
    }
}

/// Sends the signing request (§7.4). Where no answer comes it is not repeated: the order knows whether it was taken.
pub async fn finalize<H: Host>(client: &Client<H>, state: &OrderState, csr: &[u8]) -> Result<OrderState, Error> {
    let payload = Finalize { csr: URL_SAFE_NO_PAD.encode(csr) };
    let response = client.post("finalize", &state.finalize, &payload, OnSilence::GiveUp).await?;
    state_of(client, &state.finalize, &response)
}

/// That an order is for the names it was placed for: the CA may not alter them.
pub(crate) fn same_names(order: &Order, names: &[Identifier], state: &OrderState) -> Result<(), Error> {
    let (mut asked, mut got) = (names.to_vec(), state.identifiers.clone());
    asked.sort();
    got.sort();
    if asked == got {
        return Ok(());
    }
    let names = state.identifiers.iter().map(Identifier::value).collect();
    Err(Error::OrderNamesChanged { order: order.url.clone(), names })
}

fn state_of<H: Host>(client: &Client<H>, url: &str, response: &Response) -> Result<OrderState, Error> {
    let resource: OrderResource = parse(url, response)?;
    if resource.authorizations.len() > MAX_AUTHORIZATIONS {
        let what = format!("an order with more than {MAX_AUTHORIZATIONS} authorizations");
        return Err(Error::BadAnswer { url: url.to_owned(), what });
    }
    let trust = |place, url| client.trusted(place, url);
    let authorizations = resource.authorizations.into_iter().map(|url| trust("order.authorizations", url));
    Ok(OrderState {
        status: resource.status,
        identifiers: resource.identifiers.iter().map(|identifier| Identifier::of(&identifier.value)).collect(),
        authorizations: authorizations.collect::<Result<_, _>>()?,
        finalize: trust("order.finalize", resource.finalize)?,
        certificate: resource.certificate.map(|url| trust("order.certificate", url)).transpose()?,
        error: resource.error.map(Problem::from),
        retry_after: response
            .header("retry-after")
            .and_then(|value| retry_after::parse(value, client.host.now_millis())),
    })
}

/// What is sent to newOrder (§7.4).
#[derive(Serialize)]
struct NewOrder<'a> {
    identifiers: Vec<IdentifierResource>,
    #[serde(skip_serializing_if = "Option::is_none")]
    profile: Option<&'a String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    replaces: Option<&'a str>,
}

/// What is sent to an order's finalize URL (§7.4).
#[derive(Serialize)]
struct Finalize {
    csr: String,
}

/// An identifier as it stands in JSON (§7.1.3).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct IdentifierResource {
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) value: String,
}

/// An order as it stands in JSON (§7.1.3).
#[derive(Deserialize)]
struct OrderResource {
    status: OrderStatus,
    identifiers: Vec<IdentifierResource>,
    authorizations: Vec<String>,
    finalize: String,
    #[serde(default)]
    certificate: Option<String>,
    #[serde(default)]
    error: Option<Document>,
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    /// The example of RFC 8555 §7.1.3, <https://www.rfc-editor.org/rfc/rfc8555#section-7.1.3>.
    #[test]
    fn reads_the_rfcs_example() {
        let order: OrderResource = serde_json::from_str(
            r#"{
              "status": "valid",
              "expires": "2016-01-20T14:09:07.99Z",
              "identifiers": [
                { "type": "dns", "value": "www.example.org" },
                { "type": "dns", "value": "example.org" }
              ],
              "notBefore": "2016-01-01T00:00:00Z",
              "notAfter": "2016-01-08T00:00:00Z",
              "authorizations": [
                "https://example.com/acme/authz/PAniVnsZcis",
                "https://example.com/acme/authz/r4HqLzrSrpI"
              ],
              "finalize": "https://example.com/acme/order/TOlocE8rfgo/finalize",
              "certificate": "https://example.com/acme/cert/mAt3xBGaobw"
            }"#,
        )
        .unwrap();
        assert_eq!(order.status, OrderStatus::Valid);
        assert_eq!(order.identifiers[0].value, "www.example.org");
        assert_eq!(order.certificate.as_deref(), Some("https://example.com/acme/cert/mAt3xBGaobw"));
    }

    #[test]
    fn addresses_are_ip_identifiers_in_their_canonical_form() {
        assert_eq!(Identifier::of("2001:DB8:0::1").resource().kind, "ip");
        assert_eq!(Identifier::of("2001:DB8:0::1").value(), "2001:db8::1");
        assert_eq!(Identifier::of("A.example").resource().kind, "dns");
        assert_eq!(Identifier::of("A.example").value(), "a.example");
    }

    #[test]
    fn the_order_of_names_does_not_matter_but_the_set_does() {
        let state = |names: &[&str]| OrderState {
            status: OrderStatus::Pending,
            identifiers: names.iter().map(|name| Identifier::of(name)).collect(),
            authorizations: Vec::new(),
            finalize: String::new(),
            certificate: None,
            error: None,
            retry_after: None,
        };
        let order = Order { url: "o".into() };
        let asked = [Identifier::of("a.example"), Identifier::of("b.example")];
        assert!(same_names(&order, &asked, &state(&["b.example", "a.example"])).is_ok());
        assert!(same_names(&order, &asked, &state(&["a.example"])).is_err());
        assert!(same_names(&order, &asked, &state(&["a.example", "c.example"])).is_err());
    }
}
