//! Wrong inputs of every form: each mistake has one line with its position, the value found, the value expected, and
//! what was probably meant. No mistake becomes a default.

use crate::common::{lines, read, with_environment};
use setup::envoy::Options;
use setup::envoy::bootstrap::bootstrap;
use setup::{Quick, SourceFile, Sources};

/// The rest of these configurations, so that nothing else is wrong.
const REST: &str = "
entryPoints: {web: {address: ':80'}, websecure: {address: ':443'}}
certificatesResolvers: {le: {acme: {email: ops@example.com, httpChallenge: {entryPoint: web}}}}
http: {services: {shop: {loadBalancer: {servers: [{url: 'http://10.0.0.1'}]}}}}
tcp: {services: {db: {loadBalancer: {servers: [{address: '10.0.0.1:5432'}]}}}}
";

fn sources(files: &[(&str, &str)]) -> Sources {
    let files = files.iter().map(|(name, text)| SourceFile { name: (*name).into(), text: (*text).into() });
    Sources { files: files.collect(), ..Sources::default() }
}

/// The lines of all mistakes.
#[track_caller]
fn told(sources: &Sources) -> Vec<String> {
    match setup::read(sources) {
        Ok(_) => panic!("nothing is wrong"),
        Err(mistakes) => lines(&mistakes),
    }
}

/// A wrong input, and its line.
type Case = (&'static str, &'static str);

#[track_caller]
fn check(cases: &[Case], sources: impl Fn(&str) -> Sources) {
    let differ = |(wrong, expected): &&Case| told(&sources(wrong)) != [*expected];
    let differing: Vec<String> =
        cases.iter().filter(differ).map(|(wrong, _)| format!("{wrong}\n{:#?}", told(&sources(wrong)))).collect();
    assert!(differing.is_empty(), "{}", differing.join("\n\n"));
}

