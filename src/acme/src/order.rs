//! Orders (RFC 8555 §7.1.3 and §7.4): placed, fetched, finalized.
//!
//! What newOrder answers is kept: not every CA tells it again (RFC 8555 §7.1.3 wants it), so later answers are needed
//! only for what may have changed.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;

use crate::account::location;
use crate::client::{Client, OnSilence, payload};
use crate::error::Error;
use crate::fetch::parse;
use crate::host::{Host, Response};
pub use crate::identifier::Identifier;
use crate::identifier::{IdentifierResource, are_ours, are_same};
use crate::lenient::Object;
use crate::problem::{self, Problem};
use crate::retry_after;

/// The most authorizations an order may have: one for each name, and CAs take a hundred names.
const MAX_AUTHORIZATIONS: usize = 200;

/// Longest time in which an order is resumed, in seconds, whatever the CA says: CAs know orders for a week.
const LONGEST_LIFE: i64 = 30 * 24 * 60 * 60;

/// An order: where it is, and what is needed to go on with it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Order {
    /// The order's URL.
    pub url: String,
    /// The answer to newOrder.
    pub course: Course,
}

/// The answer to newOrder, as far as it is needed later, and what became of the order since.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Course {
    /// The finalize URL; `None` in records of earlier versions.
    pub finalize: Option<String>,
    /// The URLs of the order's authorizations.
    pub authorizations: Vec<String>,
    /// When the CA gives the order up, seconds since 1970.
    pub expires: Option<i64>,
    /// The end of the certificate's validity, where the CA fixes it with the order, seconds since 1970.
    pub not_after: Option<i64>,
    /// How often the order was resumed.
    pub counts: Counts,
}

/// Progress of an order, and how often it was resumed since.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Progress when the order was last resumed: a number that grows.
    pub reached: u32,
    /// How often the order was resumed without further progress.
    pub resumptions: u32,
    /// How often the CA failed to finalize it.
    pub refusals: u32,
    /// How often a resumption was not counted, as the CA itself asked for a longer wait.
    pub waits: u32,
}

/// State of an order as the CA tells it at some moment, and what it said before where it says nothing now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderState {
    /// How far it is (§7.1.6).
    pub status: OrderStatus,
    /// The certificate's URL, once it is issued.
    pub certificate: Option<String>,
    /// Why it failed.
    pub error: Option<Problem>,
    /// How long the CA asks to wait before the next look.
    pub retry_after: Option<Duration>,
    /// The part that is to be kept.
    pub course: Course,
}

/// How far an order is (§7.1.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrderStatus {
    /// The CA gave it up.
    Invalid,
    /// The order waits for its authorizations.
    Pending,
    /// The CA is making the certificate.
    Processing,
    /// All authorizations are valid; the order waits for the signing request.
    Ready,
    /// The certificate is there.
    Valid,
}

impl OrderStatus {
    /// The status of this name. One that is not known is taken for work of the CA's, which is waited for with a bound;
    /// those of other objects that are over, for the end.
    fn of(word: &str) -> Self {
        match word {
            "pending" => Self::Pending,
            "ready" => Self::Ready,
            "valid" => Self::Valid,
            "invalid" | "expired" | "revoked" | "deactivated" => Self::Invalid,
            _ => Self::Processing,
        }
    }
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
    let new = NewOrder { identifiers: names.iter().map(Identifier::resource).collect(), profile, replaces };
    // With a replacement it is asked once: without it the CA may do better.
    let on_silence = if replaces.is_some() { OnSilence::AskOtherwise } else { OnSilence::Repeat };
    let response = client.post("newOrder", &url, payload(&new), on_silence).await?;
    let order = location(client, &url, &response, "order.location")?;
    let latest = client.host.now_millis().div_euclid(1000).saturating_add(LONGEST_LIFE);
    let (mut state, told) = state_of(client, &url, &response, &Course::default())?;
    state.course.expires = Some(state.course.expires.map_or(latest, |expires| expires.min(latest)));
    if !are_same(names, &told) {
        return Err(Error::OrderNamesChanged { order, names: told });
    }
    Ok((Order { url: order, course: state.course.clone() }, state))
}

/// Looks at an order (§7.4); [`Error::OrderLost`] when the CA has none at this URL.
pub async fn fetch<H: Host>(client: &Client<H>, names: &[Identifier], order: &Order) -> Result<OrderState, Error> {
    let response = match client.post_as_get("order", &order.url).await {
        Err(error) if error.is_of_nothing_there() => {
            return Err(Error::OrderLost { order: order.url.clone(), why: "it does not exist any more".to_owned() });
        }
        answered => answered?,
    };
    let (state, told) = state_of(client, &order.url, &response, &order.course)?;
    if !are_ours(names, &told) {
        return Err(Error::OrderNamesChanged { order: order.url.clone(), names: told });
    }
    Ok(state)
}

/// Sends the signing request (§7.4). Where no answer comes it is not repeated: the order knows whether it was taken.
pub async fn finalize<H: Host>(client: &Client<H>, order: &Order, csr: &[u8]) -> Result<OrderState, Error> {
    let Some(url) = &order.course.finalize else {
        let why = "the CA never said where its signing request goes (finalize)".to_owned();
        return Err(Error::OrderStuck { order: order.url.clone(), why });
    };
    let request = Finalize { csr: URL_SAFE_NO_PAD.encode(csr) };
    let response = client.post("finalize", url, payload(&request), OnSilence::GiveUp).await?;
    Ok(state_of(client, url, &response, &order.course)?.0)
}

