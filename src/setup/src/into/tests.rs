//! Typical bootstraps of users, with the additions to them.

#![allow(clippy::unwrap_used)]

use serde_json::{Value, json};

use super::*;
use crate::check::{Finding, envoy as check};
use crate::envoy::challenge_routes;
use crate::envoy::limits::{ANSWERS, MONITOR, runtime_key};
use crate::{Quick, Sources};

const FRONT_PROXY: &str = include_str!("../../../../tests/e2e/into/front-proxy.yaml");
const SNI: &str = include_str!("../../../../tests/e2e/into/sni-chains.yaml");
const AUTH: &str = include_str!("../../../../tests/e2e/into/ext-authz.yaml");

fn setup(certificates: &[Vec<String>]) -> Setup {
    let quick = Quick {
        domains: certificates.iter().map(|names| names.join(",")).collect(),
        upstream: Some("127.0.0.1:9".into()),
        email: Some("a@b.example".into()),
        ..Quick::default()
    };
    crate::read(&Sources { quick: Some(quick), ..Sources::default() }).unwrap().setup
}

fn added(text: &str) -> (Inferred, Added) {
    let inferred = infer("envoy.yaml", text, &Wishes::default()).unwrap();
    let added =
        add("envoy.yaml", text, &setup(&inferred.certificates), &Options::default(), &Wishes::default()).unwrap();
    (inferred, added)
}

fn mistakes(text: &str) -> Vec<String> {
    check(&Document::all("envoy.yaml", text).unwrap()).mistakes.iter().map(Finding::to_string).collect()
}

/// True if everything in the first value is in the second one, in the same order.
fn is_in(old: &Value, new: &Value) -> bool {
    match (old, new) {
        (Value::Object(old), Value::Object(new)) => {
            old.iter().all(|(key, value)| new.get(key).is_some_and(|new| is_in(value, new)))
        }
        (Value::Array(old), Value::Array(new)) => {
            let mut left = new.iter();
            old.iter().all(|item| left.any(|new| is_in(item, new)))
        }
        (old, new) => old == new,
    }
}

#[test]
fn each_bootstrap_is_right_afterwards_and_keeps_what_it_had() {
    for text in [FRONT_PROXY, SNI, AUTH] {
        let (_, added) = added(text);
        assert_eq!(mistakes(&added.text), [""; 0]);
        let value = |text| yaml::read(text).unwrap().remove(0).value().unwrap();
        assert!(is_in(&value(text), &value(&added.text)));
        let comments =
            |text: &str| text.lines().filter(|line| line.contains('#')).map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(comments(text), comments(&added.text));
        assert_eq!(added.unplaced, [""; 0]);
    }
}

#[test]
fn a_second_time_there_is_nothing_to_add() {
    for text in [FRONT_PROXY, SNI, AUTH] {
        let (_, once) = added(text);
        let (_, twice) = added(&once.text);
        assert_eq!(twice.text, once.text);
        assert!(twice.notes.contains(&"nothing is missing".to_owned()), "{:?}", twice.notes);
    }
}

#[test]
fn a_bootstrap_without_a_limit_of_connections_gets_one_that_leaves_the_ca_and_the_administrator_in() {
    let text = include_str!("../../../../examples/lets-encrypt/envoy.yaml");
    let without = text.replace("envoy.resource_monitors.global_downstream_max_connections", "a.monitor");
    let (_, told) = added(&without);
    assert!(told.unplaced.iter().any(|line| line.starts_with("overload_manager: add envoy.resource_monitors.")));
    let (_, told) = added(FRONT_PROXY);
    let new: Value = serde_saphyr::from_str(&told.text).unwrap();
    let monitor = &new["overload_manager"]["resource_monitors"][0];
    assert_eq!(monitor["name"], MONITOR);
    assert_eq!(monitor["typed_config"]["max_active_downstream_connections"], 7500);
    assert_eq!(new["admin"]["ignore_global_conn_limit"], true);
    let listeners = new["static_resources"]["listeners"].as_array().unwrap();
    let ignoring: Vec<&Value> = listeners.iter().filter(|one| one["ignore_global_conn_limit"] == true).collect();
    let [challenged] = ignoring[..] else { panic!("{ignoring:?}") };
    let key = runtime_key(challenged["name"].as_str().unwrap());
    assert_eq!(new["layered_runtime"]["layers"][0]["static_layer"][&key], 5625);
}