#[test]
fn in_yaml_files() {
    let cases: &[Case] = &[
        // Keys.
        (
            "entrypoint: {}",
            "a.yml: entrypoint: found an unknown key, expected one of the keys certificatesResolvers, core, entryPoints, http, providers, tcp, tls; did you mean entryPoints?",
        ),
        (
            "entryPoints: {web: {adress: ':80'}}",
            "a.yml: entryPoints.web.adress: found an unknown key, expected one of the keys address, asDefault, http, transport; did you mean address?",
        ),
        (
            "acme: {email: a@example.com}",
            "a.yml: acme: found an unknown key, expected a configuration of Traefik 2 or 3; this key is one of Traefik 1",
        ),
        (
            "http: {routes: {}}",
            "a.yml: http.routes: found an unknown key, expected one of the keys middlewares, routers, services; did you mean routers?",
        ),
        (
            "providers: {file: {file: x.yml}}",
            "a.yml: providers.file.file: found an unknown key, expected one of the keys directory, filename, watch",
        ),
        (
            "entryPoints: {other: {address: ':81', ADDRESS: ':82'}}",
            "a.yml: entryPoints.other.address: found this key in two spellings, one of them address, expected each key once",
        ),
        // Types.
        ("entryPoints: [web]", "a.yml: entryPoints: found a list of 1, expected an object whose keys are names"),
        ("entryPoints: {other: ':81'}", "a.yml: entryPoints.other: found \":81\", expected an object"),
        (
            "entryPoints: {other: {address: {port: 81}}}",
            "a.yml: entryPoints.other.address: found an object, expected a text (numbers with a point and true or false in quotes)",
        ),
        (
            "entryPoints: {other: {address: ':81', asDefault: yes}}",
            "a.yml: entryPoints.other.asDefault: found \"yes\", expected true or false",
        ),
        (
            "entryPoints: {other: {address: ':81', transport: {respondingTimeouts: {readTimeout: soon}}}}",
            "a.yml: entryPoints.other.transport.respondingTimeouts.readTimeout: found \"soon\", expected a duration from 0 to 8760h, as 90s, 1m30s or seconds; 0 disables the timeout",
        ),
        (
            "entryPoints: {other: {address: ':81', transport: {respondingTimeouts: {idleTimeout: -1}}}}",
            "a.yml: entryPoints.other.transport.respondingTimeouts.idleTimeout: found -1, expected a duration from 0 to 8760h, as 90s, 1m30s or seconds; 0 disables the timeout",
        ),
        (
            "http: {routers: {a: {rule: 'Host(`a.example`)', service: shop, priority: high}}}",
            "a.yml: http.routers.a.priority: found \"high\", expected a whole number",
        ),
        (
            "http: {routers: {a: {rule: 'Host(`a.example`)', service: shop, priority: 1.5}}}",
            "a.yml: http.routers.a.priority: found the number 1.5, expected a whole number",
        ),
        (
            "http: {routers: {a: {rule: 'Host(`a.example`)', service: shop, entryPoints: web}}}",
            "a.yml: http.routers.a.entryPoints: found \"web\", expected a list",
        ),
        (
            "http: {routers: {a: {rule: 'Host(`a.example`)', service: shop, entryPoints: [web, ~]}}}",
            "a.yml: http.routers.a.entryPoints[1]: found nothing, expected a text (numbers with a point and true or false in quotes)",
        ),
        (
            "tls: {options: {modern: {minVersion: 1.2}}}",
            "a.yml: tls.options.modern.minVersion: found the number 1.2, expected a text (numbers with a point and true or false in quotes)",
        ),
        (
            "- entryPoints",
            "a.yml: configuration: found a list of 1, expected an object with keys as entryPoints and http",
        ),
        // Entry points.
        (
            "entryPoints: {other: {}}",
            "a.yml: entryPoints.other.address: found nothing, expected an IP address and a port, as :80, 192.0.2.1:443 or [2001:db8::1]:443",
        ),
        (
            "entryPoints: {other: {address: '81'}}",
            "a.yml: entryPoints.other.address: found \"81\", expected an IP address and a port, as :80, 192.0.2.1:443 or [2001:db8::1]:443",
        ),
        (
            "entryPoints: {other: {address: ':65536'}}",
            "a.yml: entryPoints.other.address: found \":65536\", expected an IP address and a port, as :80, 192.0.2.1:443 or [2001:db8::1]:443",
        ),
        (
            "entryPoints: {other: {address: 'example.com:81'}}",
            "a.yml: entryPoints.other.address: found \"example.com:81\", expected an IP address and a port, as :80, 192.0.2.1:443 or [2001:db8::1]:443",
        ),
        (
            "entryPoints: {other: {address: ':81/sctp'}}",
            "a.yml: entryPoints.other.address: found \":81/sctp\", expected an IP address and a port, as :80, 192.0.2.1:443 or [2001:db8::1]:443",
        ),
        (
            "entryPoints: {zweb: {address: ':80'}}",
            "a.yml: entryPoints.zweb.address: found 0.0.0.0:80, expected an address of its own: entryPoints.web listens there",
        ),
        (
            "entryPoints: {web: {http: {redirections: {entryPoint: {to: webscure}}}}}",
            "a.yml: entryPoints.web.http.redirections.entryPoint.to: found \"webscure\", expected one of the entry points web, websecure; did you mean websecure?",
        ),
        (
            "entryPoints: {web: {http: {redirections: {entryPoint: {scheme: https}}}}}",
            "a.yml: entryPoints.web.http.redirections.entryPoint.to: found nothing, expected the name of an entry point, or a port as in :443",
        ),
        (
            "entryPoints: {web: {http: {redirections: {entryPoint: {to: websecure, scheme: ftp}}}}}",
            "a.yml: entryPoints.web.http.redirections.entryPoint.scheme: found \"ftp\", expected https or http",
        ),
        // Routers.
        (
            "http: {routers: {a: {service: shop}}}",
            "a.yml: http.routers.a.rule: found nothing, expected a rule, as Host(`example.com`)",
        ),
        (
            "http: {routers: {a: {rule: 'Hots(`a.example`)', service: shop}}}",
            "a.yml: http.routers.a.rule: found \"Hots(`a.example`)\", expected at column 1 a matcher, as Host or PathPrefix; did you mean Host?",
        ),
        (
            "http: {routers: {a: {rule: 'HostSNI(`a.example`)', service: shop}}}",
            "a.yml: http.routers.a.rule: found \"HostSNI(`a.example`)\", expected a matcher of requests, as Host, at column 1",
        ),
        (
            "http: {routers: {a: {rule: 'Host(`a.example`)'}}}",
            "a.yml: http.routers.a.service: found nothing, expected the name of a service",
        ),
        (
            "http: {routers: {a: {rule: 'Host(`a.example`)', service: shpo}}}",
            "a.yml: http.routers.a.service: found \"shpo\", expected one of the services shop; did you mean shop?",
        ),
        (
            "http: {routers: {a: {rule: 'Host(`a.example`)', service: shop@docker}}}",
            "a.yml: http.routers.a.service: found \"shop@docker\", expected one of the services shop",
        ),
        (
            "http: {routers: {a: {rule: 'Host(`a.example`)', service: shop, entryPoints: [wbe]}}}",
            "a.yml: http.routers.a.entryPoints[0]: found \"wbe\", expected one of the entry points web, websecure; did you mean web?",
        ),
        (
            "http: {routers: {a: {rule: 'Host(`a.example`)', service: shop, ruleSyntax: v1}}}",
            "a.yml: http.routers.a.ruleSyntax: found \"v1\", expected v3 or v2",
        ),
        ("core: {defaultRuleSyntax: v4}", "a.yml: core.defaultRuleSyntax: found \"v4\", expected v3 or v2"),
        (
            "http: {routers: {a: {rule: 'Host(`a.example`)', service: shop, tls: {options: strict}}}}",
            "a.yml: http.routers.a.tls.options: found \"strict\", expected one of the TLS options default",
        ),
        (
            "http: {routers: {a: {rule: 'Host(`a.example`)', service: shop, tls: {certResolver: el}}}}",
            "a.yml: http.routers.a.tls.certResolver: found \"el\", expected one of the resolvers le",
        ),
        (
            "http: {routers: {a: {rule: 'Host(`a_b.example`)', service: shop, tls: {certResolver: le}}}}",
            "a.yml: http.routers.a.rule: found \"a_b.example\", expected a DNS name of letters, digits and inner hyphens",
        ),
        (
            "http: {routers: {a: {rule: 'Host(`a.example`)', service: shop, tls: {certResolver: le, domains: [{main: '*.a.example'}]}}}}",
            "a.yml: http.routers.a.tls.domains[0].main: found \"*.a.example\", expected a name without a wildcard, or a resolver with dnsChallenge, since only DNS-01 proves a wildcard",
        ),
        (
            "http: {routers: {a: {rule: 'Host(`a.example`)', service: shop, tls: {certResolver: le, domains: [{}]}}}}",
            "a.yml: http.routers.a.tls.domains[0].main: found nothing, expected the certificate's main name",
        ),
        (
            "tcp: {routers: {a: {rule: 'Host(`a.example`)', service: db, tls: {}}}}",
            "a.yml: tcp.routers.a.rule: found \"Host(`a.example`)\", expected a matcher of connections, as HostSNI, at column 1",
        ),
        (
            "tcp: {routers: {a: {rule: 'HostSNI(`a.example`)', service: db}}}",
            "a.yml: tcp.routers.a.rule: found names of servers without tls, expected HostSNI(`*`), since plaintext connections name no server, or tls: {}",
        ),
        // Services.
        (
            "http: {services: {a: {}}}",
            "a.yml: http.services.a.loadBalancer: found nothing, expected the service's servers",
        ),
        (
            "http: {services: {a: {loadBalancer: {}}}}",
            "a.yml: http.services.a.loadBalancer.servers: found nothing, expected at least one server",
        ),
        (
            "http: {services: {a: {loadBalancer: {servers: [{}]}}}}",
            "a.yml: http.services.a.loadBalancer.servers[0].url: found nothing, expected a server's URL, as http://10.0.0.1:8080, https://… or h2c://…",
        ),
        (
            "http: {services: {a: {loadBalancer: {servers: [{url: '10.0.0.1:80'}]}}}}",
            "a.yml: http.services.a.loadBalancer.servers[0].url: found \"10.0.0.1:80\", expected a server's URL, as http://10.0.0.1:8080, https://… or h2c://…",
        ),
        (
            "http: {services: {a: {loadBalancer: {servers: [{url: 'http://u:hunter2@10.0.0.1'}]}}}}",
            "a.yml: http.services.a.loadBalancer.servers[0].url: found a URL with a user name or password, expected a server's URL, as http://10.0.0.1:8080, https://… or h2c://…",
        ),
        (
            "http: {services: {a: {loadBalancer: {servers: [{url: 'http://10.0.0.1', weight: 0}]}}}}",
            "a.yml: http.services.a.loadBalancer.servers: found servers of weight 0 only, expected at least one server that gets requests",
        ),
        (
            "http: {services: {a: {loadBalancer: {servers: [{url: 'http://10.0.0.1', weight: -1}]}}}}",
            "a.yml: http.services.a.loadBalancer.servers[0].weight: found the number -1, expected a whole number from 0 to 4294967295",
        ),
        (
            "tcp: {services: {a: {loadBalancer: {servers: [{address: db}]}}}}",
            "a.yml: tcp.services.a.loadBalancer.servers[0].address: found \"db\", expected a server's address, as 10.0.0.1:5432",
        ),
        // TLS.
        (
            "tls: {options: {a: {minVersion: VersionTLS12, maxVersion: VersionTLS11}}}",
            "a.yml: tls.options.a.maxVersion: found an older version than minVersion, expected the same or a newer one",
        ),
        (
            "tls: {options: {a: {minVersion: TLS12}}}",
            "a.yml: tls.options.a.minVersion: found \"TLS12\", expected one of VersionTLS10, VersionTLS11, VersionTLS12, VersionTLS13",
        ),
        (
            "tls: {certificates: [{certFile: a.pem}]}",
            "a.yml: tls.certificates[0].keyFile: found nothing, expected the path of a PEM file",
        ),
        (
            "tls: {certificates: [{certFile: a.pem, keyFile: '-----BEGIN PRIVATE KEY-----'}]}",
            "a.yml: tls.certificates[0].keyFile: found the content of a file, expected the path of a PEM file",
        ),
        // Resolvers, whose reader is the plugin's.
        (
            "certificatesResolvers: {le: {acme: {keyTyp: EC256}}}",
            "a.yml: certificatesResolvers.le.acme.keyTyp: found an unknown key, expected one of the keys email, eab, caServer, caCertificates, caSystemCertPool, caServerName, keyType, httpChallenge, tlsChallenge, dnsChallenge, …; did you mean keyType?",
        ),
        (
            "certificatesResolvers: {le: {acme: {keyType: ec256}}}",
            "a.yml: certificatesResolvers.le.acme.keyType: found \"ec256\", expected one of EC256, EC384, RSA2048, RSA4096, RSA8192; did you mean EC256?",
        ),
        (
            "certificatesResolvers: {le: {acme: {certificatesDuration: 0}}}",
            "a.yml: certificatesResolvers.le.acme.certificatesDuration: found the number 0, expected a whole number from 1 to 878400",
        ),
        (
            "certificatesResolvers: {le: {acme: {email: b@example.com}}}",
            "a.yml: certificatesResolvers.le.acme.email: found one value here and another in rest.yml, expected the same in all files, or in one of them only",
        ),
        (
            "certificatesResolvers: {b: {acme: {email: b@example.com, httpChallenge: {entryPoint: wbe}}}}",
            "a.yml: certificatesResolvers.b.acme.httpChallenge.entryPoint: found \"wbe\", expected one of the entry points web, websecure; did you mean web?",
        ),
        (
            "certificatesResolvers: {other: {}}",
            "a.yml: certificatesResolvers.other.acme: found nothing, expected the resolver's ACME options",
        ),
        (
            "certificatesResolvers: {le: {acme: {eab: {kid: abc}}}}",
            "a.yml: certificatesResolvers.le.acme.eab.hmacEncoded: found nothing, expected the MAC key that the CA gave you, in base64url, or file:PATH or env:NAME of the sidecar",
        ),
        (
            "certificatesResolvers: {le: {acme: {eab: {kid: abc, hmacEncoded: 'not base64 hunter2'}}}}",
            "a.yml: certificatesResolvers.le.acme.eab.hmacEncoded: found a text that is not base64url, expected the MAC key that the CA gave you, in base64url, or file:PATH or env:NAME of the sidecar",
        ),
        (
            "certificatesResolvers: {le: {acme: {caServer: 'https://acme-v01.api.letsencrypt.org/directory'}}}",
            "a.yml: certificatesResolvers.le.acme.caServer: found \"https://acme-v01.api.letsencrypt.org/directory\", expected a directory that still exists; did you mean https://acme-v02.api.letsencrypt.org/directory?",
        ),
    ];
    check(cases, |text| sources(&[("rest.yml", REST), ("a.yml", text)]));
}

