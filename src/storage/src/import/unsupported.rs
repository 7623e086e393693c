//! Files that are recognised but can't be imported, each with advice.

use std::path::{Path, PathBuf};

use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer;

use super::tree::entries;
use base::shell_word::quoted;

/// A kind of file that can't be imported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unsupported {
    what: &'static str,
    /// The advice; FILE stands for the path.
    advice: &'static str,
}

impl Unsupported {
    /// True for a file that may hold a certificate, a key, or both.
    pub(super) fn holds_keys(self) -> bool {
        self != ARCHIVE
    }

    /// The message for the file at this path.
    pub(super) fn with(self, path: &Path) -> String {
        let advice = self.advice.replace("FILE", &quoted(&path.display().to_string()));
        format!("it is {}: {advice}", self.what)
    }
}

const PKCS12: Unsupported = Unsupported {
    what: "PKCS#12",
    advice: "`openssl pkcs12 -in FILE -nodes -out bundle.pem` (with -legacy for one of an old program) asks for its password \
          and writes PEM; import bundle.pem, and remove it then",
};
const KEYSTORE: Unsupported = Unsupported {
    what: "a Java keystore",
    advice: "`keytool -importkeystore -srckeystore FILE -destkeystore bundle.p12 -deststoretype PKCS12` and `openssl pkcs12 \
          -in bundle.p12 -nodes -out bundle.pem` write PEM; import bundle.pem, and remove both then",
};
const CERTIFICATE_DER: Unsupported = Unsupported {
    what: "a certificate in DER",
    advice: "`openssl x509 -inform DER -in FILE -out chain.pem` writes PEM; import that, with --key KEY.pem",
};
const KEY_DER: Unsupported = Unsupported {
    what: "a private key in DER",
    advice: "`openssl pkey -inform DER -in FILE -out key.pem` writes PEM; import the chain with --key key.pem",
};
const PKCS7_DER: Unsupported = Unsupported {
    what: "PKCS#7, a chain without a key",
    advice: "`openssl pkcs7 -inform DER -in FILE -print_certs -out chain.pem` writes PEM; import that, with --key KEY.pem",
};
const ARCHIVE: Unsupported = Unsupported { what: "an archive", advice: "unpack FILE, and import what is in it" };

/// Recognises a binary file by its first bytes.
pub(super) fn binary(bytes: &[u8]) -> Option<Unsupported> {
    match bytes {
        [0xfe, 0xed, 0xfe, 0xed, ..] | [0xce, 0xce, 0xce, 0xce, ..] => Some(KEYSTORE),
        [0x1f, 0x8b, ..] | [b'P', b'K', 3, 4, ..] | [b'B', b'Z', b'h', ..] | [0xfd, b'7', b'z', ..] => Some(ARCHIVE),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Some(ARCHIVE),
        _ if bytes.get(257..262) == Some(b"ustar") => Some(ARCHIVE),
        [0x30, rest @ ..] => der(bytes, rest),
        _ => None,
    }
}

/// Recognises a sequence of DER by its first member. `rest` begins with the sequence's length.
fn der(whole: &[u8], rest: &[u8]) -> Option<Unsupported> {
    let (first, rest) = rest.split_first()?;
    let more = match first {
        0..=0x80 => 0,
        length => usize::from(length & 0x7f),
    };
    match rest.get(more..)? {
        [0x02, 0x01, 0x03, 0x30, ..] => Some(PKCS12),
        [0x02, 0x01, 0 | 1, ..] => Some(KEY_DER),
        [0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x02, ..] => Some(PKCS7_DER),
        _ => X509Certificate::from_der(whole).is_ok().then_some(CERTIFICATE_DER),
    }
}

/// Configurations, by a word in them. The first match counts.
const CONFIGURATIONS: [(&[&str], Unsupported); 7] = [
    (
        &["certificatesResolvers", "certificatesresolvers", "[acme]", "entryPoints"],
        Unsupported {
            what: "Traefik's configuration",
            advice: "its certificates are in the file that acme.storage names in it (acme.json): import that; FILE itself is \
                  for `envoy-autocert run --config`",
        },
    ),
    (
        &["ssl_certificate", "acme_issuer"],
        Unsupported {
            what: "nginx's configuration",
            advice: "import the files that it names: `import CHAIN.pem --key KEY.pem` for ssl_certificate and \
                  ssl_certificate_key, and the state_path of each acme_issuer",
        },
    ),
    (
        &["SSLCertificateFile", "MDomain"],
        Unsupported {
            what: "Apache's configuration",
            advice: "import the files that it names: `import CHAIN.pem --key KEY.pem` for SSLCertificateFile and \
                  SSLCertificateKeyFile, and the MDStoreDir of mod_md",
        },
    ),
    (
        &["\nfrontend "],
        Unsupported {
            what: "HAProxy's configuration",
            advice: "import the file or the directory that `crt` names in it",
        },
    ),
    (
        &["\"apps\"", "reverse_proxy", "Caddyfile"],
        Unsupported {
            what: "Caddy's configuration",
            advice: "its certificates are in Caddy's data directory (~/.local/share/caddy, /var/lib/caddy/.local/share/caddy, \
                  or the volume /data of its container): import that",
        },
    ),
    (
        &["renewalparams"],
        Unsupported {
            what: "how certbot renews a certificate",
            advice: "import certbot's whole directory (/etc/letsencrypt)",
        },
    ),
    (
        &[
            "clusters:",
            "dynamicResources",
            "dynamic_resources",
            "filterChains",
            "filter_chains",
            "layered_runtime",
            "listeners:",
            "load_assignment",
            "staticResources",
            "static_resources",
            "type.googleapis.com/envoy.",
        ],
        Unsupported {
            what: "Envoy's configuration",
            advice: "import the files that it names: `import CHAIN.pem --key KEY.pem` for certificate_chain and private_key; FILE \
                  itself is for `envoy-autocert render --into`",
        },
    ),
];

