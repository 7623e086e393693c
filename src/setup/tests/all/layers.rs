//! Several sources: their precedence, and the values that each form may have.

use crate::common::{lines, read, with_environment, yaml};
use protocol::KeyType;
use protocol::SecretText;
use protocol::mac_key::MacKey;
use protocol::{Limit, Limits};
use serde_json::json;
use setup::envoy::Options;
use setup::envoy::bootstrap::bootstrap;
use setup::input::split_arguments;
use setup::model::{HttpServer, Redirect, Target};
use setup::{Quick, SourceFile, Sources};

const STATIC: &str = "
entryPoints:
  web: {address: ':80', http: {redirections: {entryPoint: {to: websecure}}}}
  websecure: {address: ':443', asDefault: true, http: {tls: {certResolver: myResolver}}}
certificatesResolvers:
  myResolver: {acme: {email: ops@example.com, httpChallenge: {entryPoint: web}}}
";

const SERVICES: &str = "http: {services: {shop: {loadBalancer: {servers: [{url: 'http://10.0.0.1:8080'}]}}}}";

fn file(name: &str, text: &str) -> SourceFile {
    SourceFile { name: name.into(), text: text.into() }
}

fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

#[test]
fn flags_stand_above_variables_and_those_above_files() {
    let variables = with_environment(&[
        ("TRAEFIK_CERTIFICATESRESOLVERS_MYRESOLVER_ACME_EMAIL", "environment@example.com"),
        ("TRAEFIK_CERTIFICATESRESOLVERS_MYRESOLVER_ACME_KEYTYPE", "EC256"),
        ("TRAEFIK_SERVICE_HOST", "10.0.0.1"),
    ]);
    let sources = Sources {
        files: yaml(STATIC).files,
        flags: texts(&["--certificatesresolvers.MYRESOLVER.acme.keytype=EC384"]),
        ..variables
    };
    let setup = read(&sources).setup;
    let [resolver] = setup.resolvers.as_slice() else { panic!("{:?}", setup.resolvers) };
    assert_eq!((resolver.name.as_str(), resolver.email.as_deref()), ("myResolver", Some("environment@example.com")));
    assert_eq!(resolver.key_type, KeyType::Ec384);
    let quick = Quick { key_type: Some("RSA2048".into()), ..Quick::default() };
    let setup = read(&Sources { quick: Some(quick), ..sources }).setup;
    assert_eq!(setup.resolvers[0].key_type, KeyType::Rsa2048);
}

#[test]
fn keys_are_taken_in_any_case() {
    let text = STATIC.replace("entryPoints:", "ENTRYPOINTS:").replace("certResolver", "certresolver");
    let text = text.replace("httpChallenge", "HttpChallenge").replace("asDefault", "AsDefault");
    assert_eq!(read(&yaml(&text)).setup, read(&yaml(STATIC)).setup);
}

#[test]
fn what_is_ours_of_a_resolver_is_taken_from_files_and_flags_alike() {
    let other = STATIC.replace(
        "certificatesResolvers:",
        "certificatesResolvers:\n  other: {acme: {email: a@b.example, tlsChallenge: {}}}",
    );
    let of_file = other.replace(
        "httpChallenge: {entryPoint: web}}}",
        "httpChallenge: {entryPoint: web}, fallback: [other], stagingServer: none, \
         rateLimits: {ordersPerAccount: 10/1m, certificatesPerDomain: none}}}",
    );
    let resolver = "--certificatesresolvers.myresolver.acme";
    let flags = [
        "fallback=other",
        "stagingserver=none",
        "ratelimits.ordersperaccount=10/1m",
        "ratelimits.certificatesperdomain=none",
    ];
    let flags = flags.map(|flag| format!("{resolver}.{flag}")).into();
    let of_flags = read(&Sources { flags, ..yaml(&other) }).setup.resolvers;
    assert_eq!(of_flags, read(&yaml(&of_file)).setup.resolvers);
    let limits = &of_flags.iter().find(|resolver| resolver.name == "myResolver").unwrap().limits;
    assert_eq!((limits.orders, limits.certificates), (Limit::parse("10/1m"), None));
    let none = yaml(&STATIC.replace("httpChallenge", "rateLimits: none, httpChallenge"));
    assert_eq!(read(&none).setup.resolvers[0].limits, Limits::default());
}

