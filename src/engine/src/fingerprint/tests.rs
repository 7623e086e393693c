//! Waits that hold, and waits that are lifted, when options change.

#![allow(clippy::arithmetic_side_effects)]

use std::collections::HashSet;

#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::*;
use crate::plan::{Plan, plan};
use crate::schedule::Schedule;
use config::{CaCluster, DnsPersistChallenge, Eab, HttpChallenge, TlsChallenge, parse};
use protocol::{Attempt, CertificateId, KeyType};

const NOW: i64 = 1_800_000_000;
const HOUR: i64 = 60 * 60;

/// Whatever may be mended stands in it.
fn config() -> Config {
    let acme = serde_json::json!({
        "email": "ops@example.com",
        "caServer": "https://ca.example/directory",
        "eab": { "kid": "kid-1" },
        "emailAddresses": ["a@example.com"],
        "httpChallenge": { "entryPoint": "web" },
    });
    parse(&serde_json::json!({
        "certificatesResolvers": { "le": { "acme": acme }, "other": { "acme": acme } },
        "routers": { "a": { "rule": "Host(`a.example`)", "tls": { "certResolver": "le" } } },
        "caClusters": { "ca.example": "ca" },
        "sidecar": { "cluster": "sidecar" },
    }))
    .unwrap()
}

/// A configuration whose resolver `le` has been changed.
fn mended(mend: impl FnOnce(&mut Resolver)) -> Config {
    let mut config = config();
    mend(config.resolvers.iter_mut().find(|resolver| resolver.name == "le").unwrap());
    config
}

/// The plan after a third failure of this class with the options of [`config`], the wait being an hour.
fn after(class: Class, mended: &Config) -> Plan {
    let config = config();
    after_with(Some(fingerprint(&config, config.resolver("le").unwrap(), class)), mended)
}

fn after_with(made_with: Option<u32>, config: &Config) -> Plan {
    let id = CertificateId { resolver: "le".into(), names: vec!["a.example".into()] };
    let reason = String::new();
    let attempt = Attempt {
        certificate: id,
        failures: 3,
        retry_at: NOW + HOUR,
        reason,
        order_is_dead: false,
        fingerprint: made_with,
        ..Attempt::default()
    };
    let mut state = State { attempts: vec![attempt], ..State::default() };
    lift_waits(&mut state, config);
    assert_eq!(state.attempts[0].failures, 3, "failures keep counting");
    plan(&config.wants, &state, &HashSet::new(), NOW, &Schedule::default(), &config.engine)
}

fn waits(plan: &Plan) -> bool {
    plan.due.is_empty() && plan.next_wake == Some(NOW + HOUR)
}

const OWN_WAITS: [Class; 3] = [Class::Permanent, Class::Transient(None), Class::Validation];
const WAITS_OF_THE_CA: [Class; 3] = [
    Class::RateLimited(None),
    Class::RateLimited(Some(Duration::from_secs(3600))),
    Class::Transient(Some(Duration::from_secs(3600))),
];

fn dns(provider: &str, disable_checks: bool) -> DnsChallenge {
    let propagation = Propagation { disable_checks, ..Propagation::default() };
    DnsChallenge { provider: provider.to_owned(), resolvers: Vec::new(), propagation }
}

type Mend = fn(&mut Resolver);

#[test]
fn any_other_option_makes_it_due_at_once() {
    let mends: [(&str, Mend); 20] = [
        ("email", |le| le.email = Some("dev@example.com".into())),
        ("caServer", |le| le.ca_server = "https://ca.example/other".into()),
        ("keyType", |le| le.key_type = KeyType::Rsa8192),
        ("no eab", |le| le.eab = None),
        ("eab.kid", |le| le.eab = Some(Eab { kid: "kid-2".into() })),
        ("preferredChain", |le| le.preferred_chain = Some("Root X1".into())),
        ("profile", |le| le.profile = Some("shortlived".into())),
        ("emailAddresses", |le| le.email_addresses.push("b@example.com".into())),
        ("disableCommonName", |le| le.disable_common_name = true),
        ("clientTimeout", |le| le.client_timeout += Duration::from_secs(1)),
        ("clientResponseHeaderTimeout", |le| le.client_response_header_timeout += Duration::from_secs(1)),
        ("certificateTimeout", |le| le.certificate_timeout += Duration::from_secs(1)),
        ("caCertificates", |le| le.ca_trust.certificates = std::mem::take(&mut le.email_addresses)),
        ("caServerName", |le| le.ca_trust.server_name = Some("ca.internal".into())),
        ("httpChallenge.entryPoint", |le| {
            le.http_challenge = Some(HttpChallenge { entry_point: "http".into(), delay: Duration::ZERO });
        }),
        ("httpChallenge.delay", |le| {
            le.http_challenge = Some(HttpChallenge { entry_point: "web".into(), delay: Duration::from_secs(1) });
        }),
        ("tlsChallenge", |le| le.tls_challenge = Some(TlsChallenge::default())),
        ("dnsChallenge.provider", |le| le.dns_challenge = Some(dns("exec", false))),
        ("dnsChallenge.propagation", |le| le.dns_challenge = Some(dns("rfc2136", true))),
        ("dnsPersistChallenge", |le| le.dns_persist_challenge = Some(DnsPersistChallenge::default())),
    ];
    for class in OWN_WAITS {
        for (option, mend) in mends {
            assert_eq!(after(class, &mended(mend)).due.len(), 1, "{option} after {class:?}");
        }
        let origin = acme::origin::Origin::from_authority("api.ca.example").unwrap();
        let mut config = config();
        config.ca_clusters.push(CaCluster { origin, cluster: "ca".into() });
        assert_eq!(after(class, &config).due.len(), 1, "caClusters after {class:?}");
    }
}

#[test]
fn with_the_same_options_it_waits() {
    for class in OWN_WAITS.into_iter().chain(WAITS_OF_THE_CA) {
        assert!(waits(&after(class, &config())), "{class:?}");
        let elsewhere = mended(|le| {
            le.storage = Some("other.json".into());
            le.certificates_duration = Some(Duration::from_secs(3600));
        });
        assert!(waits(&after(class, &elsewhere)), "{class:?}");
        let mut config = config();
        config.resolvers.iter_mut().filter(|resolver| resolver.name != "le").for_each(|other| other.email = None);
        assert!(waits(&after(class, &config)), "{class:?} of another resolver");
    }
}

#[test]
fn a_wait_that_the_ca_asked_for_holds_until_another_ca_is_asked() {
    for class in WAITS_OF_THE_CA {
        let other_account = mended(|le| {
            le.eab = None;
            le.email = Some("dev@example.com".into());
            le.profile = Some("shortlived".into());
        });
        assert!(waits(&after(class, &other_account)), "{class:?}");
        let other_ca = mended(|le| le.ca_server = "https://staging.ca.example/directory".into());
        assert_eq!(after(class, &other_ca).due.len(), 1, "{class:?}");
    }
}

#[test]
fn a_try_that_remembers_nothing_waits_whatever_has_changed() {
    assert!(waits(&after_with(None, &mended(|le| le.eab = None))));
}

#[test]
fn a_fingerprint_is_the_same_in_every_version() {
    let config = config();
    let of = |class| fingerprint(&config, config.resolver("le").unwrap(), class);
    assert_eq!((of(Class::Permanent), of(Class::RateLimited(None))), (3_765_220_572, 2_637_145_306));
}