#[test]
fn names_come_from_virtual_hosts_or_from_what_a_filter_chain_matches() {
    let names = |text| {
        infer("", text, &Wishes::default())
            .unwrap()
            .certificates
            .iter()
            .map(|names| names.join(" "))
            .collect::<Vec<_>>()
    };
    assert_eq!(names(FRONT_PROXY), ["example.com www.example.com", "api.example.com"]);
    assert_eq!(names(SNI), ["a.example.com", "b.example.com c.example.com"]);
    let notes = infer("", FRONT_PROXY, &Wishes::default()).unwrap().notes;
    assert!(
        notes.iter().any(|note| note.starts_with("*.preview.example.com: left out, a wildcard needs DNS-01")),
        "{notes:?}"
    );
    assert!(
        notes.iter().any(|note| note.starts_with("example.com, www.example.com: virtual host site of listener https")),
        "{notes:?}"
    );
}

#[test]
fn where_tls_listeners_name_nothing_the_plaintext_ones_do() {
    let text = FRONT_PROXY.replace("domains: [example.com, www.example.com, 'example.com:443']", "domains: ['*']");
    let text = text.replace("domains: [api.example.com, '*.preview.example.com']", "domains: ['**']");
    let text = text.replace("domains: ['*'] # plain", "domains: [old.example.com]");
    let names = infer("", &text, &Wishes::default()).unwrap().certificates;
    assert_eq!(names, [["old.example.com"]]);
}

#[test]
fn a_chain_gets_the_secrets_of_its_own_names_and_certificates_of_the_users_stay() {
    let (_, added) = added(SNI);
    let documents = Document::all("", &added.text).unwrap();
    let listeners = documents[0].top().list("static_resources.listeners");
    let secrets: Vec<Vec<String>> = listeners[1]
        .list("filter_chains")
        .iter()
        .map(|chain| {
            let secrets =
                chain.list("transport_socket.typed_config.common_tls_context.tls_certificate_sds_secret_configs");
            secrets.iter().filter_map(|secret| secret.text_of("name").map(str::to_owned)).collect()
        })
        .collect();
    assert_eq!(secrets, [vec!["a.example.com".to_owned()], vec!["b.example.com".to_owned()], vec![], vec![]]);
    assert!(added.notes.iter().any(|note| note.starts_with("kept: ")
        && note.contains("its own certificates (tls_certificates); --replace-certificates")));
}

#[test]
fn what_has_no_place_is_said() {
    let one = setup(&[vec!["example.com".to_owned()]]);
    let add = |text: &str| add("", text, &one, &Options::default(), &Wishes::default());
    let nothing = add("static_resources: { clusters: [] }").unwrap_err().join("\n");
    assert!(nothing.contains("no listener here does TLS"), "{nothing}");
    let unplaced = |text: &str| add(text).unwrap().unplaced.join("\n");
    let port = unplaced(&FRONT_PROXY.replace("port_value: 80 ", "port_value: 8080 "));
    assert!(port.contains("has port 8080: CAs ask on port 80"), "{port}");
    let taken = unplaced(&FRONT_PROXY.replace("name: site_backend\n", "name: envoy-autocert-sds\n"));
    assert!(taken.contains("cluster envoy-autocert-sds: this name exists already"), "{taken}");
}

#[test]
fn what_is_no_bootstrap_is_refused() {
    for text in ["", "a: 1", "a: [", "- static_resources: {}", "a: 1\n---\nstatic_resources: {}"] {
        assert!(infer("x.yaml", text, &Wishes::default()).is_err(), "{text}");
    }
}

/// The setup that the flags give, with `tlsChallenge` in addition.
fn setup_with_tls_challenge(certificates: &[Vec<String>]) -> Setup {
    let mut setup = setup(certificates);
    for resolver in &mut setup.resolvers {
        resolver.tls_challenge = Some(Default::default());
    }
    for (_, resolver) in &mut setup.resolver_options {
        resolver["acme"]["tlsChallenge"] = serde_json::json!({});
    }
    setup
}