/// Reads of an answer the state of an order, and the names in it; `known` is what was said before.
fn state_of<H: Host>(
    client: &Client<H>,
    url: &str,
    response: &Response,
    known: &Course,
) -> Result<(OrderState, Vec<String>), Error> {
    let bad = |what: String| Error::BadAnswer { url: url.to_owned(), what };
    let resource = parse(url, response, OrderResource::of)?;
    let Some(status) = resource.status() else { return Err(bad("it is not an order".to_owned())) };
    if resource.authorizations.len() > MAX_AUTHORIZATIONS {
        return Err(bad(format!("an order with more than {MAX_AUTHORIZATIONS} authorizations")));
    }
    let trust = |place, named| client.trusted(place, url, named);
    let authorizations = resource.authorizations.into_iter().map(|url| trust("order.authorizations", url));
    let authorizations = authorizations.collect::<Result<Vec<_>, _>>()?;
    // A CA may tell only those that are proved, so what it told at first is believed.
    let is_first = known.authorizations.is_empty();
    let course = Course {
        finalize: resource.finalize.map(|url| trust("order.finalize", url)).transpose()?.or(known.finalize.clone()),
        authorizations: if is_first { authorizations } else { known.authorizations.clone() },
        expires: known.expires.or(resource.expires),
        not_after: resource.not_after.or(known.not_after),
        counts: known.counts,
    };
    let state = OrderState {
        status,
        certificate: resource.certificate.map(|url| trust("order.certificate", url)).transpose()?,
        error: resource.error,
        retry_after: response
            .header("retry-after")
            .and_then(|value| retry_after::parse(value, client.host.now_millis())),
        course,
    };
    Ok((state, resource.identifiers))
}

/// The payload of newOrder (§7.4).
#[derive(Serialize)]
struct NewOrder<'a> {
    identifiers: Vec<IdentifierResource>,
    #[serde(skip_serializing_if = "Option::is_none")]
    profile: Option<&'a String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    replaces: Option<&'a str>,
}

/// The payload of an order's finalize URL (§7.4).
#[derive(Serialize)]
struct Finalize {
    csr: String,
}

/// An order as it stands in JSON (§7.1.3). Each member is needed only where it is used.
struct OrderResource {
    status: Option<OrderStatus>,
    identifiers: Vec<String>,
    authorizations: Vec<String>,
    finalize: Option<String>,
    certificate: Option<String>,
    expires: Option<i64>,
    not_after: Option<i64>,
    error: Option<Problem>,
}

impl OrderResource {
    fn of(object: Object<'_>) -> Self {
        Self {
            status: object.word("status").map(|word| OrderStatus::of(&word)),
            identifiers: object.identifiers("identifiers"),
            authorizations: object.texts("authorizations"),
            finalize: object.text("finalize"),
            certificate: object.text("certificate"),
            expires: object.moment("expires"),
            not_after: object.moment("notAfter"),
            error: problem::error(object.value("error")),
        }
    }

    /// The status it tells, or the one that the rest of it tells; none when it is no order at all.
    fn status(&self) -> Option<OrderStatus> {
        let is_order = self.finalize.is_some() || !self.authorizations.is_empty();
        self.status
            .or(self.certificate.as_ref().map(|_| OrderStatus::Valid))
            .or(is_order.then_some(OrderStatus::Pending))
    }
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    fn resource(text: &str) -> OrderResource {
        OrderResource::of(Object::of(&serde_json::from_str(text).unwrap()).unwrap())
    }

    /// The example of RFC 8555 §7.1.3, <https://www.rfc-editor.org/rfc/rfc8555#section-7.1.3>.
    #[test]
    fn reads_the_rfcs_example() {
        let order = resource(
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
        );
        assert_eq!(order.status(), Some(OrderStatus::Valid));
        assert_eq!(order.identifiers, ["www.example.org", "example.org"]);
        assert_eq!(order.certificate.as_deref(), Some("https://example.com/acme/cert/mAt3xBGaobw"));
        assert_eq!((order.expires, order.not_after), (Some(1_453_298_947), Some(1_452_211_200)));
    }

    #[test]
    fn a_status_is_read_in_any_case_and_else_told_by_the_rest() {
        let status = |text: &str| resource(text).status();
        assert_eq!(status(r#"{"status":"READY"}"#), Some(OrderStatus::Ready));
        assert_eq!(status(r#"{"status":"expired"}"#), Some(OrderStatus::Invalid));
        assert_eq!(status(r#"{"status":"queued"}"#), Some(OrderStatus::Processing));
        assert_eq!(status(r#"{"certificate":"https://ca.example/1"}"#), Some(OrderStatus::Valid));
        assert_eq!(status(r#"{"status":null,"finalize":"https://ca.example/1"}"#), Some(OrderStatus::Pending));
        assert_eq!(status(r#"{"type":"about:blank","authorizations":null}"#), None);
    }
}
