//! Another client, instant-acme, gets certificates from the scripted CA: so that CA isn't right for our own client
//! alone.
//!
//! The CA runs on a thread of its own, as it can't be shared; its journal shows its responses.

use std::cell::RefCell;
use std::collections::HashMap;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::mpsc;
use std::time::Duration;

use acme::host::{Method, Request};
use acme::scripted::{Ca, Certificate, Settings, Web};
use anyhow::{Context, Result, ensure};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use instant_acme::{
    Account, BodyWrapper, BytesResponse, ChallengeType, Error, ExternalAccountKey, HttpClient, Identifier, NewAccount,
    NewOrder, Order, OrderStatus, RetryPolicy,
};
use tokio::sync::oneshot;

/// The time of the CA's clock: 2026-01-01. The clock stands still, as no wait depends on it.
const NOW_MILLIS: i64 = 1_767_225_600_000;
/// Polls in quick succession, and many of them: the CA has no other work.
const LOOKS: RetryPolicy = RetryPolicy::new().initial_delay(Duration::from_millis(1)).backoff(1.0);

/// A call to the CA, run on its thread.
type Ask = Box<dyn FnOnce(&mut Ca) + Send>;

/// The CA's thread, as its clients reach it.
#[derive(Clone)]
struct Reach {
    asks: mpsc::Sender<Ask>,
}

impl Reach {
    /// Starts a CA with these settings.
    fn new(settings: impl FnOnce() -> Settings + Send + 'static) -> Self {
        let (asks, asked) = mpsc::channel::<Ask>();
        std::thread::spawn(move || {
            let web = Web::new(RefCell::new(HashMap::new()));
            let mut ca = Ca::new(settings(), &Rc::clone(&web));
            while let Ok(ask) = asked.recv() {
                ask(&mut ca);
            }
        });
        Self { asks }
    }

    /// Runs a function on the CA's thread.
    async fn with<T: Send + 'static>(&self, act: impl FnOnce(&mut Ca) -> T + Send + 'static) -> Result<T> {
        let (done, outcome) = oneshot::channel();
        let ask: Ask = Box::new(move |ca| drop(done.send(act(ca))));
        self.asks.send(ask).ok().context("the CA's thread has ended")?;
        outcome.await.context("the CA's thread has panicked")
    }

    /// An account, made by instant-acme.
    async fn account(&self, customer: Option<&ExternalAccountKey>) -> Result<Account> {
        let directory = self.with(|ca| ca.directory_url()).await?;
        let new = NewAccount {
            contact: &["mailto:admin@example.com"],
            terms_of_service_agreed: true,
            only_return_existing: false,
        };
        let client = Account::builder_with_http(Box::new(self.clone()));
        Ok(client.create(&new, directory, customer).await?.0)
    }
}

impl HttpClient for Reach {
    fn request(
        &self,
        request: hyper::Request<BodyWrapper<Bytes>>,
    ) -> Pin<Box<dyn Future<Output = Result<BytesResponse, Error>> + Send>> {
        let reach = self.clone();
        Box::pin(async move {
            let (head, body) = request.into_parts();
            let method = match head.method.as_str() {
                "GET" => Method::Get,
                "HEAD" => Method::Head,
                _ => Method::Post,
            };
            let body = body.collect().await.map_err(|error| Error::Other(error.into()))?.to_bytes().to_vec();
            let url = head.uri.to_string();
            let answer = reach.with(move |ca| {
                let timeout = Duration::from_secs(30);
                ca.answer(&Request { method, url, headers: Vec::new(), body, timeout, endpoint: "" }, NOW_MILLIS)
            });
            let answer = answer.await.map_err(|error| Error::Other(error.into()))?;
            let mut response = hyper::Response::builder().status(answer.status);
            for (name, value) in &answer.headers {
                response = response.header(name, value);
            }
            let response = response.body(Full::new(Bytes::from(answer.body)));
            Ok(BytesResponse::from(response.map_err(|error| Error::Other(error.into()))?))
        })
    }
}

/// Answers the challenges of an order, rightly or wrongly.
async fn answer(reach: &Reach, order: &mut Order, kind: &ChallengeType, is_right: bool) -> Result<()> {
    let mut authorizations = order.authorizations();
    while let Some(authorization) = authorizations.next().await {
        let mut authorization = authorization?;
        let mut challenge = authorization.challenge(kind.clone()).context("this challenge is not offered")?;
        let host = challenge.identifier().to_string().trim_start_matches("*.").to_owned();
        let token = challenge.token.clone();
        let mut value = challenge.key_authorization().as_str().to_owned();
        if !is_right {
            value.push('x');
        }
        reach.with(move |ca| ca.web.borrow_mut().insert((host, token), value)).await?;
        challenge.set_ready().await?;
    }
    Ok(())
}

