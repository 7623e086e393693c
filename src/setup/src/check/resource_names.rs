//! Checks the names of resources that are requested from the sidecar: some can never have an answer.

use super::finding::quoted;
use super::{Finding, Report};
use protocol::resource_name::Resource;
use yaml::At;

/// The certificate's name within a resource name; `None` for CA certificates, or if there is no name.
pub(super) fn certificate(resource: &str) -> Option<&str> {
    match Resource::parse(resource) {
        Resource::CaCertificates => None,
        Resource::Certificate(name) => Some(name).filter(|name| is_name(name)),
    }
}

/// Checks the name of a certificate that is requested from the sidecar.
pub(super) fn check(secret: &At<'_>, resource: &str, report: &mut Report) {
    let at = secret.get("name");
    let at = at.as_ref().unwrap_or(secret);
    match Resource::parse(resource) {
        Resource::CaCertificates => {
            let found = format!("CA certificates ({}) in a certificate's place", quoted(resource));
            report.mistake(Finding::at(at, found, "the name of a certificate: the sidecar has no CA certificates"));
        }
        Resource::Certificate(name) if !is_name(name) => {
            let found = format!("{}, which is no name", quoted(resource));
            let expected = "a DNS name or an address, also as sds://NAME, kubernetes://[NAMESPACE/]NAME or \
                            kubernetes-gateway://NAMESPACE/NAME: for another the sidecar has nothing";
            report.mistake(Finding::at(at, found, expected));
        }
        Resource::Certificate(_) => {}
    }
}

/// The secrets of a TLS context for the verification of peers.
pub(super) fn of_cas<'a>(common: &At<'a>) -> impl Iterator<Item = At<'a>> {
    let paths =
        ["validation_context_sds_secret_config", "combined_validation_context.validation_context_sds_secret_config"];
    paths.into_iter().filter_map(|path| common.find(path))
}

/// Reports CA certificates that are requested from the sidecar, which has none.
pub(super) fn ca(secret: &At<'_>, report: &mut Report) {
    let found = format!("CA certificates from the sidecar ({})", quoted(secret.text_of("name").unwrap_or_default()));
    let expected = "trusted_ca, or a secret from elsewhere: the sidecar has none, and for a name of a certificate it gives \
                    one, by which Envoy verifies nobody";
    report.mistake(Finding::at(secret, found, expected));
}

/// True for a DNS name or an address, as the sidecar knows it. The sidecar itself checks names in other scripts.
fn is_name(name: &str) -> bool {
    let allowed = |c: char| !c.is_ascii() || c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let bare = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(name);
    let host = name.strip_suffix('.').unwrap_or(name);
    let host = host.strip_prefix("*.").unwrap_or(host);
    let is_host = host.split('.').all(|label| !label.is_empty() && label.chars().all(allowed));
    is_host || bare.parse::<std::net::IpAddr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_that_the_sidecar_knows() {
        for name in
            ["a.example", "*.A.example.", "_x.a.example", "default", "bücher.example", "192.0.2.1", "[2001:db8::1]"]
        {
            assert!(is_name(name), "{name}");
        }
        for junk in ["", ".", "*", "a.*.example", "ns/a.example", "a..example", "builtin://", "a example"] {
            assert!(!is_name(junk), "{junk}");
        }
    }
}
