//! Configurations, correct and wrong: every mistake has its line, and a correct configuration gives the expected
//! values.

use std::time::Duration;

use config::{Config, Role, parse};
use protocol::KeyType;
use protocol::Limits;
use serde_json::{Value, json};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

/// The minimal configuration.
fn least() -> Value {
    json!({
        "certificatesResolvers": {
            "le": {"acme": {"email": "ops@example.com", "httpChallenge": {"entryPoint": "web"}}}
        },
        "routers": {"shop": {"rule": "Host(`shop.example`)", "tls": {"certResolver": "le"}}},
        "sidecar": {"cluster": "autocert_api"}
    })
}

fn ok(value: &Value) -> Config {
    parse(value).unwrap_or_else(|mistakes| panic!("{mistakes:?}"))
}

fn lines(value: &Value) -> Vec<String> {
    parse(value).err().unwrap_or_default().iter().map(ToString::to_string).collect()
}

/// The minimal configuration, with the value at a JSON pointer replaced, added, or (null) removed.
fn with(pointer: &str, value: Value) -> Value {
    let mut config = least();
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    let parent = config.pointer_mut(parent).unwrap().as_object_mut().unwrap();
    if value.is_null() {
        parent.remove(key)
    } else {
        parent.insert(key.to_owned(), value)
    };
    config
}

/// The minimal configuration, with more options of the resolver.
fn with_options(acme: &Value) -> Value {
    let mut config = least();
    let options = config.pointer_mut(ACME).unwrap().as_object_mut().unwrap();
    options.extend(acme.as_object().unwrap().clone());
    config
}

const ACME: &str = "/certificatesResolvers/le/acme";

#[test]
fn the_least_configuration_has_traefiks_defaults() {
    let config = ok(&least());
    let le = config.resolver("le").unwrap();
    assert_eq!(le.ca_server, "https://acme-v02.api.letsencrypt.org/directory");
    assert_eq!(le.key_type, KeyType::Rsa4096);
    assert_eq!(le.client_timeout, Duration::from_secs(120));
    assert_eq!(le.client_response_header_timeout, Duration::from_secs(30));
    assert_eq!(config.role, Role::Auto);
    assert_eq!(config.engine.max_orders, 20);
    assert_eq!(config.engine.retry_min, Duration::from_secs(60));
    assert_eq!(config.engine.retry_max, Duration::from_secs(6 * 3600));
    assert_eq!(config.wants[0].names, ["shop.example"]);
}

#[test]
fn every_option_is_taken() {
    let config = ok(&json!({
        "certificatesResolvers": {"le": {"acme": {
            "email": "ops@example.com", "storage": "acme.json", "keyType": "EC384",
            "caServer": "https://ca.example:14000/dir", "httpChallenge": {"entryPoint": "web"},
            "clientTimeout": "1m30s", "clientResponseHeaderTimeout": 10.0
        }}},
        "routers": {
            "b": {"rule": "Host(`ignored.example`)",
                  "tls": {"certResolver": "le", "domains": [{"main": "b.example", "sans": ["WWW.b.example", "b.example"]}, {"main": "c.example"}]}},
            "a": {"rule": "Host(`a.example`) || Host(`bücher.example.`)", "tls": {"certResolver": "le"}},
            "plain": {"rule": "Host(`plain.example`)"}
        },
        "sidecar": {"cluster": "s"}, "caClusters": {"CA.example:14000": "pebble"}, "role": "engine",
        "engine": {"maxOrders": 5, "retryMin": "1s", "retryMax": "10s"}
    }));
    let le = config.resolver("le").unwrap();
    assert_eq!((le.key_type, le.client_timeout), (KeyType::Ec384, Duration::from_secs(90)));
    assert_eq!(le.client_response_header_timeout, Duration::from_secs(10));
    let known = &config.ca_clusters[0];
    assert_eq!((known.origin.authority().as_str(), known.cluster.as_str()), ("ca.example:14000", "pebble"));
    let names: Vec<&[String]> = config.wants.iter().map(|id| id.names.as_slice()).collect();
    assert_eq!(names, [&["a.example", "xn--bcher-kva.example"][..], &["b.example", "www.b.example"], &["c.example"]]);
    assert_eq!(config.warnings, ["routers.a.rule: the dot at the end of xn--bcher-kva.example. is dropped"]);
}

