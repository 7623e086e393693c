//! A certificate on its CA's revocation list is replaced; an invalid list changes nothing.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use crate::harness::{Client, Home, TestCa, id, order};
use protocol::{Csr, Published};
use rcgen::{CrlDistributionPoint, KeyPair, PKCS_ECDSA_P521_SHA512, SerialNumber};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

const NAME: &str = "a.example";
const SERIAL: u64 = 0xab01;

/// A server of one list.
struct Server {
    url: String,
    list: Arc<Mutex<Vec<u8>>>,
    requests: Arc<AtomicUsize>,
}

impl Server {
    async fn start(list: Vec<u8>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/1.crl", listener.local_addr().unwrap());
        let server = Self { url, list: Arc::new(Mutex::new(list)), requests: Arc::default() };
        let (list, requests) = (server.list.clone(), server.requests.clone());
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                requests.fetch_add(1, Ordering::Relaxed);
                let body = list.lock().unwrap().clone();
                let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
                let mut request = [0; 1024];
                // A client that went is no concern of the test's.
                let _ = stream.read(&mut request).await;
                let _ = stream.write_all(&[head.as_bytes(), &body].concat()).await;
            }
        });
        server
    }

    /// A certificate that names the list.
    async fn certificate(&self, engine: &Client, ca: &TestCa, number: u64, serial: u64) -> String {
        let (id, order) = (id(&[NAME]), order(number));
        engine.order(&id, &order).await.no_content();
        let csr: Csr = engine.csr(&id, &order, "EC256").await.json();
        let chain = ca.issue_with(&csr, &id, |params| {
            params.crl_distribution_points = vec![CrlDistributionPoint { uris: vec![self.url.clone()] }];
            params.serial_number = Some(SerialNumber::from(serial));
        });
        let published: Published = engine.publish(&id, &order, &chain).await.json();
        published.certificate.serial
    }
}

#[tokio::test]
async fn a_certificate_that_its_ca_revoked_is_to_be_replaced_until_it_is() {
    let (home, ca) = (Home::new(), TestCa::new());
    let server = Server::start(ca.revocation_list(&[7, SERIAL], 7)).await;
    let _sidecar = home.start_with(&["--crl-allow-private"]).await.unwrap();
    let engine = home.engine().await;
    let serial = server.certificate(&engine, &ca, 1, SERIAL).await;
    engine.replaced_until(&[&serial]).await;
    let status = engine.status().await;
    let told = &status["certificates"]["revoked"][0];
    assert_eq!((&told["serial"], &told["names"][0]), (&serial.into(), &NAME.into()));
    let reason = told["reason"].as_str().unwrap();
    assert!(reason.contains("its CA revoked it on") && reason.contains("KeyCompromise"), "{reason}");
    assert_eq!(status["revocationLists"]["read"], 1);
    let metrics = String::from_utf8(engine.get("/metrics").await.body.to_vec()).unwrap();
    assert!(metrics.contains("envoy_autocert_certificates_revoked 1"), "{metrics}");

    server.certificate(&engine, &ca, 2, SERIAL + 1).await;
    engine.replaced_until(&[]).await;
    assert_eq!(engine.status().await["certificates"]["counts"]["revoked"], 0);
    assert_eq!(server.requests.load(Ordering::Relaxed), 1, "the list is good for days");
}

/// F2: with SHA-512, as some CAs sign by default.
#[tokio::test]
async fn a_list_that_a_key_of_521_bits_signed_revokes() {
    let (home, ca) = (Home::new(), TestCa::with_key("CA", KeyPair::generate_for(&PKCS_ECDSA_P521_SHA512).unwrap()));
    let server = Server::start(ca.revocation_list(&[SERIAL], 7)).await;
    let _sidecar = home.start_with(&["--crl-allow-private"]).await.unwrap();
    let engine = home.engine().await;
    let serial = server.certificate(&engine, &ca, 1, SERIAL).await;
    engine.replaced_until(&[&serial]).await;
}

/// Returns the reason why a list is ignored.
async fn failing(list: impl Fn(&TestCa) -> Vec<u8>) -> String {
    let (home, ca) = (Home::new(), TestCa::new());
    let server = Server::start(list(&ca)).await;
    let _sidecar = home.start_with(&["--crl-allow-private"]).await.unwrap();
    let engine = home.engine().await;
    server.certificate(&engine, &ca, 1, SERIAL).await;
    let status = engine.status_until(|status| status["revocationLists"]["failed"] == 1).await;
    assert_eq!(status["certificates"]["counts"]["revoked"], 0);
    engine.replaced_until(&[]).await;
    status["revocationLists"]["failing"][&server.url].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_list_that_another_key_signed_says_nothing() {
    let why = failing(|_| TestCa::new().revocation_list(&[SERIAL], 7)).await;
    assert!(why.contains("did not sign it"), "{why}");
}

/// Fail closed: an unverified list could come from anyone, who could have certificates replaced without end.
#[tokio::test]
async fn a_list_whose_signature_can_not_be_checked_says_nothing_and_is_told() {
    const SHA256: [u8; 10] = [6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2];
    let by_sha224 = |ca: &TestCa| {
        let mut list = ca.revocation_list(&[SERIAL], 7);
        let ends: Vec<usize> = (9..list.len()).filter(|end| list[end - 9..=*end] == SHA256).collect();
        assert_eq!(ends.len(), 2);
        ends.iter().for_each(|end| list[*end] = 1);
        list
    };
    let why = failing(by_sha224).await;
    assert!(why.contains("ecdsa-with-SHA224") && why.contains("can't be checked here"), "{why}");
}

#[tokio::test]
async fn another_cas_list_says_nothing() {
    let why = failing(|_| TestCa::named("Other CA").revocation_list(&[SERIAL], 7)).await;
    assert!(why.contains("another CA's list"), "{why}");
}

#[tokio::test]
async fn a_list_whose_time_is_over_says_nothing() {
    let why = failing(|ca| ca.revocation_list(&[SERIAL], -1)).await;
    assert!(why.contains("not of now"), "{why}");
}

#[tokio::test]
async fn what_is_no_list_says_nothing() {
    let why = failing(|_| b"<html>Not here</html>".to_vec()).await;
    assert!(why.contains("can't be read"), "{why}");
}

/// A CA's URL must not make the sidecar probe internal addresses.
#[tokio::test]
async fn an_address_inside_is_not_asked() {
    let (home, ca) = (Home::new(), TestCa::new());
    let server = Server::start(ca.revocation_list(&[SERIAL], 7)).await;
    let _sidecar = home.start().await;
    let engine = home.engine().await;
    server.certificate(&engine, &ca, 1, SERIAL).await;
    let status = engine.status_until(|status| status["revocationLists"]["failed"] == 1).await;
    let why = status["revocationLists"]["failing"][&server.url].as_str().unwrap();
    assert!(why.contains("not public"), "{why}");
    assert_eq!(server.requests.load(Ordering::Relaxed), 0);
}