#[test]
fn in_toml_files() {
    let cases: &[Case] = &[
        (
            "[entryPoints.other]\naddres = \":81\"",
            "a.toml: entryPoints.other.addres: found an unknown key, expected one of the keys address, asDefault, http, transport; did you mean address?",
        ),
        (
            "[entryPoints.other]\naddress = 81",
            "a.toml: entryPoints.other.address: found \"81\", expected an IP address and a port, as :80, 192.0.2.1:443 or [2001:db8::1]:443",
        ),
        (
            "[entryPoints.web]\naddress = \":81\"",
            "a.toml: entryPoints.web.address: found one value here and another in rest.yml, expected the same in all files, or in one of them only",
        ),
        (
            "[certificatesResolvers.le.acme]\nclientTimeout = \"5s\"",
            "a.toml: certificatesResolvers.le.acme.clientTimeout: found \"5s\", expected a clientTimeout that is not shorter than clientResponseHeaderTimeout",
        ),
        (
            "[certificatesResolvers.le.acme]\nclientTimeout = 1979-05-27",
            "a.toml: certificatesResolvers.le.acme.clientTimeout: found \"1979-05-27\", expected a duration from 100ms to 1h, as 90s, 1m30s or seconds",
        ),
        (
            "[http.routers.a]\nrule = \"Host(`a.example`\"\nservice = \"shop\"",
            "a.toml: http.routers.a.rule: found \"Host(`a.example`\", expected at column 17 a comma or a closing parenthesis",
        ),
        (
            "[[http.services.a.loadBalancer.servers]]\nurl = \"ftp://10.0.0.1\"",
            "a.toml: http.services.a.loadBalancer.servers[0].url: found \"ftp://10.0.0.1\", expected a server's URL, as http://10.0.0.1:8080, https://… or h2c://…",
        ),
    ];
    check(cases, |text| sources(&[("rest.yml", REST), ("a.toml", text)]));
}