#[test]
fn a_token_is_one_or_a_list_while_it_is_replaced() {
    let tokens = |value: Value| {
        let config = config::parse(&with("/sidecar", json!({"cluster": "a", "token": value})));
        config.map(|config| config.sidecar_tokens.iter().map(|token| token.expose().to_owned()).collect::<Vec<_>>())
    };
    let (new, old) = ("0123456789abcdef-new", "0123456789abcdef-old");
    assert_eq!(tokens(json!(new)), Ok(vec![new.to_owned()]));
    assert_eq!(tokens(json!([new, old])), Ok(vec![new.to_owned(), old.to_owned()]));
    assert_eq!(tokens(json!(null)), Ok(Vec::new()));
    for wrong in [json!([]), json!([new, "short"]), json!(vec![new; 5]), json!({"a": new})] {
        let mistakes = tokens(wrong).unwrap_err();
        assert!(mistakes.iter().all(|mistake| !mistake.to_string().contains(new)), "{mistakes:?}");
    }
}

#[test]
fn every_option_of_the_resolver_is_taken() {
    let acme = json!({
        "email": "ops@example.com", "caServer": "https://ca.example/dir", "storage": "le.json",
        "eab": {"kid": "kid-1"}, "preferredChain": "Root X2", "profile": "shortlived",
        "emailAddresses": ["a@example.com"], "disableCommonName": "true", "certificatesDuration": 720.0,
        "certificateTimeout": "1m", "caCertificates": ["/ca.pem"], "caSystemCertPool": true, "caServerName": "Pebble",
        "httpChallenge": {"entryPoint": "web", "delay": -1}, "tlsChallenge": {"delay": "5s"},
        "dnsChallenge": {
            "provider": "rfc2136", "resolvers": ["1.1.1.1", "[2606:4700::1111]:5353", "2606:4700::1111", "ns.example"],
            "propagation": {"delayBeforeChecks": 10, "requireAllRNS": true, "disableANSChecks": true},
            "disablePropagationCheck": true, "delayBeforeCheck": 3
        },
        "dnsPersistChallenge": {"resolvers": ["9.9.9.9"]}
    });
    let config = ok(&with(ACME, acme));
    let le = config.resolver("le").unwrap();
    assert_eq!(le.eab.as_ref().unwrap().kid, "kid-1");
    assert_eq!((le.preferred_chain.as_deref(), le.profile.as_deref()), (Some("Root X2"), Some("shortlived")));
    assert_eq!(le.email.as_deref(), Some("ops@example.com"));
    assert_eq!(ok(&with("/certificatesResolvers/le/acme/email", json!("none"))).resolver("le").unwrap().email, None);
    assert_eq!((le.email_addresses.as_slice(), le.disable_common_name), (&["a@example.com".to_owned()][..], true));
    assert_eq!(le.certificates_duration, Some(Duration::from_secs(30 * 24 * 3600)));
    assert_eq!(le.certificate_timeout, Duration::from_secs(60));
    assert_eq!(
        (le.storage.as_deref(), le.ca_trust.certificates.as_slice()),
        (Some("le.json"), &["/ca.pem".to_owned()][..])
    );
    assert_eq!((le.ca_trust.system_cert_pool, le.ca_trust.server_name.as_deref()), (true, Some("pebble")));
    assert_eq!(le.http_challenge.as_ref().unwrap().delay, Duration::ZERO);
    assert_eq!(le.tls_challenge.as_ref().unwrap().delay, Duration::from_secs(5));
    let dns = le.dns_challenge.as_ref().unwrap();
    assert_eq!(dns.resolvers, ["1.1.1.1:53", "[2606:4700::1111]:5353", "[2606:4700::1111]:53", "ns.example:53"]);
    assert_eq!(dns.propagation.delay_before_checks, Duration::from_secs(10), "the new name counts");
    assert!(dns.propagation.disable_checks && dns.propagation.require_all_rns && dns.propagation.disable_ans_checks);
    assert_eq!(le.dns_persist_challenge.as_ref().unwrap().resolvers, ["9.9.9.9:53"]);
    assert_eq!(config.warnings.len(), 2, "{:?}", config.warnings);
}