#[test]
fn the_chain_of_tls_alpn_01_stands_beside_the_users_and_once() {
    for text in [FRONT_PROXY, SNI, AUTH] {
        let inferred = infer("envoy.yaml", text, &Wishes::default()).unwrap();
        let setup = setup_with_tls_challenge(&inferred.certificates);
        let added = add("envoy.yaml", text, &setup, &Options::default(), &Wishes::default()).unwrap();
        assert_eq!(mistakes(&added.text), [""; 0]);
        assert!(added.text.contains("value: tls-alpn-01"));
        let again = infer("envoy.yaml", &added.text, &Wishes::default()).unwrap();
        let twice = add(
            "envoy.yaml",
            &added.text,
            &setup_with_tls_challenge(&again.certificates),
            &Options::default(),
            &Wishes::default(),
        );
        assert_eq!(twice.unwrap().text, added.text);
    }
}

#[test]
fn names_of_the_users_own_certificates_and_servers_are_left_to_them() {
    let inferred = infer("envoy.yaml", SNI, &Wishes::default()).unwrap();
    let added = add(
        "envoy.yaml",
        SNI,
        &setup_with_tls_challenge(&inferred.certificates),
        &Options::default(),
        &Wishes::default(),
    )
    .unwrap();
    let documents = Document::all("", &added.text).unwrap();
    let listeners = documents[0].top().list("static_resources.listeners");
    let mut names = Vec::new();
    for chain in listeners[1].list("filter_chains").iter().filter(|chain| crate::check::challenge_chain::offers(chain))
    {
        let own = chain.list("filter_chain_match.server_names");
        names.push(own.iter().filter_map(|name| name.text().map(str::to_owned)).collect::<Vec<_>>());
    }
    assert_eq!(names, [vec![], vec!["a.example.com".to_owned(), "b.example.com".into(), "c.example.com".into()]]);
}

#[test]
fn answers_are_bounded_unless_the_user_bounds_them_or_fetches_large_ones() {
    let value = |text: &str| yaml::read(text).unwrap().remove(0).value().unwrap();
    let bounds = |text: &str| {
        let layers = value(text)["layered_runtime"]["layers"].as_array().cloned().unwrap_or_default();
        layers.iter().filter_map(|layer| layer["static_layer"].get(ANSWERS).cloned()).collect::<Vec<_>>()
    };
    let (_, once) = added(FRONT_PROXY);
    assert_eq!(bounds(&once.text), [acme::MAX_ANSWER]);
    assert_eq!(added(&once.text).1.text, once.text, "nothing is missing");
    // A bootstrap of an earlier version, with a limit of connections.
    let line = once.text.lines().find(|line| line.contains(ANSWERS)).unwrap();
    let older = once.text.replace(&format!("{line}\n"), "");
    assert_eq!(bounds(&added(&older).1.text), [acme::MAX_ANSWER]);
    let own = FRONT_PROXY.to_owned()
        + &format!("\nlayered_runtime:\n  layers:\n  - {{ name: own, static_layer: {{ {ANSWERS}: 9 }} }}\n");
    assert_eq!(bounds(&added(&own).1.text), [9]);
    let fetches = FRONT_PROXY.to_owned()
        + "\nbootstrap_extensions:\n- name: other\n  typed_config: { config: { vm_config: { code: { remote: { http_uri: { uri: x } } } } } }\n";
    let (_, fetches) = added(&fetches);
    assert_eq!(bounds(&fetches.text), [0; 0]);
    assert!(fetches.unplaced.iter().any(|line| line.contains("remote.http_uri")), "{:?}", fetches.unplaced);
}