#[test]
fn flags_take_their_values_as_traefik_does() {
    let sorted = split_arguments(texts(&[
        "envoy-autocert",
        "run",
        "--entryPoints.web.address",
        ":80",
        "--envoy",
        "/bin/envoy",
        "--api.insecure",
        "--certificatesResolvers.le.acme.tlsChallenge",
        "-log.level=DEBUG",
        "--configFile",
        "/t.yml",
        "--log-level",
        "debug",
        "--entrypoints.web.http.tls.domains[0].sans=a.example,b.example",
        "--",
        "--api",
    ]));
    let flags = [
        "--entryPoints.web.address=:80",
        "--api.insecure=true",
        "--certificatesResolvers.le.acme.tlsChallenge=true",
        "--log.level=DEBUG",
        "--entrypoints.web.http.tls.domains[0].sans=a.example,b.example",
    ];
    assert_eq!(sorted.flags, flags);
    assert_eq!(sorted.config_files, ["/t.yml"]);
    let others = ["envoy-autocert", "run", "--envoy", "/bin/envoy", "--log-level", "debug", "--", "--api"];
    assert_eq!(sorted.others, others);
}

#[test]
fn lists_of_flags_are_joined_and_numbered() {
    let flags = texts(&[
        "--certificatesresolvers.myResolver.acme.emailaddresses=a@example.com, b@example.com",
        "--certificatesresolvers.myResolver.acme.emailAddresses=c@example.com",
        "--entrypoints.websecure.http.tls.domains[1].main=b.example",
        "--entrypoints.websecure.http.tls.domains[0].main=a.example",
        "--entrypoints.websecure.http.tls.domains[0].sans=www.a.example",
    ]);
    let router = "http: {routers: {shop: {rule: 'PathPrefix(`/`)', service: shop}}}";
    let files = vec![file("a.yml", STATIC), file("b.yml", SERVICES), file("c.yml", router)];
    let setup = read(&Sources { files, flags, ..Sources::default() }).setup;
    assert_eq!(setup.resolvers[0].email_addresses, ["a@example.com", "b@example.com", "c@example.com"]);
    let tls = setup.http_routers[0].tls.as_ref().unwrap();
    assert_eq!(tls.certificates, [vec!["a.example", "www.a.example"], vec!["b.example"]]);
}

#[test]
fn responding_timeouts_are_traefiks_in_every_form() {
    let resolver = [
        "certificatesresolvers.le.acme.email=a@b.example",
        "certificatesresolvers.le.acme.httpchallenge.entrypoint=web",
    ];
    let resolver = || resolver.map(|flag| format!("--{flag}")).to_vec();
    let timeouts = "{transport: {respondingTimeouts: {readTimeout: 5m, writeTimeout: 90, idleTimeout: '0'}}}";
    let files = |text: String| Sources { files: vec![file("a.yml", &text)], flags: resolver(), ..Sources::default() };
    let given = |entry_point: &str| files(format!("entryPoints: {{web: {entry_point}}}"));
    let flag = |key: &str, value: &str| format!("--entryPoints.web.transport.respondingTimeouts.{key}={value}");
    let forms = [
        given(&timeouts.replace("{transport", "{address: ':80', transport")),
        Sources {
            flags: [
                vec!["--entryPoints.web.address=:80".into()],
                vec![flag("readTimeout", "300"), flag("writetimeout", "1m30s"), flag("idleTimeout", "0s")],
                resolver(),
            ]
            .concat(),
            ..Sources::default()
        },
        Sources {
            values: vec![file("values.yaml", &format!("ports: {{web: {timeouts}}}"))],
            flags: resolver(),
            ..Sources::default()
        },
    ];
    for (index, form) in forms.iter().enumerate() {
        let reading = read(form);
        let web = reading.setup.entry_points.iter().find(|point| point.name == "web").unwrap();
        let seconds = |time: Option<std::time::Duration>| time.map(|time| time.as_secs());
        let all = [web.timeouts.read, web.timeouts.write, web.timeouts.idle].map(seconds);
        assert_eq!(all, [Some(300), Some(90), None], "form {index}");
        assert_eq!(reading.warnings, Vec::<String>::new(), "form {index}");
    }
    let without = read(&given("{address: ':80', transport: {lifeCycle: {graceTimeOut: 5s}}}"));
    assert_eq!(without.setup.entry_points[0].timeouts, Default::default());
    assert_eq!(without.warnings, ["a.yml: entryPoints.web.transport.lifeCycle: ignored, it is not supported"]);
}

