//! The server as a gRPC client sees it, over a unix socket.

#![allow(clippy::panic, clippy::unwrap_used)]

use std::collections::HashSet;
use std::time::Duration;

use envoy_types::pb::envoy::config::core::v3::Node;
use envoy_types::pb::envoy::config::core::v3::data_source::Specifier;
use envoy_types::pb::envoy::extensions::transport_sockets::tls::v3 as pb;
use envoy_types::pb::envoy::service::discovery::v3::aggregated_discovery_service_client::AggregatedDiscoveryServiceClient;
use envoy_types::pb::envoy::service::discovery::v3::{
    DeltaDiscoveryRequest, DeltaDiscoveryResponse, DiscoveryRequest, DiscoveryResponse,
};
use envoy_types::pb::envoy::service::secret::v3::secret_discovery_service_client::SecretDiscoveryServiceClient;
use envoy_types::pb::google::protobuf::Any;
use envoy_types::pb::google::rpc;
use prost::Message;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixListener;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio_stream::wrappers::{ReceiverStream, UnixListenerStream};
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Streaming};

use super::session::Service;
use super::*;
use crate::catalog::{Catalog, DefaultCertificate};
use crate::tokens::{Followed, Kind, TokenFile, Tokens};
use base::clock::Clock;
use pki::Pair;
use pki::secret::Secret;

/// Long enough for a slow machine; nothing waits for it when all is well.
const PATIENCE: Duration = Duration::from_secs(30);
const FOREVER: i64 = 9_000_000_000;
const TOKEN: &str = "0123456789abcdef-token";

struct Harness {
    directory: TempDir,
    catalog: Arc<Catalog>,
    challenges: Arc<Catalog>,
    status: Arc<Status>,
    stop: Option<oneshot::Sender<()>>,
    server: JoinHandle<Result<(), tonic::transport::Error>>,
}

impl Harness {
    fn start(default: DefaultCertificate) -> Self {
        Self::guarded(default, Admission::Anyone)
    }

    fn guarded(default: DefaultCertificate, admission: Admission) -> Self {
        let directory = TempDir::new().unwrap();
        let listener = UnixListener::bind(directory.path().join("sds.sock")).unwrap();
        let catalog = Arc::new(Catalog::new(default));
        let challenges = Arc::new(Catalog::new(DefaultCertificate::None));
        let catalogs = Catalogs { ordinary: catalog.clone(), tls_alpn01: challenges.clone() };
        let status = Arc::<Status>::default();
        let (stop, stopped) = oneshot::channel::<()>();
        let connections = UnixListenerStream::new(listener);
        let server =
            serve(connections, admission, catalogs, Clock::system(), status.clone(), async { drop(stopped.await) });
        let server = tokio::spawn(server);
        Self { directory, catalog, challenges, status, stop: Some(stop), server }
    }

    async fn channel(&self) -> Channel {
        let uri = format!("unix:{}", self.directory.path().join("sds.sock").display());
        Endpoint::try_from(uri).unwrap().connect().await.unwrap()
    }

    fn put(&self, name: &str, version: &str) {
        self.put_until(name, version, FOREVER);
    }

    fn put_until(&self, name: &str, version: &str, not_after: i64) {
        let id = protocol::CertificateId { resolver: "le".to_owned(), names: vec![name.to_owned()] };
        self.catalog.put_acme(&id, Some(pair(name, version, not_after)));
    }

    async fn delta(&self, scope: Option<&'static str>) -> Delta {
        let metadata: Vec<_> = scope.into_iter().map(|scope| (SCOPE_HEADER, scope)).collect();
        self.try_delta(&metadata).await.unwrap()
    }

