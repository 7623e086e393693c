//! Hostile configurations cause no panic, reveal no secret, produce no long or broken line, and waste no time or
//! memory.

use config::parse;
use serde_json::{Value, json};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

/// Maximum length of a readable line.
const LONGEST_LINE: usize = 1_000;

fn least() -> Value {
    json!({
        "certificatesResolvers": {
            "le": {"acme": {"email": "ops@example.com", "httpChallenge": {"entryPoint": "web"}}}
        },
        "routers": {"shop": {"rule": "Host(`shop.example`)", "tls": {"certResolver": "le"}}},
        "sidecar": {"cluster": "autocert_api"}
    })
}

/// The lines of a configuration's mistakes, each checked to be one line that a terminal shows unchanged.
fn lines(value: &Value) -> Vec<String> {
    let lines: Vec<String> = parse(value).err().unwrap_or_default().iter().map(ToString::to_string).collect();
    for line in &lines {
        assert!(line.len() <= LONGEST_LINE, "{} bytes: {line}", line.len());
        assert!(!line.chars().any(|c| c.is_control() || ('\u{202a}'..='\u{202e}').contains(&c)), "{line:?}");
    }
    lines
}

#[test]
fn a_password_in_a_url_is_not_shown() {
    for url in ["https://user:secret@ca.example/dir", "https://secret@ca.example/dir", "http://u:secret@ca.example"] {
        let mut config = least();
        config["certificatesResolvers"]["le"]["acme"]["caServer"] = json!(url);
        let lines = lines(&config);
        assert_eq!(
            lines,
            ["certificatesResolvers.le.acme.caServer: found a URL with a user name or password, \
              expected the https URL of a CA's directory"]
        );
    }
}

#[test]
fn a_secret_under_an_unknown_key_is_not_shown() {
    let mut config = least();
    config["certificatesResolvers"]["le"]["acme"]["eab"] = json!({"kid": "k", "hmacEncoded": "secret"});
    config["certificatesResolvers"]["le"]["acme"]["hmac"] = json!("secret");
    assert!(!lines(&config).concat().contains("secret"));
}

#[test]
fn names_of_the_users_own_are_escaped_and_shortened() {
    let acme = &least()["certificatesResolvers"]["le"];
    let evil = "\u{1b}[2J\r\nrole: found nothing\u{202e}";
    let long = "x".repeat(100_000);
    for key in [evil, &long, ""] {
        for section in ["certificatesResolvers", "routers", "caClusters", "engine", "sidecar"] {
            let mut config = least();
            config[section] = json!({key: 5});
            assert!(!lines(&config).is_empty(), "{section}");
        }
        let mut config = least();
        config["routers"]["shop"] = json!({"tls": {"certResolver": key, "domains": [{"main": key, key: 1}]}});
        assert!(!lines(&config).is_empty());
        let mut config = least();
        config["certificatesResolvers"][key] = acme.clone();
        config["routers"]["other"] = json!({"rule": "Host(`shop.example`)", "tls": {"certResolver": key}});
        config["routers"]["wrong"] = json!({"rule": "Host(`b.example`)", "tls": {"certResolver": format!("{key}x")}});
        assert!(!lines(&config).is_empty());
    }
}

#[test]
fn a_long_wrong_value_is_shown_cut() {
    let mut config = least();
    config["role"] = json!("y".repeat(100_000));
    let lines = lines(&config);
    assert!(lines[0].starts_with("role: found \"yyy") && lines[0].contains("yyy…\""), "{}", lines[0]);
}