#[test]
fn in_texts_that_cannot_be_read() {
    let one = |name: &str, text: &str| told(&sources(&[(name, text)])).join("\n");
    let starts = |name: &str, text: &str, start: &str| {
        let line = one(name, text);
        assert!(line.starts_with(start) && !line.contains('\n'), "{name}: {text}: {line}");
        assert!(!line.contains("hunter2"), "{line}");
    };
    starts(
        "a.yml",
        "entryPoints:\n  web: {address: ':80'}\n  web: {address: ':81'}\n",
        "a.yml:3:3: configuration: found ",
    );
    starts("a.yml", "entryPoints: [hunter2\n", "a.yml:");
    starts("a.yml", "a: *nowhere\n", "a.yml:1:4: configuration: found ");
    starts("a.yml", "a: 1\n---\nb: 2\n", "a.yml:");
    starts("a.yml", "a: hunter2\n\tb: 2\n", "a.yml:");
    starts("a.yml", "? [1, 2]\n: hunter2\n", "a.yml:");
    starts("a.yml", &"[".repeat(100_000), "a.yml:");
    starts("a.toml", "[entryPoints.web]\naddress = ':80'\naddress = ':81'\n", "a.toml:3:1: configuration: found ");
    starts("a.toml", "address = hunter2\n", "a.toml:1:11: configuration: found ");
    starts("a.toml", &format!("a = {}", "[".repeat(100_000)), "a.toml:");
    starts("a.json", "{\"http\": {}, \"http\": {}}", "a.json:1:");
    starts("a.json", "{\"http\": hunter2}", "a.json:1:10: configuration: found ");
    starts(
        "a.yml",
        &" ".repeat(setup::input::MAX_FILE + 1),
        "a.yml: configuration: found 33554433 bytes, expected a file",
    );
    // Nine levels, each ten times the one before: a billion values from some hundred bytes.
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..10 {
        let items = format!("*a{}, ", level - 1).repeat(10);
        bomb.push_str(&format!("a{level}: &a{level} [{items}]\n"));
    }
    starts("a.yml", &bomb, "a.yml:");
}