#[test]
fn a_router_does_tls_as_its_entry_points_say() {
    let router =
        "http: {routers: {shop: {rule: 'Host(`shop.example`)', service: shop@file, entryPoints: [web, websecure]}}}";
    let files = vec![file("a.yml", STATIC), file("b.yml", SERVICES), file("c.yml", router)];
    let setup = read(&Sources { files, ..Sources::default() }).setup;
    let [plain, secure] = setup.http_routers.as_slice() else { panic!("{:?}", setup.http_routers) };
    assert_eq!(
        (plain.name.as_str(), plain.tls.is_none(), plain.entry_points.as_slice()),
        ("shop", true, &["web".to_owned()][..])
    );
    assert_eq!(
        (secure.name.as_str(), secure.entry_points.as_slice()),
        ("websecure-shop", &["websecure".to_owned()][..])
    );
    assert_eq!(secure.tls.as_ref().unwrap().resolver.as_deref(), Some("myResolver"));
    assert_eq!((secure.priority, &secure.target), (20, &Target::Service("shop".into())));
    let redirect = Redirect { scheme: "https".into(), port: 443, unmapped: None, permanent: true };
    assert_eq!(setup.entry_points[0].redirect, Some(redirect));
}

#[test]
fn international_names_are_mapped_with_all_of_unicode() {
    // Thai and an emoji, which the plugin has no tables for.
    let router = "http: {routers: {a: {rule: 'Host(`ไทย.example`)', service: shop, tls: {certResolver: myResolver}},
        b: {rule: 'Host(`x.example`)', service: shop, tls: {certResolver: myResolver, domains: [{main: 'I❤.example'}]}}}}";
    let files = vec![file("a.yml", STATIC), file("b.yml", SERVICES), file("c.yml", router)];
    let setup = read(&Sources { files, ..Sources::default() }).setup;
    let names: Vec<_> =
        setup.http_routers.iter().map(|router| &router.tls.as_ref().unwrap().certificates[0][0]).collect();
    assert_eq!(names, ["xn--o3cw4h.example", "xn--i-7iq.example"]);
    assert_eq!(setup.http_routers[0].rule.hosts(), ["xn--o3cw4h.example"]);
}

#[test]
fn mac_keys_are_taken_out_and_shown_nowhere() {
    let resolver = |name: &str, hmac: &str| {
        format!(
            "  {name}: {{acme: {{email: a@example.com, httpChallenge: {{entryPoint: web}}, eab: {{kid: k, hmacEncoded: '{hmac}'}}}}}}\n"
        )
    };
    let mut text = "entryPoints: {web: {address: ':80'}}\ncertificatesResolvers:\n".to_owned();
    for (name, hmac) in [("a-b", "c2VjcmV0MQ"), ("a_b", "c2VjcmV0Mg"), ("c", "env:EAB"), ("d", "file:/run/eab")] {
        text.push_str(&resolver(name, hmac));
    }
    let reading = read(&yaml(&text));
    let inline = |key: &str| MacKey::Inline(SecretText::new(key.to_owned()));
    let expected = [
        ("a-b", inline("c2VjcmV0MQ")),
        ("a_b", inline("c2VjcmV0Mg")),
        ("c", MacKey::Variable("EAB".to_owned())),
        ("d", MacKey::File("/run/eab".to_owned())),
    ];
    assert_eq!(reading.setup.mac_keys, expected.map(|(name, key)| (name.to_owned(), key)).into());
    for options in reading.setup.resolver_options.values() {
        assert_eq!(options["acme"]["eab"], json!({ "kid": "k" }));
    }
    assert!(reading.warnings.is_empty(), "{:?}", reading.warnings);
    let shown = format!("{reading:?}");
    assert!(!shown.contains("c2VjcmV0") && shown.contains("SecretText"), "{shown}");
    let rendered = bootstrap(&reading.setup, &Options::default()).unwrap().text;
    assert!(rendered.contains("kid: k"), "{rendered}");
    for secret in ["c2VjcmV0", "hmacEncoded", "EAB", "/run/eab"] {
        assert!(!rendered.contains(secret), "{secret}: {rendered}");
    }
}