const WIN_ACME: Unsupported = Unsupported {
    what: "win-acme's",
    advice: "it keeps certificates in Windows' store and as PKCS#12: have it write PEM (wacs --store pemfiles), or turn each \
          .pfx into PEM (`openssl pkcs12 -in NAME.pfx -nodes -out NAME.pem`; the password is in the renewal's details), and \
          import the directory with the PEM files",
};

const SDS: Unsupported = Unsupported {
    what: "a secret of Envoy's",
    advice: "import the files that it names: `import CHAIN.pem --key KEY.pem` for certificate_chain and private_key (what \
          stands in FILE itself goes into two files first)",
};

/// Recognises a text that is known to hold no certificates.
pub(super) fn configuration(text: &[u8]) -> Option<Unsupported> {
    let text = String::from_utf8_lossy(text);
    if is_win_acmes(&text) {
        return Some(WIN_ACME);
    }
    if text.contains("transport_sockets.tls.v3.Secret") {
        return Some(SDS);
    }
    let known = CONFIGURATIONS.iter().find(|(words, _)| words.iter().any(|word| text.contains(word)));
    known.map(|(_, other)| *other)
}

fn is_win_acmes(text: &str) -> bool {
    text.contains("\"LastFriendlyName\"") || text.contains("\"TargetPluginOptions\"")
}

/// Recognises a directory that is known to hold no certificates that can be imported.
pub(super) fn directory(path: &Path) -> Option<Unsupported> {
    let is_renewal = |entry: &PathBuf| entry.to_string_lossy().ends_with(".renewal.json");
    let mut directories: Vec<PathBuf> = entries(path).into_iter().filter(|entry| entry.is_dir()).collect();
    directories.push(path.to_owned());
    directories.iter().any(|directory| entries(directory).iter().any(is_renewal)).then_some(WIN_ACME)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn advice(other: Option<Unsupported>) -> String {
        other.unwrap().with(Path::new("x"))
    }

    #[test]
    fn what_is_no_text_is_known_by_how_it_begins() {
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate = rcgen::CertificateParams::new(vec!["a.example".into()]).unwrap().self_signed(&key).unwrap();
        for (bytes, expected) in [
            (&[0x30, 0x82, 1, 0, 2, 1, 3, 0x30, 0x80][..], "openssl pkcs12 -in x -nodes"),
            (&[0xfe, 0xed, 0xfe, 0xed, 0, 0], "keytool"),
            (&key.serialize_der(), "openssl pkey -inform DER"),
            (certificate.der(), "openssl x509 -inform DER"),
            (b"\x1f\x8b\x08", "unpack x"),
        ] {
            assert!(advice(binary(bytes)).contains(expected), "{expected}");
        }
        for other in [&b""[..], b"{}", b"0", b"0\x84", b"0\xff\xff"] {
            assert_eq!(binary(other), None);
        }
    }

    #[test]
    fn a_configuration_is_named_and_where_its_certificates_are() {
        for (text, expected) in [
            ("certificatesResolvers:\n  le: {}\n", "acme.storage"),
            ("[certificatesResolvers.le.acme]\nstorage = \"acme.json\"\n", "acme.storage"),
            ("server { ssl_certificate /x; }", "ssl_certificate_key"),
            ("<VirtualHost>\nSSLCertificateFile /x\n", "MDStoreDir"),
            ("{\"apps\": {\"http\": {}}}", "data directory"),
            ("static_resources:\n  listeners: []\n", "render --into"),
            ("resources:\n- \"@type\": type.googleapis.com/envoy.config.cluster.v3.Cluster\n", "render --into"),
            ("{\"LastFriendlyName\": \"x\"}", "wacs --store pemfiles"),
        ] {
            assert!(advice(configuration(text.as_bytes())).contains(expected), "{text}");
        }
        assert_eq!(configuration(b"hello"), None);
    }
}