#[test]
fn in_templates() {
    let template = "expected plain text: templates are not run; write the result, or pass it as a flag or variable";
    let cases: &[(&str, &str, &str)] = &[
        ("a.yml", "entryPoints:\n  web:\n    address: {{ env \"ADDRESS\" }}\n", "a.yml:3:14"),
        ("a.yml", "http:\n  routers:\n{{ range .Hosts }}\n{{ end }}\n", "a.yml:3:1"),
        ("a.toml", "# {{ not this }}\n[entryPoints.web]\naddress = \"{{ env \"ADDRESS\" }}\"\n", "a.toml:3:12"),
    ];
    for (name, text, place) in cases {
        let line = format!("{place}: configuration: found a template, {{{{ … }}}}, {template}");
        assert_eq!(told(&sources(&[(name, text)])), [line]);
    }
}

#[test]
fn in_flags() {
    let cases: &[Case] = &[
        (
            "--entryPoints.other.adress=:81",
            "flags: entryPoints.other.adress: found an unknown key, expected one of the keys address, asDefault, http, transport; did you mean address?",
        ),
        (
            "--entryPoints.other.address",
            "flags: entryPoints.other.address: found a flag without a value, expected --name=value",
        ),
        (
            "--entryPoints.other.asdefault=maybe --entryPoints.other.address=:81",
            "flags: entryPoints.other.asDefault: found \"maybe\", expected true or false",
        ),
        (
            "--entryPoints..address=:81",
            "flags: entryPoints..address: found a name with an empty part, expected names joined by dots, as a.b[0].c",
        ),
        (
            "--entryPoints.web.http.tls.domains=a.example",
            "flags: entryPoints.web.http.tls.domains: found a text, expected its items one by one, as [0].main=…",
        ),
        (
            "--entryPoints.web.http.tls.domains.x.main=a.example",
            "flags: entryPoints.web.http.tls.domains.x: found a key, expected the number of an item, as [0]",
        ),
        (
            "--entryPoints.web.address=:80 --entryPoints.web.address.port=80",
            "flags: entryPoints.web.address.port: found a value and parts of it, expected one or the other",
        ),
        (
            "entryPoints.web.address=:80",
            "flags: flags: found an argument that is no flag, expected flags of Traefik's, as --entryPoints.web.address=:80",
        ),
        (
            "--certificatesresolvers.le.acme.keytype=RSA1024",
            "flags: certificatesResolvers.le.acme.keyType: found \"RSA1024\", expected one of EC256, EC384, RSA2048, RSA4096, RSA8192",
        ),
        (
            "--certificatesresolvers.le.acme.certificatesduration=soon",
            "flags: certificatesResolvers.le.acme.certificatesDuration: found \"soon\", expected a whole number from 1 to 878400",
        ),
        (
            "--certificatesresolvers.le.acme.eab.hmacencoded=aHVudGVyMg",
            "flags: certificatesResolvers.le.acme.eab.kid: found nothing, expected the key identifier that the CA gave you",
        ),
        (
            "--certificatesresolvers.le.acme.httpchallenge.entrypoint=wbe",
            "flags: certificatesResolvers.le.acme.httpChallenge.entryPoint: found \"wbe\", expected one of the entry points web, websecure; did you mean web?",
        ),
    ];
    check(cases, |flags| Sources {
        flags: flags.split(' ').map(str::to_owned).collect(),
        ..sources(&[("rest.yml", REST)])
    });
}

#[test]
fn in_environment_variables() {
    let cases: &[Case] = &[
        (
            "TRAEFIK_ENTRYPOINTS_OTHER_ADRESS=:81",
            "environment: entryPoints.other.adress: found an unknown key, expected one of the keys address, asDefault, http, transport; did you mean address?",
        ),
        (
            "TRAEFIK_ENTRYPOINTS__ADDRESS=:81",
            "environment: TRAEFIK_ENTRYPOINTS__ADDRESS: found a name with an empty part, expected names joined by dots, as a.b[0].c",
        ),
        (
            "TRAEFIK_CERTIFICATESRESOLVERS_LE_ACME_EMAIL=nobody",
            "environment: certificatesResolvers.le.acme.email: found \"nobody\", expected a mail address for the CA's notices, as ops@example.com, or none",
        ),
        (
            "TRAEFIK_CERTIFICATESRESOLVERS_LE_ACME_CASERVER=http://ca.example",
            "environment: certificatesResolvers.le.acme.caServer: found \"http://ca.example\", expected the https URL of a CA's directory",
        ),
        (
            "LEGO_CA_SERVER_NAME=not a name",
            "rest.yml: certificatesResolvers.le.acme.caServerName: found \"not a name\", expected the DNS name in the certificate of the CA's server",
        ),
    ];
    check(cases, |variable| {
        let (name, value) = variable.split_once('=').unwrap();
        Sources { files: sources(&[("rest.yml", REST)]).files, ..with_environment(&[(name, value)]) }
    });
}

