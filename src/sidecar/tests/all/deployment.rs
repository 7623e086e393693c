//! A new certificate that an Envoy rejects, or that visitors don't get, is rolled back.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::harness::{Client, Home, TestCa, id, order};
use envoy_types::pb::envoy::config::core::v3::data_source::Specifier;
use envoy_types::pb::envoy::config::core::v3::{DataSource, Node};
use envoy_types::pb::envoy::extensions::transport_sockets::tls::v3::{Secret, secret};
use envoy_types::pb::envoy::service::discovery::v3::{DeltaDiscoveryRequest, DeltaDiscoveryResponse};
use envoy_types::pb::envoy::service::secret::v3::secret_discovery_service_client::SecretDiscoveryServiceClient;
use envoy_types::pb::google::rpc;
use prost::Message;
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use sds::{TOKEN_HEADER, TYPE_URL};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;
use tonic::transport::Endpoint;

const NAME: &str = "a.example";
/// Long enough for a slow machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// An Envoy that has subscribed to [`NAME`].
struct Envoy {
    requests: mpsc::Sender<DeltaDiscoveryRequest>,
    responses: Streaming<DeltaDiscoveryResponse>,
}

/// A response of the SDS server.
struct Sent {
    nonce: String,
    chain: String,
    key: String,
}

impl Envoy {
    async fn connect(home: &Home) -> Self {
        let uri = format!("unix:{}", home.path("run/sds.sock").display());
        let channel = Endpoint::try_from(uri).unwrap().connect().await.unwrap();
        let (requests, stream) = mpsc::channel(16);
        let mut client = SecretDiscoveryServiceClient::new(channel);
        let mut request = tonic::Request::new(ReceiverStream::new(stream));
        let token = crate::harness::token(&home.path("acme.json.sds-token")).unwrap();
        request.metadata_mut().insert(TOKEN_HEADER, token.parse().unwrap());
        let responses = client.delta_secrets(request).await.unwrap().into_inner();
        let envoy = Self { requests, responses };
        let node = Some(Node { id: "envoy".into(), ..Node::default() });
        envoy
            .send(DeltaDiscoveryRequest { node, resource_names_subscribe: vec![NAME.into()], ..Default::default() })
            .await;
        envoy
    }

    async fn send(&self, request: DeltaDiscoveryRequest) {
        self.requests.send(DeltaDiscoveryRequest { type_url: TYPE_URL.into(), ..request }).await.unwrap();
    }

    async fn next(&mut self) -> Sent {
        let response = tokio::time::timeout(PATIENCE, self.responses.message()).await.unwrap().unwrap().unwrap();
        let resource = response.resources[0].resource.as_ref().unwrap();
        let Some(secret::Type::TlsCertificate(pair)) = Secret::decode(resource.value.as_slice()).unwrap().r#type else {
            panic!("not a certificate")
        };
        let pem = |source: Option<DataSource>| match source.unwrap().specifier {
            Some(Specifier::InlineBytes(bytes)) => String::from_utf8(bytes).unwrap(),
            _ => panic!("not inline"),
        };
        Sent { nonce: response.nonce, chain: pem(pair.certificate_chain), key: pem(pair.private_key) }
    }

    async fn accept(&self, sent: &Sent) {
        self.send(DeltaDiscoveryRequest { response_nonce: sent.nonce.clone(), ..Default::default() }).await;
    }

    async fn reject(&self, sent: &Sent, why: &str) {
        let error_detail = Some(rpc::Status { message: why.into(), ..rpc::Status::default() });
        self.send(DeltaDiscoveryRequest { response_nonce: sent.nonce.clone(), error_detail, ..Default::default() })
            .await;
    }
}

async fn accepted(engine: &Client, count: u64) {
    engine.status_until(|status| status["deployments"]["accepted"] == count).await;
}

fn metrics(answer: &crate::harness::Answer) -> String {
    String::from_utf8(answer.body.to_vec()).unwrap()
}