/// A redirect on port 80 and one TLS listener with this context, as `common_tls_context: …`, for these domains.
fn bootstrap_with(context: &str, domains: &str) -> String {
    let manager = |name: &str, host: &str| {
        format!(
            "    - filters:\n      - name: hcm\n        typed_config:\n          \"@type\": \
             type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager\n          \
             stat_prefix: {name}\n          http_filters:\n          - name: envoy.filters.http.router\n            \
             typed_config: {{ \"@type\": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router }}\n          \
             route_config: {{ virtual_hosts: [{host}] }}\n"
        )
    };
    let listener = |name: &str, address: &str, port: u16| {
        format!(
            "  - name: {name}\n    address: {{ socket_address: {{ address: \"{address}\", port_value: {port} }} }}\n    \
             filter_chains:\n"
        )
    };
    let plain =
        "{ name: all, domains: [\"*\"], routes: [{ match: { prefix: / }, redirect: { https_redirect: true } }] }";
    let site = format!(
        "{{ name: site, domains: [{domains}], routes: [{{ match: {{ prefix: / }}, direct_response: {{ status: 200 }} }}] }}"
    );
    let socket = format!(
        "      transport_socket:\n        name: envoy.transport_sockets.tls\n        typed_config:\n          \"@type\": \
         type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext\n          {context}\n"
    );
    [
        "# my proxy\nstatic_resources:\n  listeners:\n",
        &listener("web", "0.0.0.0", 80),
        &manager("web", plain),
        &listener("websecure", "0.0.0.0", 443),
        &manager("websecure", &site),
        &socket,
        "  clusters: []\n",
    ]
    .concat()
}

const NO_CERTIFICATES: &str = "common_tls_context: { alpn_protocols: [h2, http/1.1] }";
const OWN_CERTIFICATES: &str = "common_tls_context:\n            tls_certificates: # by certbot\n            - certificate_chain: \
     { filename: /etc/letsencrypt/live/a/fullchain.pem }\n              private_key: { filename: \
     /etc/letsencrypt/live/a/privkey.pem }\n            alpn_protocols: [h2]";

fn replacing() -> Wishes {
    Wishes { replace_certificates: true, ..Wishes::default() }
}

/// A1.
#[test]
fn a_bootstrap_with_certificates_of_its_own_is_refused_or_has_them_replaced() {
    let text = bootstrap_with(OWN_CERTIFICATES, "shop.example.org");
    let why = infer("own.yaml", &text, &Wishes::default()).unwrap_err().join("\n");
    let line = text.lines().position(|line| line.contains("DownstreamTlsContext")).unwrap();
    assert!(
        why.starts_with(&format!("own.yaml: listener websecure, line {line}: has certificates of its own")),
        "{why}"
    );
    assert!(why.contains("(tls_certificates)") && why.contains("--replace-certificates"), "{why}");
    let named = setup(&[vec!["shop.example.org".to_owned()]]);
    assert!(
        add("own.yaml", &text, &named, &Options::default(), &Wishes::default()).is_err(),
        "nothing would be served"
    );

    let inferred = infer("own.yaml", &text, &replacing()).unwrap();
    assert_eq!(inferred.certificates, [["shop.example.org"]]);
    let added = add("own.yaml", &text, &setup(&inferred.certificates), &Options::default(), &replacing()).unwrap();
    let (chain, key) =
        ("/etc/letsencrypt/live/a/fullchain.pem".to_owned(), "/etc/letsencrypt/live/a/privkey.pem".to_owned());
    assert_eq!(added.replaced, [Replaced { chain, key }]);
    assert!(!added.text.contains("letsencrypt/live") && added.text.contains("alpn_protocols: [h2]"), "{}", added.text);
    assert_eq!(mistakes(&added.text), [""; 0]);
    let nameless = bootstrap_with(OWN_CERTIFICATES, "\"*\"");
    let inferred = infer("own.yaml", &nameless, &replacing()).unwrap();
    assert_eq!(
        (inferred.certificates.len(), inferred.named_by),
        (0, vec!["/etc/letsencrypt/live/a/fullchain.pem".to_owned()])
    );
}