    async fn try_delta(&self, metadata: &[(&'static str, &str)]) -> Result<Delta, tonic::Status> {
        let (requests, stream) = mpsc::channel(16);
        let mut request = Request::new(ReceiverStream::new(stream));
        for (key, value) in metadata {
            request.metadata_mut().insert(*key, value.parse().unwrap());
        }
        let mut client = SecretDiscoveryServiceClient::new(self.channel().await);
        let responses = client.delta_secrets(request).await?.into_inner();
        Ok(Delta { requests, responses })
    }

    /// A stream of the state of the world that has asked for these names.
    async fn sotw(&self, service: Service, names: &[&str]) -> Streaming<DiscoveryResponse> {
        let resource_names = names.iter().map(|name| (*name).to_owned()).collect();
        let first = DiscoveryRequest { type_url: TYPE_URL.to_owned(), resource_names, ..Default::default() };
        let requests = tokio_stream::once(first).chain(tokio_stream::pending());
        let channel = self.channel().await;
        let responses = match service {
            Service::Secrets => SecretDiscoveryServiceClient::new(channel).stream_secrets(requests).await,
            Service::Aggregated => {
                AggregatedDiscoveryServiceClient::new(channel).stream_aggregated_resources(requests).await
            }
        };
        responses.unwrap().into_inner()
    }

    /// Waits until the status is as wanted.
    async fn until(&self, wanted: impl Fn(&Snapshot) -> bool) {
        let poll = async {
            while !wanted(&self.status.snapshot()) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let waited = tokio::time::timeout(PATIENCE, poll).await;
        assert!(waited.is_ok(), "{:?}", self.status.snapshot());
    }
}

fn pair(name: &str, version: &str, not_after: i64) -> Arc<Pair> {
    Arc::new(Pair {
        is_of_test_system: false,
        chain: Vec::new(),
        chain_pem: version.to_owned(),
        key_pem: String::new(),
        names: vec![name.to_owned()],
        not_before: 0,
        not_after,
        version: version.to_owned(),
    })
}

fn default() -> DefaultCertificate {
    DefaultCertificate::Pair(pair("", "default", FOREVER))
}

/// A secret of the state of the world: `name=version`.
fn content(secret: &Any) -> String {
    let decoded = pb::Secret::decode(secret.value.as_slice()).unwrap();
    let Some(pb::secret::Type::TlsCertificate(certificate)) = decoded.r#type else { panic!("not a certificate") };
    let Some(Specifier::InlineBytes(chain)) = certificate.certificate_chain.unwrap().specifier else {
        panic!("not inline")
    };
    format!("{}={}", decoded.name, String::from_utf8(chain).unwrap())
}

/// A client's end of a delta stream.
struct Delta {
    requests: mpsc::Sender<DeltaDiscoveryRequest>,
    responses: Streaming<DeltaDiscoveryResponse>,
}

impl Delta {
    async fn send(&self, request: DeltaDiscoveryRequest) {
        self.requests.send(DeltaDiscoveryRequest { type_url: TYPE_URL.to_owned(), ..request }).await.unwrap();
    }

    async fn subscribe(&self, node: &str, name: &str) {
        let node = Some(Node { id: node.to_owned(), ..Node::default() });
        let resource_names_subscribe = vec![name.to_owned()];
        self.send(DeltaDiscoveryRequest { node, resource_names_subscribe, ..Default::default() }).await;
    }

    async fn settle(&self, nonce: &str, error: Option<&str>) {
        let error_detail = error.map(|message| rpc::Status { message: message.to_owned(), ..rpc::Status::default() });
        self.send(DeltaDiscoveryRequest { response_nonce: nonce.to_owned(), error_detail, ..Default::default() }).await;
    }

    async fn next(&mut self) -> Option<Result<DeltaDiscoveryResponse, tonic::Status>> {
        tokio::time::timeout(PATIENCE, self.responses.message()).await.unwrap().transpose()
    }

    async fn response(&mut self) -> DeltaDiscoveryResponse {
        self.next().await.unwrap().unwrap()
    }

    /// The next response's contents: `name=version`, or `name=gone`.
    async fn contents(&mut self) -> Vec<String> {
        let response = self.response().await;
        let gone = response.removed_resources.iter().map(|name| format!("{name}=gone"));
        let present = response.resources.iter().map(|resource| format!("{}={}", resource.name, resource.version));
        gone.chain(present).collect()
    }

    async fn failure(&mut self) -> tonic::Status {
        self.next().await.unwrap().unwrap_err()
    }
}

#[tokio::test]
async fn a_listener_gets_the_default_at_once_and_the_real_certificate_when_it_comes() {
    let harness = Harness::start(default());
    let mut stream = harness.delta(None).await;
    stream.subscribe("envoy", "a.test").await;
    assert_eq!(stream.contents().await, ["a.test=default"]);
    harness.put("a.test", "1");
    assert_eq!(stream.contents().await, ["a.test=1"]);
}

#[tokio::test]
async fn every_client_gets_a_change() {
    let harness = Harness::start(default());
    let mut streams = Vec::new();
    for node in ["one", "two", "three"] {
        let mut stream = harness.delta(None).await;
        stream.subscribe(node, "a.test").await;
        assert_eq!(stream.contents().await, ["a.test=default"]);
        streams.push(stream);
    }
    harness.put("a.test", "1");
    for stream in &mut streams {
        assert_eq!(stream.contents().await, ["a.test=1"]);
    }
}

#[tokio::test]
async fn the_end_of_validity_is_pushed_by_itself() {
    let harness = Harness::start(DefaultCertificate::None);
    harness.put_until("*.test", "long", FOREVER);
    harness.put_until("a.test", "short", Clock::system().now_seconds() + 1);
    let mut stream = harness.delta(None).await;
    stream.subscribe("envoy", "a.test").await;
    assert_eq!(stream.contents().await, ["a.test=short"]);
    assert_eq!(stream.contents().await, ["a.test=long"]);
}

#[tokio::test]
async fn a_reader_that_was_slow_gets_few_responses_and_the_newest_content() {
    let harness = Harness::start(DefaultCertificate::None);
    let name = "a.test";
    // Large enough to fill what the connection buffers for a stream.
    let content = |number: usize| format!("{number:0>60000}");
    harness.put(name, &content(0));
    let mut stream = harness.delta(None).await;
    stream.subscribe("envoy", name).await;
    harness.until(|status| status.pushes == 1).await;
    for number in 1..=1000 {
        harness.put(name, &content(number));
        tokio::task::yield_now().await;
    }
    let mut read = 0;
    loop {
        read += 1;
        if stream.response().await.resources[0].version == content(1000) {
            break;
        }
    }
    assert!(read < 100, "{read} responses were kept for a client that did not read");
}

#[tokio::test]
async fn the_challenge_scope_never_gives_an_ordinary_certificate() {
    let harness = Harness::start(default());
    harness.put("a.test", "1");
    let mut stream = harness.delta(Some("tls-alpn-01")).await;
    stream.subscribe("envoy", "a.test").await;
    assert_eq!(stream.contents().await, ["a.test=gone"]);
}

#[tokio::test]
async fn a_challenge_is_served_in_its_scope_alone_and_only_while_it_is_live() {
    let harness = Harness::start(default());
    let id = protocol::CertificateId { resolver: String::new(), names: vec!["a.test".to_owned()] };
    let mut stream = harness.delta(Some("tls-alpn-01")).await;
    stream.subscribe("envoy", "a.test").await;
    assert_eq!(stream.contents().await, ["a.test=gone"]);
    harness.challenges.put_acme(&id, Some(pair("a.test", "1", FOREVER)));
    assert_eq!(stream.contents().await, ["a.test=1"]);
    let mut visitor = harness.delta(None).await;
    visitor.subscribe("envoy", "a.test").await;
    assert_eq!(visitor.contents().await, ["a.test=default"]);
    harness.challenges.put_acme(&id, None);
    assert_eq!(stream.contents().await, ["a.test=gone"]);
    harness.challenges.put_acme(&id, Some(pair("a.test", "2", Clock::system().now_seconds() + 1)));
    assert_eq!(stream.contents().await, ["a.test=2"]);
    assert_eq!(stream.contents().await, ["a.test=gone"], "its time is over");
}

#[tokio::test]
async fn an_unknown_scope_is_refused() {
    let harness = Harness::start(default());
    let refused = harness.try_delta(&[(SCOPE_HEADER, "TLS-ALPN-01")]).await.err().unwrap();
    assert_eq!(refused.code(), Code::InvalidArgument);
}

#[tokio::test]
async fn another_type_ends_an_sds_stream_with_a_clear_status() {
    let harness = Harness::start(default());
    let mut stream = harness.delta(None).await;
    let type_url = "type.googleapis.com/envoy.config.cluster.v3.Cluster".to_owned();
    stream.requests.send(DeltaDiscoveryRequest { type_url, ..Default::default() }).await.unwrap();
    let failure = stream.failure().await;
    assert_eq!(failure.code(), Code::InvalidArgument);
    assert!(failure.message().contains("envoy.config.cluster.v3.Cluster"), "{}", failure.message());
}

#[tokio::test]
async fn ads_leaves_other_types_unanswered_and_continues() {
    let harness = Harness::start(default());
    let (requests, stream) = mpsc::channel(16);
    let mut client = AggregatedDiscoveryServiceClient::new(harness.channel().await);
    let responses = client.stream_aggregated_resources(ReceiverStream::new(stream)).await.unwrap();
    let mut responses = responses.into_inner();
    for type_url in ["type.googleapis.com/envoy.config.cluster.v3.Cluster", TYPE_URL] {
        let resource_names = vec!["a.test".to_owned()];
        let request = DiscoveryRequest { type_url: type_url.to_owned(), resource_names, ..Default::default() };
        requests.send(request).await.unwrap();
    }
    let response: DiscoveryResponse = responses.message().await.unwrap().unwrap();
    assert_eq!((response.type_url.as_str(), response.resources.len()), (TYPE_URL, 1));
}

/// Istio's names (F6): whichever protocol they come by, the answer bears the very name that was asked for.
#[tokio::test]
async fn a_secret_is_answered_by_the_name_that_a_control_plane_gives_it() {
    let harness = Harness::start(default());
    harness.put("a.test", "1");
    let names =
        ["a.test", "sds://A.test", "kubernetes://a.test", "kubernetes://ns/a.test", "kubernetes-gateway://ns/a.test"];
    let mut delta = harness.delta(None).await;
    for name in names {
        delta.subscribe("envoy", name).await;
        assert_eq!(delta.contents().await, [format!("{name}=1")]);
    }
    harness.put("a.test", "2");
    let mut contents = delta.contents().await;
    contents.sort_unstable();
    let mut expected = names.map(|name| format!("{name}=2"));
    expected.sort_unstable();
    assert_eq!(contents, expected, "every spelling is told of a change");

    for service in [Service::Secrets, Service::Aggregated] {
        let mut responses = harness.sotw(service, &names).await;
        let response = responses.message().await.unwrap().unwrap();
        let mut contents: Vec<String> = response.resources.iter().map(content).collect();
        contents.sort_unstable();
        assert_eq!(contents, expected);
    }
}

/// Anything may be meant by it. An Envoy that asks for CA certificates and gets a certificate with a key verifies
/// nobody.
#[tokio::test]
async fn what_is_no_name_and_ca_certificates_get_nothing_not_even_the_default_certificate() {
    let harness = Harness::start(default());
    harness.put("a.test", "1");
    let names =
        ["ns/a.test", "sds://ns/a.test", "builtin://", "../x", "a.test-cacert", "sds://a.test-cacert", "ROOTCA"];
    let mut delta = harness.delta(None).await;
    for name in names {
        delta.subscribe("envoy", name).await;
        assert_eq!(delta.contents().await, [format!("{name}=gone")]);
    }
    harness.catalog.replace_default(DefaultCertificate::Pair(pair("", "other", FOREVER)));
    delta.subscribe("envoy", "b.test").await;
    assert_eq!(delta.contents().await, ["b.test=other"], "a change of the default certificate is none of theirs");

    for service in [Service::Secrets, Service::Aggregated] {
        let mut responses = harness.sotw(service, &[&names[..], &["a.test"]].concat()).await;
        let response = responses.message().await.unwrap().unwrap();
        assert_eq!(response.resources.iter().map(content).collect::<Vec<_>>(), ["a.test=1"]);
    }
}

/// F7: as gRPC's C-core writes it, byte for byte, and a second request that refers to what the first one said.
#[tokio::test]
async fn a_client_that_sends_the_sockets_path_as_the_authority_is_answered() {
    const PATH: &str = "/envoy.service.secret.v3.SecretDiscoveryService/StreamSecrets";
    let harness = Harness::start(default());
    let frame = |kind: u8, flags: u8, stream: u8, payload: &[u8]| {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        [&length[1..], &[kind, flags, 0, 0, 0, stream], payload].concat()
    };
    let text = |text: &str| [&[u8::try_from(text.len()).unwrap()], text.as_bytes()].concat();
    let field = |name: &str, value: &str| [&[0x40][..], &text(name), &text(value)].concat();
    let first = [
        field(":authority", "run%2Fenvoy-autocert%2Fsds.sock"),
        field(":path", PATH),
        field("content-type", "application/grpc"),
        field("te", "trailers"),
    ];
    let first = [&[0x83, 0x86][..], &first.concat()].concat();
    // The latest field of the table has the index 62.
    let second = [0x83, 0x86, 65, 64, 63, 62].map(|index: u8| index | 0x80);
    let request = DiscoveryRequest {
        type_url: TYPE_URL.to_owned(),
        resource_names: vec!["a.test".to_owned()],
        ..DiscoveryRequest::default()
    }
    .encode_to_vec();
    let body = [&[0][..], &u32::try_from(request.len()).unwrap().to_be_bytes(), &request].concat();
    let sent = [
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(),
        frame(4, 0, 0, &[]),
        frame(1, 4, 1, &first),
        frame(0, 0, 1, &body),
        frame(1, 4, 3, &second),
        frame(0, 0, 3, &body),
    ];
    let mut stream = UnixStream::connect(harness.directory.path().join("sds.sock")).await.unwrap();
    stream.write_all(&sent.concat()).await.unwrap();
    // Kinds of frames: the data of both requests comes, and no request is reset.
    let mut answered = HashSet::new();
    let mut head = [0; 9];
    while answered.len() < 2 {
        tokio::time::timeout(PATIENCE, stream.read_exact(&mut head)).await.unwrap().unwrap();
        let [a, b, c, kind, _, _, _, _, request] = head;
        stream.read_exact(&mut vec![0; u32::from_be_bytes([0, a, b, c]) as usize]).await.unwrap();
        assert!(![3, 7].contains(&kind), "a frame of kind {kind} for request {request}");
        if kind == 0 {
            answered.insert(request);
        }
    }
}

#[tokio::test]
async fn ads_serves_deltas_too() {
    let harness = Harness::start(default());
    let (requests, stream) = mpsc::channel(16);
    let mut client = AggregatedDiscoveryServiceClient::new(harness.channel().await);
    let responses = client.delta_aggregated_resources(ReceiverStream::new(stream)).await.unwrap().into_inner();
    let mut stream = Delta { requests, responses };
    stream.subscribe("envoy", "a.test").await;
    assert_eq!(stream.contents().await, ["a.test=default"]);
}

/// S3: one call of another filter in the same Envoy got a key by it.
#[tokio::test]
async fn nothing_can_be_fetched() {
    let harness = Harness::start(default());
    let mut client = SecretDiscoveryServiceClient::new(harness.channel().await);
    let resource_names = vec!["a.test".to_owned()];
    let refused = client.fetch_secrets(DiscoveryRequest { resource_names, ..Default::default() }).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unimplemented);
}

/// S3: another filter in the same Envoy can connect, and knows no token.
#[tokio::test]
async fn a_stream_without_a_good_token_is_answered_nothing() {
    let harness = Harness::guarded(default(), Admission::Tokens(Tokens::one(Secret::new(TOKEN.into()))));
    let almost = format!("{TOKEN}0");
    for given in [None, Some(""), Some("${ENVOY_AUTOCERT_SDS_TOKEN}"), Some(&TOKEN[1..]), Some(&almost)] {
        let metadata: Vec<_> = given.into_iter().map(|token| (TOKEN_HEADER, token)).collect();
        let refused = harness.try_delta(&metadata).await.err().unwrap();
        assert_eq!(refused.code(), Code::Unauthenticated, "{given:?}");
        assert!(refused.message().contains("initial_metadata"), "{}", refused.message());
        let challenge = [(SCOPE_HEADER, "tls-alpn-01")].into_iter().chain(metadata).collect::<Vec<_>>();
        assert_eq!(harness.try_delta(&challenge).await.err().unwrap().code(), Code::Unauthenticated, "{given:?}");
        let mut client = AggregatedDiscoveryServiceClient::new(harness.channel().await);
        let mut request = Request::new(tokio_stream::empty());
        if let Some(token) = given {
            request.metadata_mut().insert(TOKEN_HEADER, token.parse().unwrap());
        }
        assert_eq!(client.stream_aggregated_resources(request).await.unwrap_err().code(), Code::Unauthenticated);
    }
    assert_eq!(harness.status.snapshot().streams, 0);
    let mut stream = harness.try_delta(&[(TOKEN_HEADER, TOKEN)]).await.unwrap();
    stream.subscribe("envoy", "a.test").await;
    assert_eq!(stream.contents().await, ["a.test=default"]);
}

/// X2: to a stream that has no business with a secret it is not there.
#[tokio::test]
async fn a_token_with_names_opens_these_secrets_alone() {
    let (directory, tokens) = token_file(&format!("{TOKEN} a.test *.b.test\n"));
    let (_followed, tokens) = Followed::open(tokens).ok().unwrap();
    let harness = Harness::guarded(default(), Admission::Tokens(tokens));
    harness.put("secret.test", "1");
    for (name, content) in [
        ("a.test", "a.test=default"),
        ("x.b.test", "x.b.test=default"),
        ("secret.test", "secret.test=gone"),
        ("sds://a.test", "sds://a.test=default"),
        ("sds://secret.test", "sds://secret.test=gone"),
        ("default", "default=gone"),
        ("no name", "no name=gone"),
    ] {
        let mut stream = harness.try_delta(&[(TOKEN_HEADER, TOKEN)]).await.unwrap();
        stream.subscribe("envoy", name).await;
        assert_eq!(stream.contents().await, [content]);
    }
    drop(directory);
}

#[tokio::test]
async fn a_stream_ends_when_its_token_is_withdrawn() {
    const NEXT: &str = "0123456789abcdef-next";
    let (directory, file) = token_file(&format!("{TOKEN}\n"));
    let path = file.path().to_owned();
    let (followed, tokens) = Followed::open(file).ok().unwrap();
    let following = tokio::spawn(crate::tokens::follow(vec![followed]));
    let harness = Harness::guarded(default(), Admission::Tokens(tokens));
    let mut old = harness.try_delta(&[(TOKEN_HEADER, TOKEN)]).await.unwrap();
    old.subscribe("envoy", "a.test").await;
    assert_eq!(old.contents().await, ["a.test=default"]);

    std::fs::write(&path, format!("{TOKEN}\n{NEXT}\n")).unwrap();
    let new = async {
        loop {
            match harness.try_delta(&[(TOKEN_HEADER, NEXT)]).await {
                Ok(stream) => break stream,
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    };
    let mut new = tokio::time::timeout(PATIENCE, new).await.unwrap();
    harness.put("a.test", "1");
    assert_eq!(old.contents().await, ["a.test=1"], "there is no gap");

    std::fs::write(&path, format!("{NEXT}\n")).unwrap();
    assert_eq!(old.failure().await.code(), Code::Unauthenticated);
    new.subscribe("envoy", "a.test").await;
    assert_eq!(new.contents().await, ["a.test=1"]);
    following.abort();
    drop(directory);
}

fn token_file(text: &str) -> (TempDir, TokenFile) {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("tokens");
    std::fs::write(&path, text).unwrap();
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    (directory, TokenFile::new(Kind::Sds, path))
}

#[tokio::test]
async fn a_rejection_is_shown_until_the_secret_is_accepted() {
    let harness = Harness::start(DefaultCertificate::None);
    harness.put("a.test", "1");
    let mut stream = harness.delta(None).await;
    stream.subscribe("envoy-1", "a.test").await;
    let bad = stream.response().await.nonce;
    let text = format!("bad\r\n\u{1b}[31mkey{}", "x".repeat(10_000));
    stream.settle(&bad, Some(&text)).await;
    harness.until(|status| !status.rejected.is_empty()).await;
    let Rejection { node, resource, error, .. } = harness.status.snapshot().rejected.remove(0);
    assert_eq!((node.as_str(), resource.as_str()), ("envoy-1", "a.test"));
    assert!(error.starts_with("bad\\r\\n\\u{1b}[31mkey") && error.len() < 1000, "{error}");
    harness.put("a.test", "2");
    let good = stream.response().await.nonce;
    stream.settle(&good, None).await;
    harness.until(|status| status.rejected.is_empty()).await;
    assert_eq!(harness.status.snapshot().rejections, 1);
}

#[tokio::test]
async fn a_rejection_is_forgotten_when_its_node_leaves() {
    let harness = Harness::start(default());
    let mut stream = harness.delta(None).await;
    stream.subscribe("envoy-1", "a.test").await;
    let bad = stream.response().await.nonce;
    stream.settle(&bad, Some("bad")).await;
    harness.until(|status| status.rejected.len() == 1).await;
    drop(stream);
    harness.until(|status| status.rejected.is_empty()).await;
}

#[tokio::test]
async fn streams_are_counted_by_node_while_they_last() {
    let harness = Harness::start(default());
    let mut one = harness.delta(None).await;
    let two = harness.delta(None).await;
    for stream in [&one, &two] {
        stream.subscribe("envoy-1", "a.test").await;
    }
    harness.until(|status| status.nodes == [("envoy-1".to_owned(), 2)]).await;
    drop(two);
    harness.until(|status| status.nodes == [("envoy-1".to_owned(), 1)] && status.streams == 1).await;
    assert_eq!(one.contents().await, ["a.test=default"], "the other one goes on");
    drop(one);
    harness.until(|status| status.streams == 0 && status.nodes.is_empty()).await;
}

#[tokio::test]
async fn a_client_that_asks_for_nothing_more_gets_its_answer_and_the_end() {
    let harness = Harness::start(default());
    let mut stream = harness.delta(None).await;
    stream.subscribe("envoy", "a.test").await;
    let Delta { requests, responses } = stream;
    drop(requests);
    let (requests, _unused) = mpsc::channel(1);
    stream = Delta { requests, responses };
    assert_eq!(stream.contents().await, ["a.test=default"]);
    assert!(stream.next().await.is_none());
}

#[tokio::test]
async fn a_shutdown_ends_open_streams_and_the_server() {
    let mut harness = Harness::start(default());
    let mut stream = harness.delta(None).await;
    stream.subscribe("envoy", "a.test").await;
    stream.response().await;
    harness.stop.take().unwrap().send(()).unwrap();
    assert_eq!(stream.failure().await.code(), Code::Unavailable);
    drop(stream);
    tokio::time::timeout(PATIENCE, &mut harness.server).await.unwrap().unwrap().unwrap();
}

#[tokio::test]
async fn a_thousand_secrets_have_a_stream_each_on_one_connection() {
    let harness = Harness::start(default());
    let channel = harness.channel().await;
    let mut streams = Vec::new();
    for number in 0..1000 {
        let (requests, stream) = mpsc::channel(1);
        let mut client = SecretDiscoveryServiceClient::new(channel.clone());
        let responses = client.delta_secrets(ReceiverStream::new(stream)).await.unwrap().into_inner();
        let stream = Delta { requests, responses };
        stream.subscribe("envoy", &format!("n{number}.test")).await;
        streams.push(stream);
    }
    for stream in &mut streams {
        assert_eq!(stream.response().await.resources[0].version, "default");
    }
    assert_eq!(harness.status.snapshot().streams, 1000);
}
