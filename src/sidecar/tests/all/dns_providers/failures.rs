//! Failures of hosters' APIs.

use std::time::{Duration, Instant};

use crate::dns_providers::apis::{
    Api, Cloudflare, Desec, DigitalOcean, Gandi, Hetzner, Ovh, Route53, play, play_after, provider,
};
use crate::dns_providers::harness::{APEX, record, refusal};
use crate::dns_providers::http_server::Reply;
use crate::dns_providers::stub::Stub;

/// Checks that the error of wrong credentials says so, and shows none of them.
async fn wrong_credentials_are_refused<A: Api>(expected: &str, is_permanent: bool) {
    let (stub, api) = play::<A>().await;
    let before = api.lock().unwrap().values();
    let wrong: Vec<(&str, String)> =
        A::VARIABLES.iter().map(|(name, value)| (*name, format!("wrong{value}"))).collect();
    let pairs: Vec<(&str, &str)> = wrong.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let error = refusal(stub.provider(A::CODE, &pairs).present(&record(APEX)).await);
    let text = error.to_string();
    assert!(text.contains(expected), "{text}");
    assert_eq!(error.is_permanent(), is_permanent, "{text}");
    assert!(!text.contains('\n') && pairs.iter().all(|(_, value)| !text.contains(value)), "{text}");
    assert_eq!(api.lock().unwrap().values(), before);
}

#[tokio::test]
async fn wrong_credentials_are_named_by_their_variables() {
    wrong_credentials_are_refused::<Desec>("credentials in DESEC_TOKEN", true).await;
    wrong_credentials_are_refused::<DigitalOcean>("credentials in DO_AUTH_TOKEN", true).await;
    wrong_credentials_are_refused::<Gandi>("credentials in GANDIV5_PERSONAL_ACCESS_TOKEN", true).await;
    wrong_credentials_are_refused::<Hetzner>("credentials in HETZNER_API_TOKEN", true).await;
}

#[tokio::test]
async fn where_an_api_has_words_for_wrong_credentials_the_error_has_them() {
    wrong_credentials_are_refused::<Cloudflare>("Invalid access token", false).await;
    wrong_credentials_are_refused::<Ovh>("Zone example.com not found or not accessible", false).await;
    wrong_credentials_are_refused::<Route53>("SignatureDoesNotMatch", false).await;
}

/// Checks the wait after a temporary refusal of the first request.
async fn waits_as_asked<A: Api>() {
    let mut is_first = true;
    let (stub, api) = play_after::<A>(move |_| {
        let busy = Reply::new(429, "{}").with("retry-after", "1");
        std::mem::take(&mut is_first).then_some(busy)
    })
    .await;
    let start = Instant::now();
    provider::<A>(&stub).present(&record(APEX)).await.unwrap();
    assert!(start.elapsed() >= Duration::from_millis(200));
    assert!(api.lock().unwrap().values().iter().any(|value| value == APEX));
}

#[tokio::test]
async fn an_api_that_asks_for_a_moment_gets_it() {
    waits_as_asked::<Cloudflare>().await;
    waits_as_asked::<DigitalOcean>().await;
    waits_as_asked::<Hetzner>().await;
    waits_as_asked::<Route53>().await;
}

/// Checks the error of an API's failed answer.
async fn is_told<A: Api>(status: u16, expected: &str) {
    let (stub, _api) =
        play_after::<A>(move |_| Some(Reply::new(status, "<h1>maintenance</h1>\u{1b}[2J\r\nsoon"))).await;
    let error = refusal(provider::<A>(&stub).present(&record(APEX)).await);
    let text = error.to_string();
    assert!(!error.is_permanent() && text.contains(expected) && !text.contains('\u{1b}'), "{text}");
    assert!(!text.contains('\n') && text.contains(A::CODE), "{text}");
}

#[tokio::test]
async fn a_broken_api_is_an_error_that_may_pass() {
    is_told::<Cloudflare>(500, "HTTP 500: <h1>maintenance</h1>\\u{1b}").await;
    is_told::<Desec>(500, "HTTP 500").await;
    is_told::<DigitalOcean>(502, "HTTP 502").await;
    is_told::<Gandi>(503, "HTTP 503").await;
    is_told::<Gandi>(429, "HTTP 429").await;
    is_told::<Hetzner>(500, "HTTP 500").await;
    is_told::<Ovh>(500, "Zone example.com not found or not accessible").await;
    is_told::<Route53>(500, "500 Internal Server Error").await;
}

#[tokio::test]
async fn an_answer_without_end_costs_no_more_than_a_bound() {
    let (stub, _api) = play_after::<Cloudflare>(|_| Some(Reply::endless())).await;
    let pairs = [Cloudflare::VARIABLES, &[("CLOUDFLARE_HTTP_TIMEOUT", "120")]].concat();
    let provider = stub.provider("cloudflare", &pairs);
    let error = refusal(provider.present(&record(APEX)).await).to_string();
    assert!(error.contains("the answers take more than 512 MiB of memory"), "{error}");
}

#[tokio::test]
async fn a_server_that_says_nothing_costs_no_more_than_its_time() {
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let proxy = format!("http://{}", silent.local_addr().unwrap());
    let pairs =
        [Cloudflare::VARIABLES, &[("CF_HTTP_TIMEOUT", "1"), ("HTTPS_PROXY", &proxy), ("https_proxy", "")]].concat();
    let start = Instant::now();
    let error =
        refusal(crate::dns_providers::harness::find("cloudflare", &pairs).unwrap().present(&record(APEX)).await);
    assert!(start.elapsed() < Duration::from_secs(30), "{error}");
    assert!(!error.is_permanent() && error.to_string().contains("api.cloudflare.com"), "{error}");
}

#[tokio::test]
async fn a_credential_that_an_api_says_back_is_not_shown() {
    let token = Cloudflare::VARIABLES[0].1;
    let (stub, _api) = play_after::<Cloudflare>(move |_| Some(Reply::new(400, format!("bad token {token}")))).await;
    let text = refusal(provider::<Cloudflare>(&stub).present(&record(APEX)).await).to_string();
    assert!(text.contains("bad token …") && !text.contains(&token[..8]), "{text}");
}

#[tokio::test]
async fn a_server_with_a_certificate_of_nobodys_is_not_spoken_to() {
    let stub = Stub::start(|_| Reply::new(200, "{}")).await;
    let other = Stub::start(|_| Reply::new(200, "{}")).await;
    let proxy = stub.proxy_of(&other, "cloudflare", Cloudflare::VARIABLES);
    let error = refusal(proxy.present(&record(APEX)).await).to_string();
    assert!(error.contains("api.cloudflare.com") && stub.seen().is_empty() && other.seen().is_empty(), "{error}");
}
