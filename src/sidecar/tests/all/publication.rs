//! The chains that are accepted; a refused one never costs the previous certificate.

use crate::harness::{Answer, Client, Home, TestCa, id, order};
use protocol::{CertificateId, Csr, Published, StoredCertificate, problem};
use time::{Duration, OffsetDateTime};

/// An engine with a certificate published, and a second order under way.
struct Desk {
    _home: Home,
    _sidecar: sidecar::sidecar::Sidecar,
    engine: Client,
    ca: TestCa,
    id: CertificateId,
    before: StoredCertificate,
    csr: Csr,
}

impl Desk {
    async fn new() -> Self {
        let home = Home::new();
        let sidecar = home.start().await;
        let (engine, ca, id) = (home.engine().await, TestCa::new(), id(&["a.example", "b.example"]));
        let before = engine.issue(&ca, &id, &order(1)).await.certificate;
        engine.order(&id, &order(2)).await.no_content();
        let csr = engine.csr(&id, &order(2), "EC256").await.json();
        Self { _home: home, _sidecar: sidecar, engine, ca, id, before, csr }
    }

    async fn publish(&self, chain: &str) -> Answer {
        self.engine.publish(&self.id, &order(2), chain).await
    }

    /// Checks that the chain is refused with this reason, and everything is unchanged.
    async fn refuses(&self, chain: &str, reason: &str) {
        let problem = self.publish(chain).await.problem();
        assert_eq!((problem.status, problem.kind.as_str()), (422, problem::CERTIFICATE_REFUSED));
        assert!(problem.detail.contains(reason), "{problem}");
        let state = self.engine.state().await;
        assert_eq!(state.certificates, std::slice::from_ref(&self.before));
        assert_eq!(state.orders[0].url, order(2));
        let again: Csr = self.engine.csr(&self.id, &order(2), "EC256").await.json();
        assert_eq!(crate::harness::public_key_bytes(&again), crate::harness::public_key_bytes(&self.csr));
    }
}

#[tokio::test]
async fn a_renewed_certificate_takes_the_place_of_the_one_before() {
    let desk = Desk::new().await;
    let published: Published = desk.publish(&desk.ca.issue(&desk.csr, &desk.id)).await.json();
    assert_ne!(published.certificate.serial, desk.before.serial);
    assert_eq!(desk.engine.state().await.certificates, [published.certificate]);
}

#[tokio::test]
async fn the_same_publication_again_is_answered_the_same() {
    let desk = Desk::new().await;
    let chain = desk.ca.issue(&desk.csr, &desk.id);
    let first: Published = desk.publish(&chain).await.json();
    let again: Published = desk.publish(&chain).await.json();
    assert_eq!(first, again);
    desk.engine.order(&desk.id, &order(3)).await.no_content();
    assert_eq!(desk.publish(&chain).await.json::<Published>(), first);
    assert_eq!(desk.engine.state().await.orders[0].url, order(3));
}

#[tokio::test]
async fn a_chain_for_another_key_is_refused() {
    let desk = Desk::new().await;
    let (chain, _) = desk.ca.pair(&desk.id, 90);
    desk.refuses(&chain, "not the one of the certificate").await;
}

#[tokio::test]
async fn a_chain_without_one_of_the_names_is_refused() {
    let desk = Desk::new().await;
    let chain = desk.ca.issue(&desk.csr, &id(&["a.example"]));
    desk.refuses(&chain, "does not cover b.example").await;
}

#[tokio::test]
async fn an_expired_chain_is_refused() {
    let desk = Desk::new().await;
    let yesterday = OffsetDateTime::now_utc() - Duration::days(1);
    let chain = desk.ca.issue_with(&desk.csr, &desk.id, |params| {
        params.not_before = yesterday - Duration::days(90);
        params.not_after = yesterday;
    });
    desk.refuses(&chain, "expired").await;
}

#[tokio::test]
async fn a_chain_that_is_not_valid_yet_is_refused() {
    let desk = Desk::new().await;
    let tomorrow = OffsetDateTime::now_utc() + Duration::days(1);
    let chain = desk.ca.issue_with(&desk.csr, &desk.id, |params| params.not_before = tomorrow);
    desk.refuses(&chain, "is not valid before").await;
}

#[tokio::test]
async fn a_chain_with_a_stranger_as_issuer_is_refused() {
    let desk = Desk::new().await;
    let chain = desk.ca.issue(&desk.csr, &desk.id);
    let leaf = chain.strip_suffix(&desk.ca.pem).unwrap();
    let stranger = TestCa::new().pem;
    desk.refuses(&format!("{leaf}{stranger}"), "did not sign it").await;
}

#[tokio::test]
async fn what_is_no_chain_is_refused() {
    let desk = Desk::new().await;
    desk.refuses("", "no certificate").await;
    desk.refuses("<html>502 Bad Gateway</html>", "no certificate").await;
    let chain = desk.ca.issue(&desk.csr, &desk.id);
    desk.refuses(&chain[..chain.len() / 3], "can't be read").await;
    desk.refuses(&format!("{chain}{}", desk.ca.pem.repeat(9)), "11 certificates").await;
}

#[tokio::test]
async fn a_chain_for_an_order_without_a_key_is_refused() {
    let desk = Desk::new().await;
    let chain = desk.ca.issue(&desk.csr, &desk.id);
    let problem = desk.engine.publish(&desk.id, &order(9), &chain).await.problem();
    assert_eq!(problem.kind, problem::CERTIFICATE_REFUSED);
    assert!(problem.detail.contains("no key is kept for the order"), "{problem}");
}

#[tokio::test]
async fn the_order_of_the_names_does_not_make_another_certificate() {
    let desk = Desk::new().await;
    let turned = id(&["b.example", "a.example"]);
    let csr: Csr = desk.engine.csr(&turned, &order(2), "EC256").await.json();
    assert_eq!(crate::harness::public_key_bytes(&csr), crate::harness::public_key_bytes(&desk.csr));
    let published = desk.engine.publish(&turned, &order(2), &desk.ca.issue(&csr, &turned)).await;
    assert_eq!(desk.engine.state().await.certificates, [published.json::<Published>().certificate]);
}