#[test]
fn in_helm_values() {
    let cases: &[Case] = &[
        (
            "ports: {web: {exposedport: high}}",
            "values.yaml: ports.web.exposedPort: found \"high\", expected a whole number from 0 to 65535",
        ),
        (
            "ports: {web: {redirectTo: {port: webscure}}}",
            "values.yaml: ports.web.redirectTo.port: found \"webscure\", expected the name of one of the ports",
        ),
        (
            "ports: {other: {expose: {default: true}}}",
            "values.yaml: ports.other.port: found nothing, expected the port that the entry point listens on",
        ),
        (
            "port: {}",
            "values.yaml: port: found an unknown key, expected one of the keys additionalArguments, certificatesResolvers, core, entryPoints, env, ports, providers, tlsOptions; did you mean ports?",
        ),
        (
            "additionalArguments: ['--entryPoints.web.adress=:80']",
            "values.yaml: entryPoints.web.adress: found an unknown key, expected one of the keys address, asDefault, http, transport; did you mean address?",
        ),
        (
            "certificatesResolvers: {le: {acme: {email: '{{ .Values.email }}'}}}",
            "values.yaml: certificatesResolvers.le.acme.email: found a template, {{ … }}, expected plain text: templates are not run; write the result, or pass it as a flag or variable",
        ),
        (
            "providers: {file: {enabled: true, content: 'http: {router: {}}'}}",
            "values.yaml: http.router: found an unknown key, expected one of the keys middlewares, routers, services; did you mean routers?",
        ),
        (
            "providers: {file: {enabled: true, content: 'http: ['}}",
            "values.yaml (providers.file.content):1:7: configuration: found unclosed bracket '[', expected YAML, each key once",
        ),
    ];
    check(cases, |text| Sources {
        values: sources(&[("values.yaml", text)]).files,
        ..sources(&[(
            "rest.yml",
            "certificatesResolvers: {le: {acme: {email: ops@example.com, httpChallenge: {entryPoint: web}}}}",
        )])
    });
}

/// Our own flags without a file: sufficient, unless one of them is wrong.
fn quick() -> Quick {
    Quick {
        domains: vec!["a.example".into()],
        upstream: Some("127.0.0.1:8080".into()),
        email: Some("ops@example.com".into()),
        ..Quick::default()
    }
}

fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