#[test]
fn what_is_asked_of_a_ca_is_limited_as_it_publishes_or_as_the_user_says() {
    let limits = |acme: Value| {
        let config = ok(&with_options(&acme));
        let Limits { orders, certificates, duplicates, failures } = config.resolvers[0].limits;
        [orders, certificates, duplicates, failures].map(|limit| limit.map_or("none".into(), |limit| limit.to_string()))
    };
    let public = json!("https://acme.zerossl.com/v2/DV90");
    let private = json!("https://ca.internal:14000/dir");
    for (acme, expected) in [
        (json!({}), ["300/3h", "50/7d", "5/7d", "5/1h"]),
        (json!({"caServer": public}), ["300/3h", "50/7d", "5/7d", "5/1h"]),
        (json!({"caServer": private}), ["none"; 4]),
        (json!({"rateLimits": "none"}), ["none"; 4]),
        (
            json!({"rateLimits": {"certificatesPerDomain": "none", "ordersPerAccount": "10/1m"}}),
            ["10/1m", "none", "5/7d", "5/1h"],
        ),
        (
            json!({"caServer": private, "rateLimits": {"failedAuthorizations": "3/24h"}}),
            ["none", "none", "none", "3/1d"],
        ),
    ] {
        assert_eq!(limits(acme.clone()), expected, "{acme}");
    }
}

#[test]
fn the_test_system_of_lets_encrypt_is_known_and_that_of_another_ca_can_be_named() {
    let staging = |acme: Value| ok(&with_options(&acme)).resolvers[0].staging_server.clone();
    let lets_encrypt = "https://acme-staging-v02.api.letsencrypt.org/directory";
    assert_eq!(staging(json!({})).as_deref(), Some(lets_encrypt));
    assert_eq!(staging(json!({"stagingServer": "none"})), None);
    assert_eq!(staging(json!({"caServer": lets_encrypt})), None);
    assert_eq!(staging(json!({"caServer": "https://ca.example/dir"})), None);
    let other = json!({"caServer": "https://ca.example/dir", "stagingServer": "https://staging.ca.example/dir"});
    assert_eq!(staging(other).as_deref(), Some("https://staging.ca.example/dir"));
}

#[test]
fn a_fallback_that_is_no_other_resolver_has_its_line() {
    let mut config = with(&format!("{ACME}/fallback"), json!(["zero-ssl", "zerossl", "zero-ssl"]));
    let mut other = least()["certificatesResolvers"]["le"].clone();
    other["acme"]["fallback"] = json!([]);
    config["certificatesResolvers"]["zero-ssl"] = other;
    let path = "certificatesResolvers.le.acme.fallback";
    assert_eq!(
        lines(&config),
        [
            format!(
                "{path}[1]: found \"zerossl\", expected one of the other resolvers zero-ssl; did you mean zero-ssl?"
            ),
            format!("{path}[2]: found \"zero-ssl\", expected each resolver once"),
        ]
    );
}

#[test]
fn two_resolvers_may_fall_back_to_each_other() {
    let mut config = with(&format!("{ACME}/fallback"), json!(["zero"]));
    let mut zero = config["certificatesResolvers"]["le"].clone();
    zero["acme"]["fallback"] = json!(["le"]);
    config["certificatesResolvers"]["zero"] = zero;
    let fallbacks: Vec<_> = ok(&config).resolvers.into_iter().map(|resolver| resolver.fallback).collect();
    assert_eq!(fallbacks, [["zero"], ["le"]]);
}

#[test]
fn a_mac_key_or_its_location_is_refused_and_the_sidecars_flag_is_named() {
    for (hmac, found, flag) in [
        (json!("file:/run/secrets/eab"), "\"file:/run/secrets/eab\"", "--eab le=file:/run/secrets/eab"),
        (json!("env:EAB_HMAC"), "\"env:EAB_HMAC\"", "--eab le=env:EAB_HMAC"),
        (json!("c2VjcmV0cw=="), "a MAC key, or what should be one", "--eab le=file:PATH (or env:NAME)"),
        (json!("not base64!"), "a MAC key, or what should be one", "--eab le=file:PATH (or env:NAME)"),
        (json!(7), "a MAC key, or what should be one", "--eab le=file:PATH (or env:NAME)"),
    ] {
        let config = with(&format!("{ACME}/eab"), json!({"kid": "k", "hmacEncoded": hmac}));
        let mistakes = parse(&config).unwrap_err();
        let [mistake] = &mistakes[..] else { panic!("{mistakes:?}") };
        assert_eq!(
            mistake.to_string(),
            format!(
                "certificatesResolvers.le.acme.eab.hmacEncoded: found {found}, expected no hmacEncoded in Envoy's \
                 configuration: the sidecar takes the MAC key from its own flag, {flag}"
            )
        );
    }
}

