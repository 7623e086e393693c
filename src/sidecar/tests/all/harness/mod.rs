//! A sidecar on sockets in a directory of its own, a client for its API, and a CA.

#![allow(dead_code, clippy::unwrap_used, clippy::panic)]

use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use clap::Parser;
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use protocol::{
    CertificateId, Csr, CsrRequest, Lease, LeaseRequest, Problem, Publication, Published, State, Wants, path,
};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DnType, IsCa, Issuer, KeyIdMethod, KeyPair,
    PublicKeyData, RevocationReason, RevokedCertParams, SerialNumber, SubjectPublicKeyInfo,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use sidecar::cli::{Cli, Command, SidecarArgs};
use sidecar::sidecar::Sidecar;
use tempfile::TempDir;
use time::{Duration, OffsetDateTime};
use tokio::net::{TcpStream, UnixStream};

/// The CA's directory.
pub const CA: &str = "https://ca.example/directory";

/// The directory of one sidecar.
pub struct Home(TempDir);

impl Home {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn storage(&self) -> PathBuf {
        self.path("acme.json")
    }

    pub fn api_socket(&self) -> PathBuf {
        self.path("run/api.sock")
    }

    pub fn arguments(&self) -> Vec<String> {
        let path = |name| self.path(name).display().to_string();
        let (storage, api, sds) = (path("acme.json"), path("run/api.sock"), path("run/sds.sock"));
        ["sidecar", "--storage", &storage, "--api-socket", &api, "--sds-socket", &sds].map(str::to_owned).into()
    }

    pub fn args(&self, more: &[&str]) -> Box<SidecarArgs> {
        let program = "envoy-autocert".to_owned();
        let all = [program].into_iter().chain(self.arguments()).chain(more.iter().map(|&more| more.to_owned()));
        match Cli::try_parse_from(all).unwrap().command {
            Command::Sidecar(args) => args,
            _ => unreachable!("the command is sidecar"),
        }
    }

    pub async fn start(&self) -> Sidecar {
        self.start_with(&[]).await.unwrap_or_else(|error| panic!("{error}"))
    }

    pub async fn start_with(&self, more: &[&str]) -> Result<Sidecar, String> {
        Sidecar::start(self.args(more).options()?).await.map_err(|error| error.to_string())
    }

    /// The reason why the sidecar does not start.
    pub async fn refusal(&self) -> String {
        self.start_with(&[]).await.err().unwrap()
    }

    /// A client that holds the lease.
    pub async fn engine(&self) -> Client {
        let mut client = Client::unix(&self.api_socket());
        client.lease("engine", 1).await;
        client
    }

    pub fn write_storage(&self, text: &str) {
        use std::os::unix::fs::PermissionsExt;
        std::fs::write(self.storage(), text).unwrap();
        std::fs::set_permissions(self.storage(), PermissionsExt::from_mode(0o600)).unwrap();
    }

    pub fn stored(&self) -> Value {
        serde_json::from_slice(&std::fs::read(self.storage()).unwrap()).unwrap()
    }
}

/// A client of the API.
#[derive(Clone)]
pub struct Client {
    to: Address,
    pub fence: Option<u64>,
    pub token: Option<String>,
}

#[derive(Clone)]
enum Address {
    Tcp(std::net::SocketAddr),
    Unix(PathBuf),
}

/// An answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: hyper::HeaderMap,
    pub body: Bytes,
}

impl Answer {
    pub fn json<T: DeserializeOwned>(&self) -> T {
        assert_eq!(self.status, 200, "{self:?}");
        serde_json::from_slice(&self.body).unwrap()
    }

    /// The problem document; its parts agree with the answer's.
    pub fn problem(&self) -> Problem {
        assert_eq!(self.headers.get("content-type").unwrap(), "application/problem+json", "{self:?}");
        let problem: Problem = serde_json::from_slice(&self.body).unwrap();
        assert_eq!(problem.status, self.status);
        problem
    }

    pub fn no_content(&self) {
        assert_eq!(self.status, 204, "{self:?}");
    }
}

impl Client {
    /// A client with the token that the sidecar made beside its storage, if it did.
    pub fn unix(path: &Path) -> Self {
        let home = path.ancestors().nth(2).unwrap();
        Self { to: Address::Unix(path.to_owned()), fence: None, token: token(&home.join("acme.json.api-token")) }
    }

    pub fn tcp(address: std::net::SocketAddr) -> Self {
        Self { to: Address::Tcp(address), fence: None, token: None }
    }

    pub async fn send(&self, method: &str, path: &str, body: impl Into<Bytes>) -> Answer {
        self.try_send(method, path, body).await.unwrap()
    }

    pub async fn try_send(&self, method: &str, path: &str, body: impl Into<Bytes>) -> Option<Answer> {
        self.exchange(hyper::Request::builder().method(method).uri(path).header("host", "sidecar"), body).await
    }