#[test]
fn on_the_command_line() {
    let domains = |domains: &[&str]| Quick { domains: texts(domains), ..quick() };
    let some = |text: &str| Some(text.to_owned());
    let cases = [
        (
            Quick { upstream: None, ..quick() },
            "--upstream: found nothing, expected where the requests go, as 127.0.0.1:8080 or https://10.0.0.1:8443",
        ),
        (
            Quick { domains: Vec::new(), ..quick() },
            "--upstream: found an upstream without a domain, expected --domain too",
        ),
        (
            Quick { domains: Vec::new(), upstream: None, dns: some("cloudflare"), ..quick() },
            "--dns: found a DNS provider without a domain, expected --domain too",
        ),
        (
            Quick { domains: Vec::new(), upstream: None, http_port: Some(81), ..quick() },
            "--http-port: found a port without a domain, expected --domain too",
        ),
        (domains(&["a.example", "a.example"]), "--domain: found a.example twice, expected each domain once"),
        (domains(&[","]), "--domain: found an empty text, expected a domain, as example.com"),
        (domains(&["a`b.example"]), "--domain: found \"a`b.example\", expected a domain, as example.com"),
        (
            domains(&["a.example,b_.example"]),
            "--domain: found \"b_.example\", expected a DNS name of letters, digits and inner hyphens",
        ),
        (
            domains(&["localhost"]),
            "--domain: found \"localhost\", expected a name with at least two labels, as www.example.com: Let's Encrypt certifies no others",
        ),
        (
            domains(&["*.a.example"]),
            "--domain: found \"*.a.example\", expected a name without a wildcard, or --dns PROVIDER, since only DNS-01 proves a wildcard",
        ),
        (
            Quick { dns: some("cloudflare"), ..domains(&["192.0.2.1"]) },
            "--domain: found \"192.0.2.1\", expected a DNS name, or HTTP-01, which is without --dns, since DNS proves no address",
        ),
        (
            Quick { upstream: some("ftp://a"), ..quick() },
            "--upstream: found \"ftp://a\", expected HOST:PORT, :PORT on this machine, or a URL, as http://10.0.0.1:8080, https://… or h2c://…",
        ),
        (
            Quick { upstream: some("user:secret@a"), ..quick() },
            "--upstream: found a URL with a user name or password, expected HOST:PORT, :PORT on this machine, or a URL, as http://10.0.0.1:8080, https://… or h2c://…",
        ),
        (
            Quick { upstream: some("34207"), ..quick() },
            "--upstream: found \"34207\", expected HOST:PORT, :PORT on this machine, or a URL, as http://10.0.0.1:8080, https://… or h2c://…; did you mean :34207?",
        ),
        (
            Quick { upstream: some("127.0.0.1:99999"), ..quick() },
            "--upstream: found \"127.0.0.1:99999\", expected HOST:PORT, :PORT on this machine, or a URL, as http://10.0.0.1:8080, https://… or h2c://…",
        ),
        (
            Quick { upstream: some("localhost"), ..quick() },
            "--upstream: found port 80 of this machine, where Envoy itself listens, expected the server behind it: a request would go round in circles",
        ),
        (
            Quick { upstream: some("https://[::1]:8443"), https_port: Some(8443), ..quick() },
            "--upstream: found port 8443 of this machine, where Envoy itself listens, expected the server behind it: a request would go round in circles",
        ),
        (
            Quick { email: some("ops"), ..quick() },
            "--email: found \"ops\", expected a mail address for the CA's notices, as ops@example.com, or none",
        ),
        (
            Quick { email: some(""), ..quick() },
            "--email: found an empty text, expected a mail address for the CA's notices, as ops@example.com, or none",
        ),
        (
            Quick { ca_server: some("ca.example"), ..quick() },
            "--ca-server: found \"ca.example\", expected the https URL of a CA's directory",
        ),
        (
            Quick { ca_server: some("https://me:secret@ca.example/dir"), ..quick() },
            "--ca-server: found a URL with a user name or password, expected the https URL of a CA's directory",
        ),
        (
            Quick { ca_server: some("https://acme-v01.api.letsencrypt.org/directory"), ..quick() },
            "--ca-server: found \"https://acme-v01.api.letsencrypt.org/directory\", expected a directory that still exists; did you mean https://acme-v02.api.letsencrypt.org/directory?",
        ),
        (
            Quick { staging: true, ca_server: some("https://ca.example/dir"), ..quick() },
            "--staging: found --ca-server \"https://ca.example/dir\" beside it, expected Let's Encrypt, Google or Buypass, whose test systems are known; the test system of another CA is named by --ca-server alone",
        ),
        (Quick { storage: some(" "), ..quick() }, "--storage: found an empty text, expected a path"),
        (
            Quick { key_type: some("EC265"), ..quick() },
            "--key-type: found \"EC265\", expected one of EC256, EC384, RSA2048, RSA4096, RSA8192; did you mean EC256?",
        ),
        (
            Quick { dns: some("Cloud Flare"), ..quick() },
            "--dns: found \"Cloud Flare\", expected the code of a DNS provider, as cloudflare or rfc2136",
        ),
        (
            Quick { http_port: Some(443), ..quick() },
            "--http-port: found 443 for HTTP and HTTPS, expected a port of its own: --http-port and --https-port are for two",
        ),
        (
            Quick { https_port: Some(81), http_port: Some(81), ..quick() },
            "--https-port: found 81 for HTTP and HTTPS, expected a port of its own: --http-port and --https-port are for two",
        ),
    ];
    for (quick, expected) in cases {
        assert_eq!(told(&Sources { quick: Some(quick), ..Sources::default() }), [expected]);
    }
}

/// Beside a file, mistakes in a flag name the flag, and mistakes in the file name the file.
#[test]
fn on_the_command_line_beside_a_file() {
    let resolver = "certificatesResolvers: {le: {acme: {email: ops@example.com, httpChallenge: {entryPoint: web}}}}";
    let cases = [
        (
            "entryPoints: {other: {address: ':81'}}",
            Quick { http_port: Some(8080), ..quick() },
            "--http-port: found 8080, and entry points of your own (a.yml), expected one of both: the addresses in entryPoints say where Envoy listens",
        ),
        (
            "entryPoints: {other: {address: ':443'}}",
            quick(),
            "--domain: found 0.0.0.0:443, expected an address of its own: entryPoints.other listens there",
        ),
        (
            "entryPoints: {zother: {address: ':443'}}",
            quick(),
            "a.yml: entryPoints.zother.address: found 0.0.0.0:443, expected an address of its own: --domain listens there",
        ),
        (
            resolver,
            Quick { dns: Some("cloudflare".into()), ..quick() },
            "--dns: found a DNS provider, and the resolver le of your own, expected the provider in its dnsChallenge, or no resolver",
        ),
        (
            resolver,
            Quick { key_type: Some("EC1".into()), ..Quick::default() },
            "--key-type: found \"EC1\", expected one of EC256, EC384, RSA2048, RSA4096, RSA8192",
        ),
        (
            "certificatesResolvers: {le: {acme: {httpChallenge: {entryPoint: http}}}}",
            Quick { key_type: Some("EC256".into()), ..Quick::default() },
            "a.yml: certificatesResolvers.le.acme.email: found nothing, expected a mail address for the CA's notices, as ops@example.com, or none",
        ),
        (
            "certificatesResolvers: {le: {acme: {email: a@b.example, caServer: 'https://u:p@ca.example/dir', httpChallenge: {entryPoint: http}}}}",
            Quick { staging: true, ..Quick::default() },
            "--staging: found the resolver le of the CA a URL with a user name or password, expected Let's Encrypt, Google or Buypass, whose test systems are known; that of another CA is named by the resolver's stagingServer",
        ),
    ];
    for (file, quick, expected) in cases {
        assert_eq!(told(&Sources { quick: Some(quick), ..sources(&[("a.yml", file)]) }), [expected], "{file}");
    }
}