#[test]
fn plaintext_requests_are_redirected_only_where_that_is_asked_for() {
    let redirect = |value: Value| config::parse(&value).map(|config| config.redirect.map(|to| to.port));
    assert_eq!(redirect(json!({"role": "responder"})), Ok(None));
    assert_eq!(redirect(json!({"role": "responder", "redirect": null})), Ok(None));
    assert_eq!(redirect(json!({"role": "responder", "redirect": "certified"})), Ok(Some(443)));
    let port = |port: Value| redirect(json!({"role": "responder", "redirect": "certified", "redirectPort": port}));
    assert_eq!(port(json!(8443.0)), Ok(Some(8443)));
    for wrong in [json!(0), json!(65_536), json!("https")] {
        let mistakes = port(wrong).unwrap_err();
        assert!(mistakes[0].to_string().contains("expected a whole number from 1 to 65535"), "{mistakes:?}");
    }
}

#[test]
fn a_responder_needs_nothing() {
    assert_eq!(ok(&json!({"role": "responder"})).role, Role::Responder);
}

#[test]
fn the_same_certificate_of_two_routers_is_wanted_once() {
    let again = json!({"rule": "Host(`b.example`, `shop.example`)", "tls": {"certResolver": "le"}});
    let mut config = with("/routers/again", again);
    config["routers"]["shop"]["rule"] = json!("Host(`shop.example`, `b.example`)");
    assert_eq!(ok(&config).wants.len(), 1);
}