/// F4.
#[test]
fn a_virtual_host_that_came_later_gets_its_certificate_too() {
    let (_, once) = added(&bootstrap_with(NO_CERTIFICATES, "shop.example.org"));
    let third = once.text.replace("virtual_hosts: [{ name: site,", "virtual_hosts: [{ name: third, domains: [third.example], routes: [{ match: { prefix: / }, direct_response: { status: 200 } }] }, { name: site,");
    let (inferred, twice) = added(&third);
    assert_eq!(inferred.certificates, [["third.example"], ["shop.example.org"]]);
    assert_eq!(mistakes(&twice.text), [""; 0], "{}", twice.text);
    let documents = Document::all("", &twice.text).unwrap();
    let mut report = Report::default();
    let envoy = Envoy::gather(&documents, &mut report);
    for plugin in Plugin::all(&envoy, &mut report) {
        let wants = plugin.config.unwrap().config.wants;
        assert_eq!(
            wants.iter().map(|want| want.names.join(",")).collect::<Vec<_>>(),
            ["shop.example.org", "third.example"]
        );
    }
    assert!(twice.text.contains("name: third.example"), "{}", twice.text);
    assert_eq!(added(&twice.text).1.text, twice.text);
}

/// A4.
#[test]
fn every_listener_on_port_80_answers_challenges() {
    let text = bootstrap_with(NO_CERTIFICATES, "shop.example.org");
    let start = text.find("  - name: web\n").unwrap();
    let web = &text[start..text.find("  - name: websecure").unwrap()];
    let six = web.replace("name: web\n", "name: web6\n").replace("0.0.0.0", "::");
    let dual = format!("{}{six}{}", &text[..start], &text[start..]);
    let (_, added) = added(&dual);
    assert_eq!(
        added.text.matches("exact: /.well-known").count()
            + added.text.matches("prefix: /.well-known/acme-challenge/").count(),
        2
    );
    assert_eq!(added.challenged.len(), 2);
    let documents = Document::all("", &added.text).unwrap();
    let warnings: Vec<String> = check(&documents).warnings.iter().map(Finding::to_string).collect();
    assert!(!warnings.iter().any(|warning| warning.contains("without the plugin")), "{warnings:?}");
}

/// A8.
#[test]
fn a_name_that_is_none_is_left_out_with_its_reason_and_the_others_stay() {
    for odd in [
        "localhost",
        "app",
        "\"backend:8080\"",
        "192.0.2.7",
        "\"[2001:db8::1]\"",
        "shop.local",
        "a.default.svc.cluster.local",
        "\"*.shop.example.org\"",
    ] {
        let inferred =
            infer("", &bootstrap_with(NO_CERTIFICATES, &format!("{odd}, shop.example.org")), &Wishes::default())
                .unwrap();
        assert_eq!(inferred.certificates, [["shop.example.org"]], "{odd}");
        let name = odd.trim_matches('"');
        assert!(
            inferred.notes.iter().any(|note| note.starts_with(&format!("{name}: left out, "))),
            "{:?}",
            inferred.notes
        );
        let alone = infer("", &bootstrap_with(NO_CERTIFICATES, odd), &Wishes::default()).unwrap();
        assert!(alone.certificates.is_empty() && !alone.notes.is_empty(), "{odd}: {alone:?}");
    }
    let by_dns = Wishes { with_wildcards: true, ..Wishes::default() };
    let inferred =
        infer("", &bootstrap_with(NO_CERTIFICATES, "\"*.shop.example.org\", shop.example.org"), &by_dns).unwrap();
    assert_eq!(inferred.certificates, [["*.shop.example.org", "shop.example.org"]]);
}