/// Checks that run on the setup after all sources were read.
#[test]
fn mistakes_found_later_name_the_flag_too() {
    let reading = setup::read(&Sources { quick: Some(quick()), ..Sources::default() }).unwrap();
    let options = Options { admin: "127.0.0.1:8080".to_owned(), ..Options::default() };
    let mistakes = bootstrap(&reading.setup, &options).unwrap_err();
    let told: Vec<String> = mistakes.into_iter().map(|mistake| reading.flags.reworded(mistake).to_string()).collect();
    assert!(told[0].starts_with("--upstream: found 127.0.0.1:8080, where Envoy's own admin"), "{told:#?}");
    let other = Quick { domains: texts(&["a"]), ca_server: Some("https://ca.test/dir".into()), ..quick() };
    let reading = setup::read(&Sources { quick: Some(other), ..Sources::default() }).unwrap();
    assert_eq!(reading.flags.of("http.routers.a.tls"), Some("--domain"));
    assert_eq!(reading.flags.of("http.routers.a.b.tls"), None, "a router of somebody else's");
    assert_eq!(reading.flags.of("certificatesResolvers.default.acme.caServer"), Some("--ca-server"));
}

#[test]
fn warnings_name_flags_too() {
    let warnings = |quick: Quick| setup::read(&Sources { quick: Some(quick), ..Sources::default() }).unwrap().warnings;
    let other = Quick { ca_server: Some("https://ca.test/dir".into()), ..quick() };
    assert_eq!(warnings(other.clone()), [""; 0]);
    assert_eq!(
        warnings(Quick { upstream: Some("http://127.0.0.1:9000/app".into()), http_port: Some(8080), ..other.clone() }),
        [
            "--upstream: as in Traefik, the part after the host is ignored",
            "--http-port: the entry point web listens on port 8080; CAs connect to port 80, which must be mapped to it",
        ]
    );
    assert_eq!(
        warnings(Quick { domains: texts(&["app,b.example."]), ..other }),
        [
            "--domain: app has one label only, which no public CA certifies",
            "--domain: the dot at the end of b.example. is dropped",
        ]
    );
}

#[test]
fn all_of_them_at_once() {
    let text = "entryPoints: {web: {adress: ':80'}}\nhttp: {routers: {a: {rule: 'Host(', service: b}}}\n\
                certificatesResolvers: {le: {acme: {keyType: RSA}}}\n";
    let lines = told(&sources(&[("a.yml", text)]));
    let paths = [
        "entryPoints.web.adress",
        "http.routers.a.service",
        "http.routers.a.rule",
        "certificatesResolvers.le.acme.email",
        "certificatesResolvers.le.acme.keyType",
        "certificatesResolvers.le.acme.httpChallenge",
    ];
    for path in paths {
        assert!(lines.iter().any(|line| line.starts_with(&format!("a.yml: {path}"))), "{path}: {lines:#?}");
    }
}

#[test]
fn parts_left_out_are_mistakes_when_the_user_is_strict() {
    let text = format!("{REST}\napi: {{insecure: true}}\n");
    let lax = sources(&[("a.yml", text.as_str())]);
    assert_eq!(setup::read(&lax).unwrap().warnings, ["a.yml: api: ignored, it is not supported"]);
    let strict = Sources { strict: true, ..lax };
    assert_eq!(
        told(&strict),
        ["a.yml: api: found a part of Traefik's that is left out here, expected none with --strict"]
    );
}

/// Clients of the admin interface can read the configuration with its secrets, and stop Envoy.
#[test]
fn no_service_is_envoys_own_admin_interface() {
    let told = |url: &str, admin: &str| {
        let text = REST.replace("http://10.0.0.1", url).replace("10.0.0.1:5432", url.trim_start_matches("http://"));
        let options = Options { admin: admin.to_owned(), ..Options::default() };
        match bootstrap(&read(&sources(&[("a.yml", &text)])).setup, &options) {
            Ok(_) => Vec::new(),
            Err(mistakes) => mistakes.iter().map(ToString::to_string).collect(),
        }
    };
    for url in ["http://127.0.0.1:9901", "http://localhost:9901", "http://[::1]:9901", "http://127.9.9.9:9901"] {
        let told = told(url, "127.0.0.1:9901");
        assert_eq!(told.len(), 2, "{url}: {told:?}");
        assert!(told[0].starts_with("http.services.shop.loadBalancer.servers: found "), "{told:?}");
        assert!(told[1].starts_with("tcp.services.db.loadBalancer.servers: found "), "{told:?}");
        assert!(
            told.iter().all(|line| line.contains("Envoy's own admin interface") && line.contains("--admin")),
            "{told:?}"
        );
    }
    for (url, admin) in [
        ("http://127.0.0.1:9902", "127.0.0.1:9901"),
        ("http://10.0.0.1:9901", "127.0.0.1:9901"),
        ("http://127.0.0.1:9901", "/run/envoy/admin.sock"),
        ("http://127.0.0.1:9901", "unix:/run/envoy/admin.sock"),
    ] {
        assert_eq!(told(url, admin), [""; 0], "{url} {admin}");
    }
}