    /// Sends a GET with these Host headers.
    pub async fn called(&self, hosts: &[&str], target: &str) -> Answer {
        let request = hyper::Request::builder().uri(target);
        let request = hosts.iter().fold(request, |request, host| request.header("host", *host));
        self.exchange(request, "").await.unwrap()
    }

    async fn exchange(&self, mut request: hyper::http::request::Builder, body: impl Into<Bytes>) -> Option<Answer> {
        if let Some(fence) = self.fence {
            request = request.header(protocol::FENCE_HEADER, fence.to_string());
        }
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let request = request.body(Full::new(body.into())).unwrap();
        let response = match &self.to {
            Address::Tcp(address) => exchange(TcpStream::connect(address).await.ok()?, request).await?,
            Address::Unix(path) => exchange(UnixStream::connect(path).await.ok()?, request).await?,
        };
        let (parts, body) = response.into_parts();
        let body = body.collect().await.ok()?.to_bytes();
        Some(Answer { status: parts.status.as_u16(), headers: parts.headers, body })
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, "").await
    }

    pub async fn post(&self, path: &str, body: &impl Serialize) -> Answer {
        self.send("POST", path, serde_json::to_vec(body).unwrap()).await
    }

    pub async fn put(&self, path: &str, body: &impl Serialize) -> Answer {
        self.send("PUT", path, serde_json::to_vec(body).unwrap()).await
    }

    pub async fn lease(&mut self, holder: &str, epoch: u64) -> Lease {
        let request = LeaseRequest { holder: holder.into(), epoch, ttl_millis: 60_000 };
        let lease: Lease = self.post(path::LEASE, &request).await.json();
        if lease.granted {
            self.fence = Some(lease.fence);
        }
        lease
    }

    pub async fn state(&self) -> State {
        self.get(path::STATE).await.json()
    }

    pub async fn order(&self, id: &CertificateId, url: &str) -> Answer {
        self.put(path::ORDERS, &json!({"certificate": id, "url": url, "caServer": CA, "created": 1})).await
    }

    pub async fn csr(&self, id: &CertificateId, order: &str, key_type: &str) -> Answer {
        let request = CsrRequest {
            certificate: id.clone(),
            order: order.into(),
            key_type: key_type.into(),
            email_addresses: Vec::new(),
            disable_common_name: false,
        };
        self.post(path::CSR, &request).await
    }

    pub async fn publish(&self, id: &CertificateId, order: &str, chain: &str) -> Answer {
        let publication = Publication {
            certificate: id.clone(),
            order: order.into(),
            chain: chain.into(),
            alternates: Vec::new(),
            preferred_chain: None,
            issued_by: None,
        };
        self.post(path::CERTIFICATES, &publication).await
    }

    /// The answer of `/status`.
    pub async fn status(&self) -> Value {
        self.get("/status").await.json()
    }

    /// Waits until `/status` is as wanted, and returns it.
    pub async fn status_until(&self, wanted: impl Fn(&Value) -> bool) -> Value {
        let start = std::time::Instant::now();
        loop {
            let status = self.status().await;
            if wanted(&status) {
                return status;
            }
            assert!(start.elapsed() < std::time::Duration::from_secs(60), "{status:#}");
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    }

    /// Waits until these serial numbers are to be replaced.
    pub async fn replaced_until(&self, wanted: &[&str]) {
        let start = std::time::Instant::now();
        loop {
            let wants: Wants = self.get(&format!("{}?after=0", path::WANTS)).await.json();
            let serials: Vec<&str> = wants.replace.iter().map(|one| one.serial.as_str()).collect();
            if serials == wanted {
                return;
            }
            assert!(start.elapsed() < std::time::Duration::from_secs(60), "{wants:?}");
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    }

    /// Makes an order and a signing request, and publishes the certificate.
    pub async fn issue(&self, ca: &TestCa, id: &CertificateId, order: &str) -> Published {
        self.order(id, order).await.no_content();
        let csr: Csr = self.csr(id, order, "EC256").await.json();
        self.publish(id, order, &ca.issue(&csr, id)).await.json()
    }
}

/// The token of a file of the sidecar's own.
pub fn token(file: &Path) -> Option<String> {
    std::fs::read_to_string(file).ok().map(|text| text.trim_end().to_owned())
}

async fn exchange(
    stream: impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
    request: hyper::Request<Full<Bytes>>,
) -> Option<hyper::Response<hyper::body::Incoming>> {
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.ok()?;
    tokio::spawn(connection);
    sender.send_request(request).await.ok()
}

/// Asks to bind the account with this key to the external account `kid-1`.
pub fn eab(account_key: &str) -> Value {
    let protected = json!({"alg": "HS256", "kid": "kid-1", "url": "https://ca.example/new-account"});
    eab_of(&protected, &public_jwk(account_key))
}

/// The same, of this header and payload.
pub fn eab_of(protected: &Value, payload: &Value) -> Value {
    let encoded = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signing_input = format!("{}.{}", encoded(protected), encoded(payload));
    json!({"resolver": "le", "caServer": CA, "kid": "kid-1", "signingInput": signing_input})
}

/// The public half of an account key, PKCS#8 in base64url.
pub fn public_jwk(account_key: &str) -> Value {
    let der = URL_SAFE_NO_PAD.decode(account_key).unwrap();
    let key = KeyPair::from_pkcs8_der_and_sign_algo(&der.into(), &rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
    let (x, y) = key.der_bytes()[1..].split_at(32);
    json!({"kty": "EC", "crv": "P-256", "x": URL_SAFE_NO_PAD.encode(x), "y": URL_SAFE_NO_PAD.encode(y)})
}

/// The certificate of these names, of the resolver `le`.
pub fn id(names: &[&str]) -> CertificateId {
    CertificateId { resolver: "le".into(), names: names.iter().map(|name| (*name).to_owned()).collect() }
}

/// The URL of an order.
pub fn order(number: u64) -> String {
    format!("https://ca.example/order/{number}")
}

/// A CA with one root.
pub struct TestCa {
    issuer: Issuer<'static, KeyPair>,
    pub pem: String,
}

impl TestCa {
    pub fn new() -> Self {
        Self::named("Test CA")
    }

    pub fn named(common_name: &str) -> Self {
        Self::with_key(common_name, KeyPair::generate().unwrap())
    }

    pub fn with_key(common_name: &str, key: KeyPair) -> Self {
        let params = root_params(common_name);
        let pem = params.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    /// The other CA's certificate, signed by this one instead of by itself.
    pub fn cross_signed(&self, other: &Self) -> String {
        root_params("Test CA").signed_by(other.issuer.key(), &self.issuer).unwrap().pem()
    }

    /// A chain for the request's key.
    pub fn issue(&self, csr: &Csr, id: &CertificateId) -> String {
        self.issue_with(csr, id, |_| {})
    }

    pub fn issue_with(&self, csr: &Csr, id: &CertificateId, change: impl FnOnce(&mut CertificateParams)) -> String {
        let mut params = CertificateParams::new(id.names.clone()).unwrap();
        params.not_before = OffsetDateTime::now_utc() - Duration::minutes(1);
        params.not_after = OffsetDateTime::now_utc() + Duration::days(90);
        change(&mut params);
        format!("{}{}", params.signed_by(&public_key(csr), &self.issuer).unwrap().pem(), self.pem)
    }

    /// A revocation list with these serial numbers, DER, that is good for so many days.
    pub fn revocation_list(&self, serials: &[u64], days: i64) -> Vec<u8> {
        let revoked = |serial: &u64| RevokedCertParams {
            serial_number: SerialNumber::from(*serial),
            revocation_time: OffsetDateTime::now_utc() - Duration::hours(1),
            reason_code: Some(RevocationReason::KeyCompromise),
            invalidity_date: None,
        };
        let params = CertificateRevocationListParams {
            this_update: OffsetDateTime::now_utc() - Duration::days(2),
            next_update: OffsetDateTime::now_utc() + Duration::days(days),
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: serials.iter().map(revoked).collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        params.signed_by(&self.issuer).unwrap().der().to_vec()
    }

    /// A chain and a key as another tool would have stored them.
    pub fn pair(&self, id: &CertificateId, days: i64) -> (String, String) {
        self.pair_with(id, days, |_| {})
    }

    pub fn pair_with(
        &self,
        id: &CertificateId,
        days: i64,
        change: impl FnOnce(&mut CertificateParams),
    ) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(id.names.clone()).unwrap();
        params.not_before = OffsetDateTime::now_utc() - Duration::minutes(1);
        params.not_after = OffsetDateTime::now_utc() + Duration::days(days);
        change(&mut params);
        let leaf = params.signed_by(&key, &self.issuer).unwrap();
        (format!("{}{}", leaf.pem(), self.pem), key.serialize_pem())
    }
}

fn root_params(common_name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, common_name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params
}

/// The public key of a signing request.
pub fn public_key(csr: &Csr) -> SubjectPublicKeyInfo {
    use x509_parser::prelude::FromDer;
    let der = URL_SAFE_NO_PAD.decode(&csr.csr).unwrap();
    let (_, request) = x509_parser::certification_request::X509CertificationRequest::from_der(&der).unwrap();
    SubjectPublicKeyInfo::from_der(request.certification_request_info.subject_pki.raw).unwrap()
}

/// The public key of a signing request, to be compared.
pub fn public_key_bytes(csr: &Csr) -> Vec<u8> {
    public_key(csr).der_bytes().to_vec()
}

/// A certificate as Traefik stores it.
pub fn traefik_certificate(chain: &str, key: &str, main: &str, sans: &[&str]) -> Value {
    use base64::engine::general_purpose::STANDARD;
    let (certificate, key) = (STANDARD.encode(chain), STANDARD.encode(key));
    json!({"domain": {"main": main, "sans": sans}, "certificate": certificate, "key": key, "Store": "default"})
}
