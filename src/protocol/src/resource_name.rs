//! Names of SDS resources as control planes write them.
//!
//! Istio asks for a Gateway's `credentialName` by a URL: `sds://NAME` for an SDS server of the user's, else
//! `kubernetes://NAME`, `kubernetes://NAMESPACE/NAME` or `kubernetes-gateway://NAMESPACE/NAME`. Whom it verifies clients by
//! it asks for by the same name with `-cacert` at its end.
//!
//! Promises: CA certificates are never taken for a certificate. Refuses: to judge the name that is left; it may be none.

/// A resource that a client asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resource<'a> {
    /// CA certificates to verify clients by. An Envoy that is given a certificate with a key in their place verifies
    /// nobody.
    CaCertificates,
    /// The certificate with its key for this, which should be a DNS name or an address.
    Certificate(&'a str),
}

/// The end of the names of CA certificates.
const CA_CERTIFICATES: &str = "-cacert";

/// The name of the mesh's own roots.
const MESH_ROOTS: &str = "ROOTCA";

impl<'a> Resource<'a> {
    /// Reads a resource's name. One that is of none of the known forms stands for itself.
    pub fn parse(resource: &'a str) -> Self {
        let name = bare(resource).unwrap_or(resource);
        let is_ca = |start: usize| name.get(start..).is_some_and(|end| end.eq_ignore_ascii_case(CA_CERTIFICATES));
        if name == MESH_ROOTS || name.len().checked_sub(CA_CERTIFICATES.len()).is_some_and(is_ca) {
            return Self::CaCertificates;
        }
        Self::Certificate(name)
    }
}

/// The name within a URL.
fn bare(resource: &str) -> Option<&str> {
    let (scheme, rest) = resource.split_once("://")?;
    match scheme {
        "sds" => Some(rest),
        "kubernetes" | "kubernetes-gateway" => match rest.split_once('/') {
            Some((namespace, name)) => is_namespace(namespace).then_some(name),
            None => Some(rest),
        },
        _ => None,
    }
}

/// A label of DNS, as Kubernetes wants it (RFC 1123).
fn is_namespace(namespace: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    !namespace.is_empty() && namespace.bytes().all(is_allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_stands_behind_scheme_and_namespace() {
        for (resource, name) in [
            ("a.example", "a.example"),
            ("default", "default"),
            ("sds://a.example", "a.example"),
            ("sds://*.a.example", "*.a.example"),
            ("kubernetes://a.example", "a.example"),
            ("kubernetes://istio-system/a.example", "a.example"),
            ("kubernetes-gateway://istio-system/a.example", "a.example"),
            ("kubernetes-gateway://a.example", "a.example"),
        ] {
            assert_eq!(Resource::parse(resource), Resource::Certificate(name), "{resource}");
        }
    }

    #[test]
    fn ca_certificates_are_no_certificate() {
        for resource in [
            "a.example-cacert",
            "A.EXAMPLE-CACERT",
            "-cacert",
            "sds://a.example-cacert",
            "kubernetes://a.example-cacert",
            "kubernetes://istio-system/a.example-cacert",
            "kubernetes-gateway://istio-system/a.example-cacert",
            "configmap://istio-system/a.example-cacert",
            "ROOTCA",
        ] {
            assert_eq!(Resource::parse(resource), Resource::CaCertificates, "{resource}");
        }
        assert_eq!(Resource::parse("cacert.example"), Resource::Certificate("cacert.example"));
        assert_eq!(Resource::parse("a.cacert"), Resource::Certificate("a.cacert"));
    }

    /// Texts of no known form stand for themselves, so that nobody takes them for a name.
    #[test]
    fn what_is_of_no_known_form_stands_for_itself() {
        for resource in [
            "SDS://a.example",
            "builtin://",
            "file-cert:/etc/certs/a.example~/etc/certs/key",
            "ns/a.example",
            "kubernetes:///a.example",
            "kubernetes://Not A Namespace/a.example",
            "é",
            "",
        ] {
            assert_eq!(Resource::parse(resource), Resource::Certificate(resource), "{resource}");
        }
        assert_eq!(Resource::parse("kubernetes://a/b/c.example"), Resource::Certificate("b/c.example"));
        assert_eq!(Resource::parse("sds://ns/a.example"), Resource::Certificate("ns/a.example"));
        assert_eq!(Resource::parse("sds://"), Resource::Certificate(""));
    }
}