/// A1, #54, #01: whom this is for has no listener with TLS yet.
#[test]
fn a_listener_with_tls_is_added_where_there_is_none() {
    let text = "# mine\nstatic_resources:\n  listeners:\n  - name: web\n    address: { socket_address: { address: 0.0.0.0, port_value: 80 } }\n    filter_chains:\n    - filters:\n      - name: hcm\n        typed_config:\n          \"@type\": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager\n          stat_prefix: web # the site\n          http_filters:\n          - name: envoy.filters.http.router\n            typed_config: { \"@type\": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router }\n          route_config:\n            virtual_hosts:\n            - name: site\n              domains: [shop.example.org]\n              routes: [{ match: { prefix: / }, direct_response: { status: 200 } }]\n  clusters: []\n";
    let why = infer("plain.yaml", text, &Wishes::default()).unwrap_err().join("\n");
    assert!(why.contains("--add-https") && why.contains("listener web, line 4"), "{why}");
    let wishes = Wishes { add_https: Some(443), redirect: true, ..Wishes::default() };
    let inferred = infer("plain.yaml", text, &wishes).unwrap();
    let added = add("plain.yaml", text, &setup(&inferred.certificates), &Options::default(), &wishes).unwrap();
    assert_eq!(mistakes(&added.text), [""; 0], "{}", added.text);
    let value = yaml::read(&added.text).unwrap().remove(0).value().unwrap();
    let listeners = &value["static_resources"]["listeners"];
    assert_eq!(listeners[1]["address"]["socket_address"]["port_value"], 443);
    let hosts = |listener: &Value| {
        listener["filter_chains"][0]["filters"][0]["typed_config"]["route_config"]["virtual_hosts"].clone()
    };
    assert_eq!(hosts(&listeners[0])[0]["require_tls"], "ALL");
    assert!(hosts(&listeners[1])[0].get("require_tls").is_none() && hosts(&listeners[1])[0]["name"] == "site");
    assert_eq!(added.text.matches("# the site").count(), 2);
    assert_eq!(added.served, ["0.0.0.0:443".parse().unwrap()]);
    let without = Wishes::default();
    let again = infer("plain.yaml", &added.text, &without).unwrap();
    let twice = add("plain.yaml", &added.text, &setup(&again.certificates), &Options::default(), &without).unwrap();
    assert_eq!(twice.text, added.text);
    let redirecting = text.replace("direct_response: { status: 200 }", "redirect: { https_redirect: true }");
    let why = infer("plain.yaml", &redirecting, &wishes).unwrap_err().join("\n");
    assert!(why.contains("only redirects to HTTPS"), "{why}");
    let why = infer("plain.yaml", &redirecting, &without).unwrap_err().join("\n");
    assert!(why.contains("add one on port 443") && !why.contains("--add-https"), "no circle: {why}");
}

/// A11.
#[test]
fn a_connection_manager_without_filters_gets_them() {
    let text = bootstrap_with(NO_CERTIFICATES, "shop.example.org");
    let filters = "          http_filters:\n          - name: envoy.filters.http.router\n            typed_config: { \"@type\": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router }\n";
    let none = text.replacen(filters, "", 1);
    let (_, added) = added(&none);
    assert_eq!(mistakes(&added.text), [""; 0], "{}", added.text);
    assert!(added.notes.iter().any(|note| note.contains("there were no http_filters")), "{:?}", added.notes);
}

/// A2.
#[test]
fn who_proves_names_by_dns_alone_gets_an_engine() {
    let text = bootstrap_with(NO_CERTIFICATES, "shop.example.org");
    let quick = Quick {
        domains: vec!["shop.example.org".to_owned()],
        upstream: Some("127.0.0.1:9".into()),
        dns: Some("cloudflare".into()),
        ..Quick::default()
    };
    let setup = crate::read(&Sources { quick: Some(quick), ..Sources::default() }).unwrap().setup;
    let added = add("dns.yaml", &text, &setup, &Options::default(), &Wishes::default()).unwrap();
    assert!(added.text.contains("bootstrap_extensions") && !added.text.contains("acme-challenge"), "{}", added.text);
    assert_eq!(mistakes(&added.text), [""; 0]);
}

/// A3.
#[test]
fn datagrams_show_no_challenges() {
    let text = bootstrap_with(NO_CERTIFICATES, "shop.example.org");
    let quic = text.replace("address: { socket_address: { address: \"0.0.0.0\", port_value: 443 } }", "address: { socket_address: { protocol: UDP, address: \"0.0.0.0\", port_value: 443 } }\n    udp_listener_config: { quic_options: {} }");
    assert_ne!(quic, text);
    let setup = setup_with_tls_challenge(&[vec!["shop.example.org".to_owned()]]);
    let added = add("quic.yaml", &quic, &setup, &Options::default(), &Wishes::default()).unwrap();
    assert!(!added.text.contains("acme-tls/1"), "{}", added.text);
}