#[test]
fn legos_variables_stand_in_for_what_is_not_said_of_the_ca() {
    let variables = with_environment(&[
        ("LEGO_CA_CERTIFICATES", "/a.pem:/b.pem"),
        ("LEGO_CA_SYSTEM_CERT_POOL", "true"),
        ("LEGO_CA_SERVER_NAME", "ca.internal"),
    ]);
    let named = STATIC.replace("email:", "caServerName: other.internal, email:");
    let setup = read(&Sources { files: yaml(&named).files, ..variables }).setup;
    let trust = &setup.resolvers[0].ca_trust;
    assert_eq!(trust.certificates, ["/a.pem", "/b.pem"]);
    assert_eq!((trust.system_cert_pool, trust.server_name.as_deref()), (true, Some("other.internal")));
}

#[test]
fn a_few_flags_are_enough() {
    let quick = Quick {
        domains: texts(&["example.com,www.example.com", "other.example"]),
        upstream: Some(":8080".into()),
        email: Some("me@example.com".into()),
        ..Quick::default()
    };
    let sources = Sources { quick: Some(quick), ..Sources::default() };
    let setup = read(&sources).setup;
    let listeners: Vec<_> =
        setup.entry_points.iter().map(|e| (e.name.as_str(), e.port, e.redirect.is_some())).collect();
    assert_eq!(listeners, [("web", 80, true), ("websecure", 443, false)]);
    assert_eq!(
        (setup.resolvers[0].name.as_str(), setup.resolvers[0].email.as_deref()),
        ("default", Some("me@example.com"))
    );
    let certificates: Vec<_> = setup.http_routers.iter().flat_map(|r| &r.tls.as_ref().unwrap().certificates).collect();
    assert_eq!(certificates, [&vec!["example.com", "www.example.com"], &vec!["other.example"]]);
    let server = HttpServer { tls: false, h2c: false, host: "127.0.0.1".into(), port: 8080, weight: 1 };
    assert_eq!(setup.http_services["upstream"].servers, [server]);
    // Any rendered value may be overridden.
    let flags = texts(&[
        "--entryPoints.web.address=127.0.0.1:5002",
        "--certificatesresolvers.le.acme.httpchallenge.entrypoint=web",
    ]);
    let setup = read(&Sources { flags, ..sources }).setup;
    assert_eq!((setup.entry_points[0].host.as_str(), setup.entry_points[0].port), ("127.0.0.1", 5002));
    assert_eq!((setup.resolvers.len(), setup.resolvers[0].name.as_str()), (1, "le"));
}

/// F11.
#[test]
fn keys_for_a_domain_alone_are_small_and_those_of_traefiks_resolvers_as_there() {
    let quick = |key_type: Option<&str>| {
        let (domains, upstream) = (texts(&["a.example"]), Some(":8080".into()));
        let email = Some("me@example.com".into());
        Some(Quick { domains, upstream, email, key_type: key_type.map(str::to_owned), ..Quick::default() })
    };
    let of = |sources: Sources| read(&sources).setup.resolvers[0].key_type;
    assert_eq!(of(Sources { quick: quick(None), ..Sources::default() }), KeyType::Ec256);
    assert_eq!(of(Sources { quick: quick(Some("RSA4096")), ..Sources::default() }), KeyType::Rsa4096);
    let flags = texts(&["--certificatesresolvers.default.acme.storage=x.json"]);
    assert_eq!(of(Sources { quick: quick(None), flags, ..Sources::default() }), KeyType::Ec256);
    for name in ["le", "default"] {
        let text = format!(
            "certificatesResolvers: {{{name}: {{acme: {{email: a@b.example, httpChallenge: {{entryPoint: web}}}}}}}}"
        );
        assert_eq!(of(Sources { quick: quick(None), ..yaml(&text) }), KeyType::Rsa4096, "{name}");
    }
}

