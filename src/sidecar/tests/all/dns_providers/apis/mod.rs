//! The APIs of hosters, as they document them: each checks who asks and keeps a zone.

mod cloudflare;
mod desec;
mod digitalocean;
mod gandi;
mod hetzner;
mod ovh;
mod route53;

use std::sync::{Arc, Mutex};

use dns01::provider::Provider;

use crate::dns_providers::harness::{APEX, FOREIGN, WILD, record};
use crate::dns_providers::http_server::{Reply, Seen};
use crate::dns_providers::stub::Stub;

pub(crate) use cloudflare::Cloudflare;
pub(crate) use desec::Desec;
pub(crate) use digitalocean::DigitalOcean;
pub(crate) use gandi::Gandi;
pub(crate) use hetzner::Hetzner;
pub(crate) use ovh::Ovh;
pub(crate) use route53::Route53;

/// A hoster's API.
pub(crate) trait Api: Send + 'static {
    const CODE: &'static str;
    /// The host of the API.
    const HOST: &'static str;
    /// The right credentials.
    const VARIABLES: &'static [(&'static str, &'static str)];

    /// Creates a zone with one foreign TXT value at the name.
    fn new() -> Self;

    /// True if the request has the right credentials.
    fn knows(&self, request: &Seen) -> bool;

    /// The answer to wrong credentials.
    fn refusal() -> Reply;

    /// Answers a request.
    fn answer(&mut self, request: &Seen) -> Reply;

    /// The texts at the name.
    fn values(&self) -> Vec<String>;
}

/// A stub that plays an API, and the API's zone.
pub(crate) async fn play<A: Api>() -> (Stub, Arc<Mutex<A>>) {
    play_after(|_| None).await
}

/// Like [`play`], but what `first` answers, it does not.
pub(crate) async fn play_after<A: Api>(
    mut first: impl FnMut(&Seen) -> Option<Reply> + Send + 'static,
) -> (Stub, Arc<Mutex<A>>) {
    let api = Arc::new(Mutex::new(A::new()));
    let kept = Arc::clone(&api);
    let stub = Stub::start(move |request| {
        assert_eq!(request.host, A::HOST);
        if let Some(reply) = first(request) {
            return reply;
        }
        let mut api = api.lock().unwrap();
        if api.knows(request) { api.answer(request) } else { A::refusal() }
    })
    .await;
    (stub, kept)
}

pub(crate) fn provider<A: Api>(stub: &Stub) -> Provider {
    stub.provider(A::CODE, A::VARIABLES)
}

/// Both values of a certificate for a domain and its wildcard come, stay and go, each by itself, beside somebody else's.
async fn values_come_and_go<A: Api>() {
    let (stub, api) = play::<A>().await;
    let provider = provider::<A>(&stub);
    let are = |expected: &[&str]| {
        let mut values = api.lock().unwrap().values();
        values.sort();
        let mut expected = expected.to_vec();
        expected.sort_unstable();
        assert_eq!(values, expected, "{:#?}", stub.seen());
    };
    provider.present(&record(APEX)).await.unwrap();
    are(&[FOREIGN, APEX]);
    provider.present(&record(WILD)).await.unwrap();
    are(&[FOREIGN, APEX, WILD]);
    provider.present(&record(APEX)).await.unwrap();
    are(&[FOREIGN, APEX, WILD]);
    provider.clean_up(&record(APEX)).await.unwrap();
    are(&[FOREIGN, WILD]);
    provider.clean_up(&record(APEX)).await.unwrap();
    are(&[FOREIGN, WILD]);
    provider.clean_up(&record(WILD)).await.unwrap();
    are(&[FOREIGN]);
}

#[tokio::test]
async fn values_come_and_go_at_cloudflare() {
    values_come_and_go::<Cloudflare>().await;
}

#[tokio::test]
async fn values_come_and_go_at_desec() {
    values_come_and_go::<Desec>().await;
}

#[tokio::test]
async fn values_come_and_go_at_digitalocean() {
    values_come_and_go::<DigitalOcean>().await;
}

#[tokio::test]
async fn values_come_and_go_at_gandi() {
    values_come_and_go::<Gandi>().await;
}

#[tokio::test]
async fn values_come_and_go_at_hetzner() {
    values_come_and_go::<Hetzner>().await;
}

#[tokio::test]
async fn values_come_and_go_at_ovh() {
    values_come_and_go::<Ovh>().await;
}

#[tokio::test]
async fn values_come_and_go_at_route_53() {
    values_come_and_go::<Route53>().await;
}