#[test]
fn each_mistake_has_its_line() {
    let acme = |key: &str| format!("{ACME}/{key}");
    let tls = "/routers/shop/tls";
    let token = "sidecar.token: found something else, expected one of the tokens of the sidecar's --api-token-file: 16 or \
                 more printable ASCII characters";
    let cases: Vec<(Value, String)> = vec![
        (json!([]), "configuration: found a list of 0, expected an object".into()),
        (json!("x"), "configuration: found \"x\", expected an object".into()),
        (json!(null), "configuration: found nothing, expected an object".into()),
        (with("/role", json!("enigne")), "role: found \"enigne\", expected one of auto, engine, responder; did you mean engine?".into()),
        (with("/role", json!(7)), "role: found the number 7, expected one of auto, engine, responder".into()),
        (with("/redirect", json!("certifed")), "redirect: found \"certifed\", expected one of certified; did you mean certified?".into()),
        (with("/redirect", json!(true)), "redirect: found true, expected one of certified".into()),
        (with("/redirectPort", json!(8443)), "redirectPort: found the number 8443, expected no such key without `redirect: certified`".into()),
        (with("/certificatesResolver", json!({})), "certificatesResolver: found an unknown key, expected one of the keys role, entryPoint, redirect, redirectPort, certificatesResolvers, routers, sidecar, caClusters, engine; did you mean certificatesResolvers?".into()),
        (with("/sidecar", Value::Null), "sidecar.cluster: found nothing, expected the name of the Envoy cluster of the sidecar's API".into()),
        (with("/sidecar", json!("x")), "sidecar: found \"x\", expected an object".into()),
        (with("/sidecar", json!({})), "sidecar.cluster: found nothing, expected the name of the Envoy cluster of the sidecar's API".into()),
        (with("/sidecar", json!({"cluster": ""})), "sidecar.cluster: found an empty text, expected the name of an Envoy cluster".into()),
        (with("/sidecar/token", json!("s3cret")), token.into()),
        (with("/sidecar/token", json!("0123456789 abcdef")), token.into()),
        (with("/sidecar/token", json!(1_234_567_890_123_456_u64)), token.into()),
        (with("/sidecar", json!({"cluster": "a", "clusters": "b"})), "sidecar.clusters: found an unknown key, expected one of the keys cluster, token; did you mean cluster?".into()),
        (with("/caClusters", json!({"ca.example": 5})), "caClusters.ca.example: found the number 5, expected the name of an Envoy cluster".into()),
        (with("/caClusters", json!({"https://ca.example": "x"})), "caClusters.https://ca.example: found this key, expected a CA's host, or host:port".into()),
        (with("/engine", json!({"maxOrders": 0})), "engine.maxOrders: found the number 0, expected a whole number from 1 to 1000".into()),
        (with("/engine", json!({"maxOrders": 2.5})), "engine.maxOrders: found the number 2.5, expected a whole number from 1 to 1000".into()),
        (with("/engine", json!({"maxOrders": -1})), "engine.maxOrders: found the number -1, expected a whole number from 1 to 1000".into()),
        (with("/engine", json!({"retryMin": "fast"})), "engine.retryMin: found \"fast\", expected a duration from 100ms to 24h, as 90s, 1m30s or seconds".into()),
        (with("/engine", json!({"retryMin": "1h", "retryMax": "1m"})), "engine.retryMin: found \"1h\", expected a duration no longer than engine.retryMax".into()),
        (with("/engine", json!({"retries": 3})), "engine.retries: found an unknown key, expected one of the keys maxOrders, retryMin, retryMax".into()),
        (with("/certificatesResolvers/le", json!({})), "certificatesResolvers.le.acme: found nothing, expected the resolver's ACME options".into()),
        (with("/certificatesResolvers/le", json!(true)), "certificatesResolvers.le: found true, expected an object".into()),
        (with(&acme("email"), Value::Null), "certificatesResolvers.le.acme.email: found nothing, expected a mail address for the CA's notices, as ops@example.com, or none".into()),
        (with(&acme("email"), json!("ops")), "certificatesResolvers.le.acme.email: found \"ops\", expected a mail address for the CA's notices, as ops@example.com, or none".into()),
        (with(&acme("email"), json!("a@b@c")), "certificatesResolvers.le.acme.email: found \"a@b@c\", expected a mail address for the CA's notices, as ops@example.com, or none".into()),
        (with(&acme("email"), json!("a@b.example\r\nx")), "certificatesResolvers.le.acme.email: found \"a@b.example\\r\\nx\", expected a mail address for the CA's notices, as ops@example.com, or none".into()),
        (with(&acme("caServer"), json!("http://ca.example/dir")), "certificatesResolvers.le.acme.caServer: found \"http://ca.example/dir\", expected the https URL of a CA's directory".into()),
        (with(&acme("caServer"), json!("https://u:p@ca.example/dir")), "certificatesResolvers.le.acme.caServer: found a URL with a user name or password, expected the https URL of a CA's directory".into()),
        (with(&acme("caServer"), json!("https://acme-v01.api.letsencrypt.org/directory")), "certificatesResolvers.le.acme.caServer: found \"https://acme-v01.api.letsencrypt.org/directory\", expected a directory that still exists; did you mean https://acme-v02.api.letsencrypt.org/directory?".into()),
        (with(&acme("caServer"), json!("https://acme-staging.api.letsencrypt.org/directory")), "certificatesResolvers.le.acme.caServer: found \"https://acme-staging.api.letsencrypt.org/directory\", expected a directory that still exists; did you mean https://acme-staging-v02.api.letsencrypt.org/directory?".into()),
        (with(&acme("keyType"), json!("ec256")), "certificatesResolvers.le.acme.keyType: found \"ec256\", expected one of EC256, EC384, RSA2048, RSA4096, RSA8192; did you mean EC256?".into()),
        (with(&acme("keyType"), json!("ED25519")), "certificatesResolvers.le.acme.keyType: found \"ED25519\", expected one of EC256, EC384, RSA2048, RSA4096, RSA8192".into()),
        (with(&acme("httpChallenge"), Value::Null), "certificatesResolvers.le.acme.httpChallenge: found nothing, expected one of httpChallenge.entryPoint, tlsChallenge and dnsChallenge.provider: how names are proved".into()),
        (with(&acme("httpChallenge"), json!({})), "certificatesResolvers.le.acme.httpChallenge.entryPoint: found nothing, expected the name of the entry point that the CA reaches on port 80".into()),
        (with(&acme("httpChallenge"), json!({"entrypoint": "web", "entryPoint": "web"})), "certificatesResolvers.le.acme.httpChallenge.entrypoint: found an unknown key, expected one of the keys entryPoint, delay; did you mean entryPoint?".into()),
        (with(&acme("clientTimeout"), json!("5s")), "certificatesResolvers.le.acme.clientTimeout: found \"5s\", expected a clientTimeout that is not shorter than clientResponseHeaderTimeout".into()),
        (with(&acme("clientTimeout"), json!("1d")), "certificatesResolvers.le.acme.clientTimeout: found \"1d\", expected a duration from 100ms to 1h, as 90s, 1m30s or seconds".into()),
        (with(&acme("clientResponseHeaderTimeout"), json!("3m")), "certificatesResolvers.le.acme.clientResponseHeaderTimeout: found \"3m\", expected a clientTimeout that is not shorter than clientResponseHeaderTimeout".into()),
        (with(&acme("storage"), json!({})), "certificatesResolvers.le.acme.storage: found an object, expected a path".into()),
        (with(&acme("eab"), json!({})), "certificatesResolvers.le.acme.eab.kid: found nothing, expected the key identifier that the CA gave you".into()),
        (with(&acme("certificatesDuration"), json!(0)), "certificatesResolvers.le.acme.certificatesDuration: found the number 0, expected a whole number from 1 to 878400".into()),
        (with(&acme("certificatesDuration"), json!("90d")), "certificatesResolvers.le.acme.certificatesDuration: found \"90d\", expected a whole number from 1 to 878400".into()),
        (with(&acme("preferredChain"), json!(1)), "certificatesResolvers.le.acme.preferredChain: found the number 1, expected the common name of a chain's issuer".into()),
        (with(&acme("profile"), json!("")), "certificatesResolvers.le.acme.profile: found an empty text, expected the name of one of the CA's profiles".into()),
        (with(&acme("emailAddresses"), json!("ops@example.com")), "certificatesResolvers.le.acme.emailAddresses: found \"ops@example.com\", expected a list of mail addresses".into()),
        (with(&acme("emailAddresses"), json!(["ops"])), "certificatesResolvers.le.acme.emailAddresses[0]: found \"ops\", expected a mail address, as ops@example.com".into()),
        (with(&acme("disableCommonName"), json!("yes")), "certificatesResolvers.le.acme.disableCommonName: found \"yes\", expected true or false".into()),
        (with(&acme("certificateTimeout"), json!("0s")), "certificatesResolvers.le.acme.certificateTimeout: found \"0s\", expected a duration from 100ms to 1h, as 90s, 1m30s or seconds".into()),
        (with(&acme("caCertificates"), json!("/ca.pem")), "certificatesResolvers.le.acme.caCertificates: found \"/ca.pem\", expected a list of PEM files".into()),
        (with(&acme("caSystemCertPool"), json!(1)), "certificatesResolvers.le.acme.caSystemCertPool: found the number 1, expected true or false".into()),
        (with(&acme("caServerName"), json!("a b")), "certificatesResolvers.le.acme.caServerName: found \"a b\", expected the DNS name in the certificate of the CA's server".into()),
        (with(&acme("httpChallenge"), json!({"entryPoint": "web", "delay": "2h"})), "certificatesResolvers.le.acme.httpChallenge.delay: found \"2h\", expected a duration from 0s to 1h, as 90s, 1m30s or seconds".into()),
        (with(&acme("tlsChallenge"), json!([])), "certificatesResolvers.le.acme.tlsChallenge: found a list of 0, expected an object".into()),
        (with(&acme("tlsChallenge"), json!({"entryPoint": "web"})), "certificatesResolvers.le.acme.tlsChallenge.entryPoint: found an unknown key, expected one of the keys delay".into()),
        (with(&acme("dnsChallenge"), json!({})), "certificatesResolvers.le.acme.dnsChallenge.provider: found nothing, expected the code of a DNS provider, as cloudflare or rfc2136".into()),
        (with(&acme("dnsChallenge"), json!({"provider": "Cloud Flare"})), "certificatesResolvers.le.acme.dnsChallenge.provider: found \"Cloud Flare\", expected the code of a DNS provider, as cloudflare or rfc2136".into()),
        (with(&acme("dnsChallenge"), json!({"provider": "rfc2136", "resolvers": ["1.1.1.1:x"]})), "certificatesResolvers.le.acme.dnsChallenge.resolvers[0]: found \"1.1.1.1:x\", expected a DNS server, as 1.1.1.1:53 or [2606:4700::1111]:53".into()),
        (with(&acme("dnsChallenge"), json!({"provider": "rfc2136", "propagation": {"requireAllRns": true}})), "certificatesResolvers.le.acme.dnsChallenge.propagation.requireAllRns: found an unknown key, expected one of the keys delayBeforeChecks, disableChecks, requireAllRNS, disableANSChecks; did you mean requireAllRNS?".into()),
        (with(&acme("emial"), json!("a@b.c")), "certificatesResolvers.le.acme.emial: found an unknown key, expected one of the keys email, eab, caServer, caCertificates, caSystemCertPool, caServerName, keyType, httpChallenge, tlsChallenge, dnsChallenge, …; did you mean email?".into()),
        (with(&acme("fallback"), json!("zero")), "certificatesResolvers.le.acme.fallback: found \"zero\", expected a list of other resolvers".into()),
        (with(&acme("fallback"), json!(["zero"])), "certificatesResolvers.le.acme.fallback[0]: found \"zero\", expected another resolver, but there is none in certificatesResolvers".into()),
        (with(&acme("fallback"), json!(["le"])), "certificatesResolvers.le.acme.fallback[0]: found the resolver itself, expected another resolver".into()),
        (with(&acme("rateLimits"), json!("off")), "certificatesResolvers.le.acme.rateLimits: found \"off\", expected an object with limits, or none".into()),
        (with(&acme("rateLimits"), json!({"ordersPerAccount": "300"})), "certificatesResolvers.le.acme.rateLimits.ordersPerAccount: found \"300\", expected COUNT/WINDOW (a second to a year), as 300/3h or 50/7d, or none".into()),
        (with(&acme("rateLimits"), json!({"certificatesPerDomains": "none"})), "certificatesResolvers.le.acme.rateLimits.certificatesPerDomains: found an unknown key, expected one of the keys ordersPerAccount, certificatesPerDomain, duplicateCertificates, failedAuthorizations; did you mean certificatesPerDomain?".into()),
        (with(&acme("stagingServer"), json!("http://ca.example/dir")), "certificatesResolvers.le.acme.stagingServer: found \"http://ca.example/dir\", expected the https URL of the directory of the CA's test system, or none".into()),
        (with(&acme("stagingServer"), json!("https://acme-v02.api.letsencrypt.org/x")), "certificatesResolvers.le.acme.stagingServer: found \"https://acme-v02.api.letsencrypt.org/x\", expected another CA than caServer, or none".into()),
        (with("/routers/shop", json!("x")), "routers.shop: found \"x\", expected an object".into()),
        (with("/routers", json!([])), "routers: found a list of 0, expected an object".into()),
        (with("/routers/shop/servce", json!("x")), "routers.shop.servce: found an unknown key, expected one of the keys rule, ruleSyntax, tls, service, entryPoints, middlewares, priority, observability, parentRefs; did you mean service?".into()),
        (with("/routers/shop/ruleSyntax", json!("V2")), "routers.shop.ruleSyntax: found \"V2\", expected one of v3, v2; did you mean v2?".into()),
        (with("/routers/shop/rule", Value::Null), "routers.shop: found an object, expected a rule with Host(), or tls.domains".into()),
        (with("/routers/shop/rule", json!("Pfad(`/x`)")), "routers.shop.rule: found \"Pfad(`/x`)\", expected at column 1 a matcher, as Host or PathPrefix".into()),
        (with("/routers/shop/rule", json!("Host(`a.example`) && Paths(`/x`)")), "routers.shop.rule: found \"Host(`a.example`) && Paths(`/x`)\", expected at column 22 a matcher, as Host or PathPrefix; did you mean Path?".into()),
        (with("/routers/shop/rule", json!("Host(`*.a.example`)")), "routers.shop.rule: found \"*.a.example\", expected a name without a wildcard, or a resolver with dnsChallenge, since only DNS-01 proves a wildcard".into()),
        (with("/routers/shop/rule", json!("Host(`*.*.example`)")), "routers.shop.rule: found \"*.*.example\", expected a name with one '*' at most, as its whole first label".into()),
        (with("/routers/shop/rule", json!("Host(`localhost`)")), "routers.shop.rule: found \"localhost\", expected a name with at least two labels, as www.example.com: Let's Encrypt certifies no others".into()),
        (with("/routers/shop/rule", json!("Host(`a_b.example`)")), "routers.shop.rule: found \"a_b.example\", expected a DNS name of letters, digits and inner hyphens".into()),
        (with("/routers/shop/rule", json!("Host(`1.2.3`)")), "routers.shop.rule: found \"1.2.3\", expected a DNS name, or a whole IP address".into()),
        (with(tls, json!({"certResolver": "lee"})), "routers.shop.tls.certResolver: found \"lee\", expected one of the resolvers le; did you mean le?".into()),
        (with(tls, json!({"certResolver": "le", "option": "x"})), "routers.shop.tls.option: found an unknown key, expected one of the keys certResolver, domains, options, passthrough; did you mean options?".into()),
        (with(tls, json!({"certResolver": "le", "domains": "a.example"})), "routers.shop.tls.domains: found \"a.example\", expected a list of domains, each with main and sans".into()),
        (with(tls, json!({"certResolver": "le", "domains": [{"sans": []}]})), "routers.shop.tls.domains[0].main: found nothing, expected the certificate's main name".into()),
        (with(tls, json!({"certResolver": "le", "domains": [{"main": "a.example", "sans": [3]}]})), "routers.shop.tls.domains[0].sans[0]: found the number 3, expected a DNS name or an IP address".into()),
        (with(tls, json!({"certResolver": "le", "domains": [{"main": "a.example", "san": []}]})), "routers.shop.tls.domains[0].san: found an unknown key, expected one of the keys main, sans; did you mean sans?".into()),
    ];
    assert!(cases.len() >= 55);
    for (config, line) in cases {
        assert_eq!(lines(&config), [line], "{config}");
    }
}