async fn issued(reach: &Reach, account: &Account, names: &[&str], kind: ChallengeType) -> Result<Certificate> {
    let names: Vec<Identifier> = names.iter().map(|name| Identifier::Dns((*name).to_owned())).collect();
    let mut order = account.new_order(&NewOrder::new(&names)).await?;
    ensure!(order.state().status == OrderStatus::Pending, "{:?}", order.state());
    answer(reach, &mut order, &kind, true).await?;
    let status = order.poll_ready(&LOOKS).await?;
    ensure!(status == OrderStatus::Ready, "{status:?}");
    order.finalize().await?;
    let chain = order.poll_certificate(&LOOKS).await?;
    Certificate::of(&chain).with_context(|| format!("no certificate of the CA's: {chain}"))
}

#[tokio::test]
async fn another_client_gets_certificates_by_each_of_its_challenges() -> Result<()> {
    let reach = Reach::new(Settings::default);
    let account = reach.account(None).await?;
    for (names, kind) in [
        (&["a.example.com", "b.example.com"][..], ChallengeType::Http01),
        (&["c.example.com"], ChallengeType::TlsAlpn01),
        (&["*.example.com", "example.com"], ChallengeType::Dns01),
    ] {
        let certificate = issued(&reach, &account, names, kind.clone()).await?;
        assert_eq!(certificate.names, names, "{kind:?}");
    }
    let (orders, contacts) = reach.with(|ca| (ca.order_count(), ca.contacts())).await?;
    assert_eq!((orders, contacts.len()), (3, 1));
    Ok(())
}

#[tokio::test]
async fn another_client_continues_where_nonces_are_refused() -> Result<()> {
    let reach = Reach::new(|| Settings { refused_nonces: 30, ..Settings::default() });
    let account = reach.account(None).await?;
    issued(&reach, &account, &["a.example.com"], ChallengeType::Http01).await?;
    Ok(())
}

#[tokio::test]
async fn another_client_reads_why_a_challenge_failed() -> Result<()> {
    let reach = Reach::new(Settings::default);
    let account = reach.account(None).await?;
    let names = [Identifier::Dns("a.example.com".to_owned())];
    let mut order = account.new_order(&NewOrder::new(&names)).await?;
    answer(&reach, &mut order, &ChallengeType::Http01, false).await?;
    assert_eq!(order.poll_ready(&LOOKS).await?, OrderStatus::Invalid);
    let mut authorizations = order.authorizations();
    let mut authorization = authorizations.next().await.context("an authorization")??;
    let state = authorization.refresh().await?;
    let told = state.challenges.iter().find_map(|challenge| challenge.error.as_ref()).context("no error")?;
    assert_eq!(told.r#type.as_deref(), Some("urn:ietf:params:acme:error:unauthorized"), "{told:?}");
    Ok(())
}

#[tokio::test]
async fn another_client_finds_its_account_again() -> Result<()> {
    let reach = Reach::new(Settings::default);
    let directory = reach.with(|ca| ca.directory_url()).await?;
    let new = NewAccount { contact: &[], terms_of_service_agreed: true, only_return_existing: false };
    let builder = Account::builder_with_http(Box::new(reach.clone()));
    let (account, credentials) = builder.create(&new, directory, None).await?;
    let builder = Account::builder_with_http(Box::new(reach.clone()));
    let again = builder.from_credentials(credentials).await?;
    assert_eq!(again.id(), account.id());
    issued(&reach, &again, &["a.example.com"], ChallengeType::Http01).await?;
    Ok(())
}

#[tokio::test]
async fn another_client_needs_the_key_of_a_customer() -> Result<()> {
    let reach = Reach::new(|| Settings {
        customers: vec![("kid-1", b"a key of thirty-two bytes, or more")],
        ..Settings::default()
    });
    let refused = reach.account(None).await.err().context("an account for a stranger")?;
    assert!(refused.to_string().contains("externalAccountRequired"), "{refused}");
    let wrong = ExternalAccountKey::new("kid-1".to_owned(), b"another key of thirty-two bytes...");
    assert!(reach.account(Some(&wrong)).await.is_err());
    let key = ExternalAccountKey::new("kid-1".to_owned(), b"a key of thirty-two bytes, or more");
    let account = reach.account(Some(&key)).await?;
    issued(&reach, &account, &["a.example.com"], ChallengeType::Http01).await?;
    Ok(())
}