#[test]
fn staging_is_the_test_system_of_every_resolvers_ca() {
    const LETS_ENCRYPT: &str = "https://acme-staging-v02.api.letsencrypt.org/directory";
    let quick = Quick { staging: true, ..Quick::default() };
    let text = "
certificatesResolvers:
  default: {acme: {email: a@b.example, httpChallenge: {entryPoint: http}}}
  google: {acme: {email: a@b.example, caServer: 'https://dv.acme-v02.api.pki.goog/directory', httpChallenge: {entryPoint: http}}}
  own: {acme: {email: a@b.example, caServer: 'https://ca.test/dir', stagingServer: 'https://ca.test/trial', httpChallenge: {entryPoint: http}}}
";
    let servers = |quick: &Quick, text: &str| -> Vec<String> {
        let setup = read(&Sources { quick: Some(quick.clone()), ..yaml(text) }).setup;
        assert!(setup.resolvers.iter().all(|resolver| resolver.staging_server.is_none()), "{:?}", setup.resolvers);
        setup.resolvers.into_iter().map(|resolver| resolver.ca_server).collect()
    };
    let google = "https://dv.acme-v02.test-api.pki.goog/directory";
    assert_eq!(servers(&quick, text), [LETS_ENCRYPT, google, "https://ca.test/trial"]);
    let of_domain = Quick {
        domains: texts(&["a.example"]),
        upstream: Some(":8080".into()),
        email: Some("me@example.com".into()),
        ..quick
    };
    assert_eq!(servers(&of_domain, "{}"), [LETS_ENCRYPT]);
    for ca_server in ["https://acme-v02.api.letsencrypt.org/directory", LETS_ENCRYPT] {
        let named = Quick { ca_server: Some(ca_server.into()), ..of_domain.clone() };
        assert_eq!(servers(&named, "{}"), [LETS_ENCRYPT]);
    }
}

#[test]
fn a_wildcard_needs_no_file() {
    let quick = Quick {
        domains: texts(&["example.com,*.example.com"]),
        upstream: Some(":8080".into()),
        email: Some("me@example.com".into()),
        dns: Some("cloudflare".into()),
        ..Quick::default()
    };
    let setup = read(&Sources { quick: Some(quick), ..Sources::default() }).setup;
    let [resolver] = setup.resolvers.as_slice() else { panic!("{:?}", setup.resolvers) };
    assert_eq!(resolver.dns_challenge.as_ref().unwrap().provider, "cloudflare");
    assert!(resolver.http_challenge.is_none(), "who takes DNS may not be reached on port 80");
    assert_eq!(setup.http_routers[0].tls.as_ref().unwrap().certificates, [["example.com", "*.example.com"]]);
}

#[test]
fn ports_for_a_domain_are_where_envoy_listens_and_visitors_are_sent_where_they_can_come_from() {
    let listening = |http_port, https_port| {
        let (domains, upstream) = (texts(&["a.example"]), Some(":9000".into()));
        let email = Some("me@example.com".into());
        let quick = Quick { domains, upstream, email, http_port, https_port, ..Quick::default() };
        let reading = read(&Sources { quick: Some(quick), ..Sources::default() });
        let [web, websecure] = reading.setup.entry_points.as_slice() else { panic!("{:?}", reading.setup) };
        let redirect = web.redirect.as_ref().unwrap();
        (web.port, websecure.port, redirect.port, redirect.unmapped, reading.warnings.len())
    };
    assert_eq!(listening(None, None), (80, 443, 443, None, 0));
    assert_eq!(listening(Some(8080), Some(8443)), (8080, 8443, 443, Some(8443), 2));
    assert_eq!(listening(Some(8080), None), (8080, 443, 443, None, 1));
    assert_eq!(listening(None, Some(8443)), (80, 8443, 8443, None, 0), "nothing is mapped to port 80");
}