#[test]
fn a_wrong_name_is_escaped_once() {
    let mut config = least();
    config["routers"]["shop"]["tls"]["domains"] = json!([{"main": "a\u{1b}.example"}]);
    assert!(lines(&config)[0].contains(r#"found "a\u{1b}.example","#), "{:?}", lines(&config));
}

#[test]
fn thousands_of_resolvers_are_not_listed_one_by_one() {
    let resolvers: serde_json::Map<String, Value> = (0..5_000)
        .map(|i| (format!("resolver{i}"), json!({"acme": least()["certificatesResolvers"]["le"]["acme"]})))
        .collect();
    let mut config = least();
    config["certificatesResolvers"] = Value::Object(resolvers);
    let lines = lines(&config);
    assert!(lines.len() == 1 && lines[0].ends_with("resolver1004, resolver1005, …"), "{lines:?}");
}

#[test]
fn a_mistake_is_reported_once() {
    let cases = [
        ("role", json!("responer"), "role"),
        ("certificatesResolvers", json!([]), "certificatesResolvers"),
        ("certificatesResolvers", json!("le"), "certificatesResolvers"),
        ("certificatesResolvers", json!({}), "certificatesResolvers"),
    ];
    for (key, value, path) in cases {
        let mut config = least();
        config[key] = value;
        config["routers"] = json!({});
        let lines = lines(&config);
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert!(lines[0].starts_with(&format!("{path}: ")), "{lines:?}");
    }
    let only_role = lines(&json!({"role": "responer"}));
    assert_eq!(only_role.len(), 1, "who may not need a sidecar is not told to have one: {only_role:?}");
}

#[test]
fn two_clusters_for_one_origin_are_a_mistake() {
    let mut config = least();
    config["caClusters"] = json!({"ca.example": "one", "CA.example:443": "two"});
    assert_eq!(
        lines(&config),
        ["caClusters.ca.example: found the origin of another entry, expected each CA's host and port once"]
    );
}

#[test]
fn any_challenge_is_enough_and_none_is_a_mistake() {
    let with = |challenge: Value| {
        let mut config = least();
        let acme = &mut config["certificatesResolvers"]["le"]["acme"];
        acme.as_object_mut().unwrap().remove("httpChallenge");
        acme.as_object_mut().unwrap().extend(challenge.as_object().unwrap().clone());
        config
    };
    for challenge in [
        json!({"httpChallenge": {"entryPoint": "web"}}),
        json!({"tlsChallenge": {}}),
        json!({"tlsChallenge": true}),
        json!({"dnsChallenge": {"provider": "rfc2136"}}),
        json!({"dnsPersistChallenge": {}}),
        json!({"dnsPersistChallenge": true}),
    ] {
        let parsed = parse(&with(challenge.clone()));
        assert!(parsed.is_ok_and(|config| config.warnings.is_empty()), "{challenge}");
    }
    for none in [json!({}), json!({"tlsChallenge": false}), json!({"dnsPersistChallenge": false})] {
        let lines = lines(&with(none));
        assert!(lines.len() == 1 && lines[0].contains("httpChallenge: found nothing, expected one of"), "{lines:?}");
    }
}

#[test]
fn what_would_break_a_mailto_url_is_no_address() {
    for email in
        ["mailto:a@b.example", "a%40x@b.example", "a#x@b.example", "a@b.example,c@d.example", "a b@c.example", "a@"]
    {
        let mut config = least();
        config["certificatesResolvers"]["le"]["acme"]["email"] = json!(email);
        assert_eq!(lines(&config).len(), 1, "{email}");
    }
}

#[test]
fn control_characters_are_no_part_of_a_name() {
    let mut config = least();
    config["sidecar"]["cluster"] = json!("a\u{1b}b");
    config["certificatesResolvers"]["le"]["acme"]["httpChallenge"]["entryPoint"] = json!("w\u{0}b");
    assert_eq!(lines(&config).len(), 2);
}

#[cfg(not(target_arch = "wasm32"))]
mod arbitrary {
    use proptest::prelude::*;

    use super::*;

    /// Keys that lead deep into the configuration, and others.
    fn key() -> impl Strategy<Value = String> {
        let known = [
            "certificatesResolvers",
            "le",
            "acme",
            "email",
            "caServer",
            "keyType",
            "httpChallenge",
            "entryPoint",
            "clientTimeout",
            "clientResponseHeaderTimeout",
            "storage",
            "routers",
            "shop",
            "rule",
            "tls",
            "domains",
            "main",
            "sans",
            "certResolver",
            "sidecar",
            "cluster",
            "caClusters",
            "role",
            "engine",
            "maxOrders",
            "retryMin",
            "retryMax",
        ];
        prop_oneof![4 => prop::sample::select(known.to_vec()).prop_map(str::to_owned), 1 => any::<String>()]
    }

    fn text() -> impl Strategy<Value = String> {
        let rule = "[!(|&) ]{0,4}(Host|HostSNI|Path|)[ (]{0,2}[`\"]?[a-zé*.\\\\]{0,12}[`\"]?[,)|& ]{0,4}";
        prop_oneof![any::<String>(), rule, "[0-9.]{0,20}(ns|us|µs|ms|s|m|h|d|)", "https?://[a-z@:./#0-9]{0,20}"]
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            text().prop_map(Value::from),
        ];
        leaf.prop_recursive(8, 64, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::vec((key(), inner), 0..6)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2_000) })]

        #[test]
        fn any_json_is_a_configuration_or_a_list_of_mistakes(value in value()) {
            if parse(&value).is_err() {
                prop_assert!(!lines(&value).is_empty(), "refused without a word");
            }
        }

        /// A correct configuration with one value replaced, so that the code after the first checks is reached too.
        #[test]
        fn any_value_anywhere_is_accepted_or_reported(place in 0_usize..12, value in value()) {
            let pointers = [
                "/role", "/certificatesResolvers/le/acme/email", "/certificatesResolvers/le/acme/httpChallenge",
                "/certificatesResolvers/le/acme", "/certificatesResolvers/le", "/certificatesResolvers", "/routers",
                "/routers/shop", "/routers/shop/rule", "/routers/shop/tls", "/routers/shop/tls/certResolver", "/sidecar",
            ];
            let mut config = least();
            config["role"] = json!("auto");
            *config.pointer_mut(pointers[place]).unwrap() = value;
            if parse(&config).is_err() {
                prop_assert!(!lines(&config).is_empty(), "refused without a word");
            }
        }

        #[test]
        fn a_rule_of_any_text_is_read_or_refused(rule in text()) {
            let mut config = least();
            config["routers"]["shop"]["rule"] = json!(rule);
            lines(&config);
        }

        #[test]
        fn a_name_that_is_taken_is_taken_again_unchanged(name in "[-a-zA-Z0-9éßΣあ中.*_ \\[\\]:]{1,40}") {
            if let Ok(domain) = config::domain::parse(&name) {
                prop_assert_eq!(&config::domain::parse(&domain.name).unwrap().name, &domain.name);
                prop_assert!(domain.name.len() <= 253 && domain.name.is_ascii());
            }
        }
    }
}
