//! The CA's answers to renewalInfo requests (RFC 9773).

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;

use super::certificate::Certificate;
use super::responses::{problem, respond};
use crate::host::Response;

/// The CA's renewal windows; by default it knows no certificate.
#[derive(Clone, Debug, Default)]
pub struct Renewals {
    /// The window of each certificate: its serial number, start and end in seconds since 1970.
    pub windows: BTreeMap<u64, (i64, i64)>,
    /// The windows of the others: where they begin and end, in thousandths of the lifetime.
    pub usual: Option<(i64, i64)>,
    /// `Retry-After`.
    pub retry_after: Option<String>,
    /// `explanationURL`.
    pub explanation: Option<&'static str>,
    /// An answer to give instead: a status and a body.
    pub instead: Option<(u16, &'static str)>,
    /// True if a certificate can be replaced only once.
    pub once: bool,
}

impl Renewals {
    pub(super) fn answer(&self, id: &str, certificates: &[Certificate]) -> Response {
        if let Some((status, body)) = self.instead {
            return respond(status, &self.headers(), body);
        }
        let known = serial_of(id).and_then(|serial| certificates.iter().find(|known| known.serial == serial));
        let window = known.and_then(|certificate| {
            let Certificate { not_before, not_after, serial, .. } = certificate;
            let share = |thousandths| not_before + (not_after - not_before) / 1000 * thousandths;
            let usual = self.usual.map(|(start, end)| (share(start), share(end)));
            self.windows.get(serial).copied().or(usual)
        });
        let Some((start, end)) = window else { return problem(404, "malformed", "no such certificate") };
        let mut body = json!({"suggestedWindow": {"start": date(start), "end": date(end)}});
        if let Some(url) = self.explanation {
            body["explanationURL"] = json!(url);
        }
        respond(200, &self.headers(), &body.to_string())
    }

    fn headers(&self) -> Vec<(&str, &str)> {
        self.retry_after.iter().map(|value| ("retry-after", value.as_str())).collect()
    }
}

/// The identifier of a certificate (RFC 9773 §4.1) with this serial number.
pub fn renewal_id(serial: u64) -> String {
    format!("{}.{}", URL_SAFE_NO_PAD.encode("authority"), URL_SAFE_NO_PAD.encode(serial.to_be_bytes()))
}

fn serial_of(id: &str) -> Option<u64> {
    let bytes = URL_SAFE_NO_PAD.decode(id.split_once('.')?.1).ok()?;
    Some(bytes.iter().fold(0, |serial, byte| serial << 8 | u64::from(*byte)))
}

fn date(seconds: i64) -> String {
    let since_1970 = Duration::from_secs(u64::try_from(seconds).unwrap());
    humantime::format_rfc3339_seconds(SystemTime::UNIX_EPOCH + since_1970).to_string()
}