/// A newcomer's: whom `--domain` names is served, though it would not be inferred.
#[test]
fn a_name_of_nobody_is_served_where_it_is_asked_for() {
    let setup = setup(&[vec!["shop.internal".to_owned()], vec!["shop.test".to_owned()]]);
    let secrets = |domains: &str| {
        let text = bootstrap_with(NO_CERTIFICATES, domains);
        let added = add("own.yaml", &text, &setup, &Options::default(), &Wishes::default()).unwrap();
        let notes = added.notes.iter().filter_map(|note| note.strip_prefix("certificates by SDS for "));
        notes.map(|note| note.split(':').next().unwrap().to_owned()).collect::<Vec<_>>().join("; ")
    };
    assert_eq!(secrets("shop.internal, \"shop.internal:*\""), "shop.internal, shop.test");
    assert_eq!(secrets("shop.internal, \"*\""), "shop.internal, shop.test");
    assert_eq!(secrets("shop.test"), "shop.internal, shop.test", "no other chain could show it");
}

/// A newcomer's: visitors who name the port without TLS would be led to it again.
#[test]
fn a_redirect_leads_to_the_port_with_tls() {
    let text = include_str!("../../../../tests/e2e/into/corpus/12-port-8080-in-a-container.yaml");
    let wishes = Wishes { add_https: Some(8443), redirect: true, ..Wishes::default() };
    let inferred = infer("plain.yaml", text, &wishes).unwrap();
    let added = add("plain.yaml", text, &setup(&inferred.certificates), &Options::default(), &wishes).unwrap();
    assert_eq!(mistakes(&added.text), [""; 0], "{}", added.text);
    assert!(!added.text.contains("require_tls") && added.text.contains("port_redirect: 8443"), "{}", added.text);
    let same = Wishes { add_https: Some(8080), ..Wishes::default() };
    let why = infer("plain.yaml", text, &same).unwrap_err().join("\n");
    assert!(why.contains("a port of its own") && !why.contains("without --add-https"), "no circle: {why}");
}

/// A newcomer's: another CA for what is there already was as if it had been done.
#[test]
fn different_options_of_a_resolver_are_reported() {
    let (inferred, once) = added(FRONT_PROXY);
    let quick = Quick {
        domains: inferred.certificates.iter().map(|names| names.join(",")).collect(),
        upstream: Some("127.0.0.1:9".into()),
        email: Some("a@b.example".into()),
        staging: true,
        ..Quick::default()
    };
    let staging = crate::read(&Sources { quick: Some(quick), ..Sources::default() }).unwrap().setup;
    let twice = add("envoy.yaml", &once.text, &staging, &Options::default(), &Wishes::default()).unwrap();
    assert!(
        twice.unplaced.iter().any(|line| line.contains("another caServer for the resolver default")),
        "{:?}",
        twice.unplaced
    );
}

const PLAIN: &str = "static_resources:\n  listeners:\n  - name: web\n    address: { socket_address: { address: 0.0.0.0, port_value: 80 } }\n    filter_chains:\n    - filters:\n      - name: hcm\n        typed_config:\n          \"@type\": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager\n          stat_prefix: web\n          http_filters: [{ name: envoy.filters.http.router, typed_config: { \"@type\": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router } }]\n          route_config:\n            virtual_hosts:\n            - { name: a, domains: [a.example.com], routes: [{ match: { prefix: / }, direct_response: { status: 200 } }] }\n";