#[test]
fn all_mistakes_are_reported_at_once() {
    let mut config = with(&format!("{ACME}/keyType"), json!("RSA"));
    config["routers"]["shop"]["rule"] = json!("Host(`*.*.example`)");
    config["x"] = json!(1);
    assert_eq!(lines(&config).len(), 3, "{:#?}", lines(&config));
}

#[test]
fn two_resolvers_for_a_name_name_both_places() {
    let mut config = least();
    config["certificatesResolvers"]["zero"] = config["certificatesResolvers"]["le"].clone();
    config["routers"]["other"] = json!({"rule": "Host(`shop.example`, `b.example`)", "tls": {"certResolver": "zero"}});
    assert_eq!(
        lines(&config),
        ["routers.shop.rule: found shop.example for resolver le, \
          expected one resolver for a name: routers.other.rule has it for resolver zero"]
    );
}

#[test]
fn more_names_than_a_ca_takes_are_refused() {
    let sans: Vec<String> = (0..100).map(|i| format!("n{i}.example")).collect();
    let tls = json!({"certResolver": "le", "domains": [{"main": "a.example", "sans": sans}]});
    let config = with("/routers/shop/tls", tls);
    assert_eq!(
        lines(&config),
        ["routers.shop.tls.domains[0]: found 101 names, expected at most 100 names in one certificate"]
    );
}

#[test]
fn a_value_of_any_shape_anywhere_is_a_mistake_and_never_a_panic() {
    let shapes = [
        json!(null),
        json!(true),
        json!(-1),
        json!(1e300),
        json!("\u{0}\u{1b}[2J\r\n"),
        json!([]),
        json!([[[]]]),
        json!({}),
        json!({"": {"": null}}),
        json!("x".repeat(100_000)),
        json!({"a": 1, "main": [], "acme": 3}),
    ];
    let pointers = [
        "/role",
        "/certificatesResolvers",
        "/certificatesResolvers/le",
        ACME,
        "/certificatesResolvers/le/acme/httpChallenge",
        "/certificatesResolvers/le/acme/email",
        "/certificatesResolvers/le/acme/clientTimeout",
        "/routers",
        "/routers/shop",
        "/routers/shop/rule",
        "/routers/shop/tls",
        "/routers/shop/tls/domains",
        "/sidecar",
        "/caClusters",
        "/engine",
    ];
    for pointer in pointers {
        for shape in &shapes {
            for line in lines(&with(pointer, shape.clone())) {
                assert!(line.len() < 1_000 && !line.contains(['\n', '\r', '\u{1b}']), "{line}");
            }
        }
    }
}