#[test]
fn a_mail_address_may_be_missing_for_a_domain_alone() {
    let quick = Quick { domains: texts(&["a.example"]), upstream: Some(":8080".into()), ..Quick::default() };
    let of = |sources: Sources| read(&Sources { quick: Some(quick.clone()), ..sources });
    let reading = of(Sources::default());
    assert_eq!(reading.setup.resolvers[0].email, None);
    assert_eq!(
        reading.warnings,
        ["--email: none given: the CA can't write to anybody about the account and its certificates"]
    );
    let flags = texts(&["--certificatesresolvers.default.acme.email=a@b.example"]);
    let reading = of(Sources { flags, ..Sources::default() });
    assert_eq!((reading.setup.resolvers[0].email.as_deref(), reading.warnings.len()), (Some("a@b.example"), 0));
}

#[test]
fn upstreams_have_several_forms() {
    for (upstream, expected) in [
        ("10.0.0.1:81", (false, false, "10.0.0.1", 81)),
        ("http://app", (false, false, "app", 80)),
        ("https://app.example", (true, false, "app.example", 443)),
        ("h2c://[::1]:50051", (false, true, "::1", 50051)),
        ("app", (false, false, "app", 80)),
    ] {
        let quick = Quick {
            domains: texts(&["a.example"]),
            upstream: Some(upstream.into()),
            email: Some("me@example.com".into()),
            ..Quick::default()
        };
        let setup = read(&Sources { quick: Some(quick), ..Sources::default() }).setup;
        let server = &setup.http_services["upstream"].servers[0];
        assert_eq!((server.tls, server.h2c, server.host.as_str(), server.port), expected, "{upstream}");
    }
}

#[test]
fn ports_of_the_chart_listen_where_clients_ask() {
    let values = "
ports:
  web: {redirections: {entryPoint: {to: websecure, permanent: true}}}
  db: {port: 5432, expose: {default: true}}
  dns: {port: 53, protocol: UDP}
additionalArguments: ['--certificatesresolvers.le.acme.keytype=EC256']
env: [{name: TRAEFIK_CERTIFICATESRESOLVERS_LE_ACME_EMAIL, value: ops@example.com}]
certificatesResolvers: {le: {acme: {storage: /data/acme.json, httpChallenge: {entryPoint: web}}}}
service: {type: LoadBalancer}
providers:
  file:
    enabled: true
    content: |
      http:
        routers: {shop: {rule: Host(`shop.example`), service: shop, tls: {certResolver: le}}}
        services: {shop: {loadBalancer: {servers: [{url: 'http://shop:8080'}]}}}
";
    let reading = read(&Sources { values: vec![file("values.yaml", values)], ..Sources::default() });
    let setup = &reading.setup;
    let listeners: Vec<_> = setup.entry_points.iter().map(|e| (e.name.as_str(), e.port)).collect();
    assert_eq!(listeners, [("db", 5432), ("web", 80), ("websecure", 443)]);
    assert_eq!(setup.entry_points[1].redirect.as_ref().unwrap().port, 443);
    assert_eq!(
        (setup.resolvers[0].key_type, setup.resolvers[0].email.as_deref()),
        (KeyType::Ec256, Some("ops@example.com"))
    );
    assert_eq!(setup.http_routers[0].tls.as_ref().unwrap().certificates, [["shop.example"]]);
    assert_eq!(reading.warnings, ["values.yaml: service: ignored, it is not supported"]);
    // Values are also recognized by their content.
    assert_eq!(read(&yaml(values)).setup, *setup);
}