/// An attacker's: what guards the listener without TLS must not be missing behind it.
#[test]
fn no_listener_is_added_that_would_be_open_or_lead_to_itself() {
    let wishes = Wishes { add_https: Some(443), ..Wishes::default() };
    let refused = |text: &str| infer("plain.yaml", text, &wishes).unwrap_err().join("\n");
    assert!(infer("plain.yaml", PLAIN, &wishes).is_ok());
    let guarded = PLAIN.replace(
        "    filter_chains:",
        "    filter_chain_matcher: { on_no_match: { action: { name: x } } }\n    filter_chains:",
    );
    assert!(refused(&guarded).contains("filter_chain_matcher"), "{}", refused(&guarded));
    let mixed = format!(
        "{PLAIN}            - {{ name: b, domains: [b.example.com], routes: [{{ match: {{ prefix: / }}, redirect: {{ https_redirect: true }} }}] }}\n"
    );
    assert!(refused(&mixed).contains("found a redirect to HTTPS"), "{}", refused(&mixed));
    let filtered = PLAIN.replace(
        "    filter_chains:",
        "    listener_filters: [{ name: proxy_protocol }] # as the balancer sends\n    filter_chains:",
    );
    let added = add("plain.yaml", &filtered, &setup(&[vec!["a.example.com".to_owned()]]), &Options::default(), &wishes)
        .unwrap();
    assert_eq!(added.text.matches("name: proxy_protocol").count(), 2, "{}", added.text);
}

/// An attacker's: a listener with TLS for other names hid those of the one without.
#[test]
fn the_listener_that_is_added_has_the_certificates_of_its_routes() {
    let tls = bootstrap_with(NO_CERTIFICATES, "admin.example.com").replace("port_value: 443", "port_value: 8443");
    let plain = PLAIN.split("  listeners:\n").nth(1).unwrap();
    let text = tls
        .replace("  clusters: []\n", "")
        .replace(&tls[tls.find("  - name: web\n").unwrap()..tls.find("  - name: websecure").unwrap()], plain);
    let wishes = Wishes { add_https: Some(443), ..Wishes::default() };
    let inferred = infer("own.yaml", &text, &wishes).unwrap();
    assert_eq!(inferred.certificates, [["admin.example.com"], ["a.example.com"]]);
    let added = add("own.yaml", &text, &setup(&inferred.certificates), &Options::default(), &wishes).unwrap();
    let value = yaml::read(&added.text).unwrap().remove(0).value().unwrap();
    let secrets = |listener: usize| {
        let common = &value["static_resources"]["listeners"][listener]["filter_chains"][0]["transport_socket"]["typed_config"]
            ["common_tls_context"];
        common["tls_certificate_sds_secret_configs"]
            .as_array()
            .unwrap()
            .iter()
            .map(|secret| secret["name"].clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(secrets(1), ["admin.example.com"]);
    assert_eq!(secrets(2), ["a.example.com"]);
}

/// The redirect of `require_tls` comes before every route, and so would a route in front of those for challenges.
#[test]
fn a_redirect_leaves_challenges_to_a_plugin_that_routes_enable() {
    let text = include_str!("../../../../tests/e2e/into/corpus/12-port-8080-in-a-container.yaml");
    let wishes = |port, redirect| Wishes { add_https: Some(port), redirect, ..Wishes::default() };
    let with = |text: &str, wishes: &Wishes| {
        let inferred = infer("plain.yaml", text, wishes).unwrap();
        add("plain.yaml", text, &setup(&inferred.certificates), &Options::default(), wishes).unwrap().text
    };
    let mut value = yaml::read(&with(text, &wishes(8443, false))).unwrap().remove(0).value().unwrap();
    let manager = "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config";
    let filter = value.pointer_mut(&format!("{manager}/http_filters/0")).unwrap();
    let wasm = filter["typed_config"]["extension_config"]["typed_config"].take();
    *filter = json!({ "name": "envoy-autocert", "disabled": true, "typed_config": wasm });
    let routes = value.pointer_mut(&format!("{manager}/route_config/virtual_hosts/0/routes")).unwrap();
    let routes = routes.as_array_mut().unwrap();
    routes.splice(0..0, challenge_routes::copies(routes));
    let redirected = with(&value.to_string(), &wishes(9443, true));
    assert_eq!(mistakes(&redirected), [""; 0], "{redirected}");
    let value = yaml::read(&redirected).unwrap().remove(0).value().unwrap();
    let first = value.pointer(&format!("{manager}/route_config/virtual_hosts/0/routes/0")).unwrap();
    assert_eq!(first["match"]["prefix"], "/.well-known/acme-challenge/");
    assert!(first["redirect"]["https_redirect"] == true && first.get("typed_per_filter_config").is_some(), "{first}");
}