#[tokio::test]
async fn a_certificate_that_an_envoy_rejects_is_rolled_back_until_another_comes() {
    let (home, ca) = (Home::new(), TestCa::new());
    let sidecar = home.start().await;
    let engine = home.engine().await;
    engine.issue(&ca, &id(&[NAME]), &order(1)).await;
    let mut envoy = Envoy::connect(&home).await;
    let first = envoy.next().await;
    envoy.accept(&first).await;
    accepted(&engine, 1).await;

    let bad = engine.issue(&ca, &id(&[NAME]), &order(2)).await.certificate.serial;
    let second = envoy.next().await;
    assert_ne!(second.chain, first.chain);
    envoy.reject(&second, "no such\nkey").await;
    let again = envoy.next().await;
    assert_eq!(again.chain, first.chain, "the last good one");
    envoy.accept(&again).await;
    let status = engine.status_until(|status| status["certificates"]["counts"]["rolledBack"] == 1).await;
    let told = &status["certificates"]["rolledBack"][0];
    assert_eq!((&told["serial"], &told["names"][0]), (&serde_json::json!(bad), &serde_json::json!(NAME)));
    assert_eq!(told["reason"], "Envoy envoy rejected it: no such\\nkey");
    assert_eq!(status["envoys"][0]["lastRejection"]["error"], "no such\\nkey");
    assert!(metrics(&engine.get("/metrics").await).contains("envoy_autocert_certificates_rolled_back 1"));
    assert_eq!(engine.get("/readyz").await.status, 200, "the others are served");
    engine.replaced_until(&[&bad]).await;

    // As it is on disk, which happens within a second.
    let kept = home.path("acme.json.last-good");
    let is_kept = || std::fs::read_to_string(&kept).is_ok_and(|text| text.contains("rejected it"));
    while !is_kept() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    drop(envoy);
    sidecar.stop().await.unwrap();
    let _sidecar = home.start().await;
    let engine = home.engine().await;
    let mut envoy = Envoy::connect(&home).await;
    let after = envoy.next().await;
    assert_eq!(after.chain, first.chain, "a restart does not bring the bad one back");
    envoy.accept(&after).await;
    engine.replaced_until(&[&bad]).await;

    engine.issue(&ca, &id(&[NAME]), &order(3)).await;
    let third = envoy.next().await;
    assert!(third.chain != first.chain && third.chain != second.chain);
    envoy.accept(&third).await;
    engine.status_until(|status| status["certificates"]["counts"]["rolledBack"] == 0).await;
    engine.replaced_until(&[]).await;
}

/// A listener that shows the given certificate, as an Envoy that takes a new certificate and does not use it.
struct Visited {
    address: std::net::SocketAddr,
    shown: Arc<Mutex<Arc<ServerConfig>>>,
}

fn config(sent: &Sent) -> Arc<ServerConfig> {
    let chain = CertificateDer::pem_slice_iter(sent.chain.as_bytes()).collect::<Result<Vec<_>, _>>().unwrap();
    let key = PrivateKeyDer::from_pem_slice(sent.key.as_bytes()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
    let config = config.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
    Arc::new(config.with_single_cert(chain, key).unwrap())
}

impl Visited {
    async fn bind() -> (TcpListener, String) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        (listener, address)
    }

    fn showing(listener: TcpListener, sent: &Sent) -> Self {
        let (address, shown) = (listener.local_addr().unwrap(), Arc::new(Mutex::new(config(sent))));
        let current = shown.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let config = current.lock().unwrap().clone();
                tokio::spawn(async move { drop(TlsAcceptor::from(config).accept(stream).await) });
            }
        });
        Self { address, shown }
    }

    fn show(&self, sent: &Sent) {
        *self.shown.lock().unwrap() = config(sent);
    }
}

#[tokio::test]
async fn a_certificate_that_visitors_do_not_get_is_rolled_back_and_one_that_they_get_is_not() {
    let (home, ca) = (Home::new(), TestCa::new());
    let (listener, address) = Visited::bind().await;
    let _sidecar = home.start_with(&["--verify-address", &address]).await.unwrap();
    let engine = home.engine().await;
    engine.issue(&ca, &id(&[NAME]), &order(1)).await;
    let mut envoy = Envoy::connect(&home).await;
    let first = envoy.next().await;
    let visited = Visited::showing(listener, &first);
    envoy.accept(&first).await;
    engine.status_until(|status| status["deployments"]["served"] == 1).await;

    let bad = engine.issue(&ca, &id(&[NAME]), &order(2)).await.certificate.serial;
    let second = envoy.next().await;
    envoy.accept(&second).await;
    let again = envoy.next().await;
    assert_eq!(again.chain, first.chain, "the last good one");
    envoy.accept(&again).await;
    let status = engine.status_until(|status| status["deployments"]["unserved"] == 1).await;
    let reason = status["certificates"]["rolledBack"][0]["reason"].as_str().unwrap();
    let expected = format!("it is not served for {NAME} after 20 s: {} still shows the one before", visited.address);
    assert_eq!(reason, expected);
    engine.replaced_until(&[&bad]).await;

    engine.issue(&ca, &id(&[NAME]), &order(3)).await;
    let third = envoy.next().await;
    envoy.accept(&third).await;
    visited.show(&third);
    let status = engine.status_until(|status| status["deployments"]["served"] == 2).await;
    assert_eq!(status["certificates"]["counts"]["rolledBack"], 0);
}

#[tokio::test]
async fn an_address_that_nothing_answers_at_proves_nothing() {
    let (home, ca) = (Home::new(), TestCa::new());
    let (listener, address) = Visited::bind().await;
    drop(listener);
    let _sidecar = home.start_with(&["--verify-address", &address]).await.unwrap();
    let engine = home.engine().await;
    engine.issue(&ca, &id(&[NAME]), &order(1)).await;
    let mut envoy = Envoy::connect(&home).await;
    let first = envoy.next().await;
    envoy.accept(&first).await;
    let status = engine.status_until(|status| status["deployments"]["unverifiable"] == 1).await;
    assert_eq!(status["certificates"]["counts"]["rolledBack"], 0);
}