#[test]
fn unsupported_parts_are_reported_once_each() {
    let router = "
http:
  middlewares: {auth: {basicAuth: {users: ['a:b']}}}
  routers:
    a: {rule: 'Host(`a.example`)', service: shop, middlewares: [auth]}
    b: {rule: 'Host(`b.example`)', service: shop, middlewares: [auth]}
    c: {rule: 'Host(`c.example`)', service: api@internal}
    d: {rule: 'Host(`d.example`)', service: spread}
  services: {spread: {weighted: {services: [{name: shop}]}}}
log: {level: DEBUG}
tls: {options: {default: {minVersion: VersionTLS12, sniStrict: true}}}
tcp: {routers: {e: {rule: 'HostSNI(`*`) && ClientIP(`10.0.0.0/8`)', service: db}}, services: {db: {loadBalancer: {servers: [{address: 'db:1'}]}}}}
";
    let files = vec![file("a.yml", STATIC), file("b.yml", SERVICES), file("c.yml", router)];
    let reading = read(&Sources { files: files.clone(), ..Sources::default() });
    let expected = [
        "c.yml: http.middlewares.auth.basicAuth: ignored, it is not supported",
        "c.yml: http.services.spread.weighted: ignored, it is not supported",
        "c.yml: log: ignored, it is not supported",
        "c.yml: tls.options.default.sniStrict: ignored, it is not supported",
    ];
    assert_eq!(reading.warnings, expected);
    let closed: Vec<&str> = reading.closed.iter().map(|closed| closed.router.as_str()).collect();
    let expected = ["http.routers.a", "http.routers.b", "http.routers.c", "http.routers.d", "tcp.routers.e"];
    assert_eq!(closed, expected);
    let mistakes = setup::read(&Sources { files, strict: true, ..Sources::default() }).unwrap_err();
    assert_eq!(mistakes.len(), reading.warnings.len() + closed.len(), "{:#?}", lines(&mistakes));
}

/// F18.
#[test]
fn a_tailscale_resolver_is_ignored_and_its_routers_are_reported() {
    let text = "
certificatesResolvers: {ts: {tailscale: {}}}
http:
  routers:
    a: {rule: 'Host(`a.example`)', service: s, tls: {certResolver: ts}}
    b: {rule: 'Host(`b.example`)', service: s, tls: {certResolver: le}}
  services: {s: {loadBalancer: {servers: [{url: 'http://127.0.0.1:1'}]}}}
";
    let files = vec![file("a.yml", STATIC.replace("myResolver", "le").as_str()), file("b.yml", text)];
    let quick = Some(Quick { key_type: Some("EC256".into()), ..Quick::default() });
    let sources = Sources { files, quick, ..Sources::default() };
    let reading = read(&sources);
    assert_eq!(reading.setup.resolvers.iter().map(|resolver| &resolver.name).collect::<Vec<_>>(), ["le"]);
    let tls = reading.setup.http_routers.iter().map(|router| router.tls.as_ref().unwrap());
    let tls: Vec<_> = tls.map(|tls| (tls.resolver.as_deref(), tls.certificates.len())).collect();
    assert_eq!(tls, [(None, 0), (Some("le"), 1)]);
    assert_eq!(
        reading.warnings,
        [
            "b.yml: certificatesResolvers.ts.tailscale: ignored, it is not supported",
            "http.routers.a.tls.certResolver: orders nothing: the resolver ts is Tailscale's, which is not built; a \
             certificate of tls.certificates or the default one is served",
        ]
    );
    let mistakes = setup::read(&Sources { strict: true, ..sources }).unwrap_err();
    assert_eq!(
        lines(&mistakes),
        ["b.yml: certificatesResolvers.ts.tailscale: found a part of Traefik's that is left out here, expected none \
             with --strict"]
    );
}

#[test]
fn yaml_has_anchors_and_merge_keys() {
    let router = "
http:
  routers:
    a: &shop {rule: 'Host(`a.example`)', service: shop, tls: {}}
    b: {<<: *shop, rule: 'Host(`b.example`)'}
";
    let files = vec![file("a.yml", STATIC), file("b.yml", SERVICES), file("c.yml", router)];
    let setup = read(&Sources { files, ..Sources::default() }).setup;
    let rules: Vec<_> = setup.http_routers.iter().map(|router| (router.rule_text.as_str(), &router.target)).collect();
    let shop = Target::Service("shop".into());
    assert_eq!(rules, [("Host(`a.example`)", &shop), ("Host(`b.example`)", &shop)]);
}
