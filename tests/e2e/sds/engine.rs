//! A fake engine: takes the lease, and publishes certificates of the scene's CA through the sidecar's API.

use anyhow::{Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use harness::http::Endpoint;
use http_body_util::Full;
use hyper::Request;
use hyper::body::Bytes;
use rcgen::{CertificateParams, CustomExtension, SubjectPublicKeyInfo};
use serde_json::{Value, json};
use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::prelude::FromDer;

use super::scene::Scene;

/// The TLS feature extension (RFC 7633) that asks for stapled OCSP: Envoy, which has none to staple, refuses it.
const TLS_FEATURE: &[u64] = &[1, 3, 6, 1, 5, 5, 7, 1, 24];
/// A sequence with the number of `status_request`.
const STATUS_REQUEST: [u8; 5] = [0x30, 0x03, 0x02, 0x01, 0x05];

/// The holder of the lease.
pub struct Engine {
    api: Endpoint,
    fence: u64,
    orders: u64,
}

impl Engine {
    pub fn of(scene: &mut Scene) -> Result<Self> {
        let mut engine = Self { api: scene.sidecar()?.api(), fence: 0, orders: 0 };
        let claim = json!({ "holder": "test", "epoch": 1, "ttlMillis": 60_000 });
        engine.fence = engine.send("POST", "/v1/lease", &claim)?["fence"].as_u64().unwrap_or_default();
        Ok(engine)
    }

    /// Publishes a certificate that Envoy accepts; returns its serial number.
    pub fn publish(&mut self, scene: &Scene, name: &str) -> Result<String> {
        self.publish_with(scene, name, |_| {})
    }

    /// Publishes a certificate that Envoy rejects.
    pub fn publish_refused(&mut self, scene: &Scene, name: &str) -> Result<String> {
        self.publish_with(scene, name, |params| {
            let feature = CustomExtension::from_oid_content(TLS_FEATURE, STATUS_REQUEST.to_vec());
            params.custom_extensions.push(feature);
        })
    }

    fn publish_with(
        &mut self,
        scene: &Scene,
        name: &str,
        change: impl FnOnce(&mut CertificateParams),
    ) -> Result<String> {
        self.orders += 1;
        let order = format!("https://ca.example/{}", self.orders);
        let id = json!({ "resolver": "le", "names": [name] });
        let ca = "https://ca.example/directory";
        self.send("PUT", "/v1/orders", &json!({ "certificate": id, "url": order, "caServer": ca, "created": 1 }))?;
        let csr =
            self.send("POST", "/v1/csr", &json!({ "certificate": id, "order": order, "keyType": "EC256" }))?["csr"]
                .take();
        let der = URL_SAFE_NO_PAD.decode(csr.as_str().unwrap_or_default())?;
        let (_, request) = X509CertificationRequest::from_der(&der)?;
        let key = SubjectPublicKeyInfo::from_der(request.certification_request_info.subject_pki.raw)?;
        let (serial, chain) = scene.sign_with(&[name], &key, |params| {
            // The sidecar accepts only certificates that are valid now.
            params.not_before = time::OffsetDateTime::now_utc() - time::Duration::hours(1);
            params.not_after = params.not_before + time::Duration::days(90);
            change(params);
        })?;
        self.send("POST", "/v1/certificates", &json!({ "certificate": id, "order": order, "chain": chain }))?;
        Ok(serial)
    }

    /// The serial numbers of the certificates to be replaced.
    pub fn replaced(&self) -> Result<Vec<String>> {
        let wants = self.send("GET", "/v1/wants?after=0", &Value::Null)?;
        let serials = wants["replace"].as_array().into_iter().flatten();
        Ok(serials.filter_map(|one| Some(one["serial"].as_str()?.to_owned())).collect())
    }

    pub fn status(&self) -> Result<Value> {
        self.send("GET", "/status", &Value::Null)
    }

    fn send(&self, method: &str, path: &str, body: &Value) -> Result<Value> {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let request = Request::builder().method(method).uri(path).header("host", "sidecar");
        let request = request.header("x-autocert-fence", self.fence).header("content-type", "application/json");
        let reply = self.api.send(request.body(Full::new(Bytes::from(body)))?)?;
        ensure!(reply.status < 300, "{method} {path}: {} {}", reply.status, reply.text());
        Ok(serde_json::from_slice(&reply.body).unwrap_or_default())
    }
}
