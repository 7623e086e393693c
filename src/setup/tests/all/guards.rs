//! Routers whose guards are not supported are closed, in their position and with their priority, unless the user opens
//! them.

use crate::common::{read, yaml};
use serde_json::{Value, json};
use setup::envoy::{Layout, Options, bootstrap, filter};
use setup::model::{Setup, Target};
use setup::{Reading, SourceFile, Sources};

/// Entry points, a service of each kind, and `{}` for the rest of `http`.
fn sources(http: &str) -> Sources {
    yaml(&format!(
        "
entryPoints: {{ web: {{ address: ':80' }}, websecure: {{ address: ':443' }} }}
certificatesResolvers: {{ le: {{ acme: {{ email: a@b.example, httpChallenge: {{ entryPoint: web }} }} }} }}
http:
  services:
    s: {{ loadBalancer: {{ servers: [{{ url: 'http://127.0.0.1:1' }}] }} }}
    other: {{ loadBalancer: {{ servers: [{{ url: 'http://127.0.0.1:2' }}] }} }}
    spread: {{ weighted: {{ services: [{{ name: s }}] }} }}
{http}"
    ))
}

fn opened(http: &str, open: &[&str]) -> Reading {
    let open = open.iter().map(|name| (*name).to_owned()).collect();
    read(&Sources { open, ..sources(http) })
}

/// The closed routers, with the unsupported guards of each.
fn closed(reading: &Reading) -> Vec<(&str, Vec<&str>)> {
    let all = reading.closed.iter();
    all.map(|closed| (closed.router.as_str(), closed.why.iter().map(String::as_str).collect())).collect()
}

/// The routes of the entry point `web`: host, path, and action. Routes for challenges act like the others.
fn routes(setup: &Setup) -> Vec<String> {
    let whole = bootstrap::of(setup, &Options::default(), Layout::Static).unwrap().joined();
    let config = "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config/route_config/virtual_hosts";
    let mut all = Vec::new();
    for host in whole.pointer(config).and_then(Value::as_array).unwrap() {
        let refusals = ["encoded characters", "hosts in disguise"];
        let is_refusal = |route: &&Value| route["name"].as_str().is_some_and(|name| refusals.contains(&name));
        let is_of_challenges = |route: &&Value| route.get("typed_per_filter_config").is_some();
        let (of_challenges, others): (Vec<&Value>, Vec<&Value>) =
            host["routes"].as_array().unwrap().iter().partition(is_of_challenges);
        let action = |route: &Value| ["direct_response", "redirect", "route"].map(|key| route.get(key).cloned());
        let not_found = json!({ "direct_response": { "status": 404 } });
        for route in of_challenges {
            let is_known = others.iter().copied().chain([&not_found]).any(|other| action(other) == action(route));
            assert!(is_known, "{route}");
        }
        for route in others.into_iter().skip_while(is_refusal) {
            let what = match (&route["direct_response"]["status"], &route["route"]["cluster"]) {
                (Value::Number(status), _) => status.to_string(),
                (_, cluster) => cluster.as_str().unwrap_or_default().to_owned(),
            };
            let path = ["path", "prefix"].iter().find_map(|key| route["match"][key].as_str()).unwrap_or_default();
            all.push(format!("{} {path} {what}", host["domains"][0].as_str().unwrap_or_default()));
        }
    }
    all
}

#[test]
fn a_guarded_router_keeps_its_place_and_answers_503() {
    let reading = opened(
        "  routers:
    site: { rule: Host(`a.x`), entryPoints: [web], service: s }
    admin: { rule: Host(`a.x`) && PathPrefix(`/admin`), entryPoints: [web], service: other, middlewares: [lan] }
    block: { rule: PathPrefix(`/block`), priority: 1000, entryPoints: [web], service: noop@internal }
    panel: { rule: Host(`a.x`) && PathPrefix(`/panel`), entryPoints: [web], service: api@internal }
    heavy: { rule: Host(`a.x`) && PathPrefix(`/heavy`), entryPoints: [web], service: spread }
  middlewares: { lan: { ipAllowList: { sourceRange: [10.0.0.0/8] } } }
",
        &[],
    );
    let expected = [
        ("http.routers.admin", vec!["http.routers.admin.middlewares: lan: ipAllowList, which can refuse requests"]),
        ("http.routers.heavy", vec!["http.routers.heavy.service: the service spread is weighted, which is not built"]),
        ("http.routers.panel", vec!["http.routers.panel.service: api@internal is Traefik's own, and not supported"]),
    ];
    assert_eq!(closed(&reading), expected);
    let expected =
        ["a.x /block 418", "a.x /admin 503", "a.x /heavy 503", "a.x /panel 503", "a.x / service-s", "* /block 418"];
    assert_eq!(routes(&reading.setup), expected);
}

#[test]
fn harmless_middlewares_close_nothing() {
    let reading = opened(
        "  routers:
    site: { rule: Host(`a.x`), entryPoints: [web], service: s, middlewares: [all@file] }
  middlewares:
    all: { chain: { middlewares: [gzip, hsts] } }
    gzip: { compress: {} }
    hsts: { headers: { stsSeconds: 1, customResponseHeaders: { X-Frame-Options: DENY } } }
",
        &[],
    );
    assert_eq!(reading.closed, []);
    assert_eq!(routes(&reading.setup), ["a.x / service-s"]);
}

#[test]
fn headers_that_servers_trust_close_their_routers() {
    let reading = opened(
        "  routers: { site: { rule: Host(`a.x`), entryPoints: [web], service: s, middlewares: [names] } }
  middlewares: { names: { headers: { customRequestHeaders: { Remote-User: '' } } } }
",
        &[],
    );
    let lack = "http.routers.site.middlewares: names: headers, which has customRequestHeaders: without them servers \
                get these headers as clients send them";
    assert_eq!(closed(&reading), [("http.routers.site", vec![lack])]);
    assert_eq!(routes(&reading.setup), ["a.x / 503"]);
}

#[test]
fn an_entry_points_middlewares_close_all_its_routers_and_no_others() {
    let reading = read(&yaml(
        "
entryPoints:
  inside: { address: ':81', http: { middlewares: [auth@docker] } }
  web: { address: ':80' }
http:
  services: { s: { loadBalancer: { servers: [{ url: 'http://127.0.0.1:1' }] } } }
  routers: { both: { rule: Host(`a.x`), service: s } }
certificatesResolvers: { le: { acme: { email: a@b.example, httpChallenge: { entryPoint: web } } } }
",
    ));
    let lack = "entryPoints.inside.http.middlewares: auth@docker: of a provider that is not read";
    assert_eq!(closed(&reading), [("http.routers.both", vec![lack])]);
    let found: Vec<_> =
        reading.setup.http_routers.iter().map(|router| (router.entry_points[0].as_str(), &router.target)).collect();
    let service = Target::Service("s".into());
    assert_eq!(found, [("web", &service), ("inside", &Target::Closed)]);
}

#[test]
fn client_certificates_close_the_routers_whose_options_ask_for_them() {
    let options = |of_default: &str| {
        format!(
            "  routers:
    named: {{ rule: Host(`a.x`), entryPoints: [websecure], service: s, tls: {{ options: mtls }} }}
    plain: {{ rule: Host(`b.x`), entryPoints: [websecure], service: s, tls: {{ options: none }} }}
    unnamed: {{ rule: Host(`c.x`), entryPoints: [websecure], service: s, tls: {{}} }}
    clear: {{ rule: Host(`c.x`), entryPoints: [web], service: s }}
tcp:
  routers:
    guarded: {{ rule: HostSNI(`d.x`), entryPoints: [websecure], service: t, tls: {{ options: mtls@file }} }}
    passed: {{ rule: HostSNI(`e.x`), entryPoints: [websecure], service: t, tls: {{ passthrough: true, options: mtls }} }}
  services: {{ t: {{ loadBalancer: {{ servers: [{{ address: '127.0.0.1:3' }}] }} }} }}
tls:
  options:
    mtls: {{ clientAuth: {{ caFiles: [ca.pem] }} }}
    none: {{ clientAuth: {{ clientAuthType: NoClientCert }} }}
    {of_default}
"
        )
    };
    let names = |reading: &Reading| reading.closed.iter().map(|closed| closed.router.clone()).collect::<Vec<_>>();
    let reading = opened(&options(""), &[]);
    assert_eq!(names(&reading), ["http.routers.named", "tcp.routers.guarded"]);
    assert!(reading.closed[0].why[0].starts_with("tls.options.mtls.clientAuth: "), "{:?}", reading.closed[0]);
    let reading = opened(&options("default: { clientAuth: { clientAuthType: RequireAndVerifyClientCert } }"), &[]);
    assert_eq!(names(&reading), ["http.routers.named", "http.routers.unnamed", "tcp.routers.guarded"]);
}

#[test]
fn the_client_certificates_of_default_options_close_all_routers_with_these_options() {
    let reading = opened(
        "  routers:
    path: { rule: Host(`a.x`) && PathPrefix(`/m`), entryPoints: [websecure], service: s, tls: { options: modern } }
    site: { rule: Host(`a.x`), entryPoints: [websecure], service: s, tls: { options: other } }
    inside: { rule: PathPrefix(`/inside`), entryPoints: [websecure], service: s, tls: { options: modern } }
    half: { rule: Host(`a.x`) || Host(`c.x`), entryPoints: [websecure], service: s, tls: { options: modern } }
    own: { rule: Host(`b.x`), entryPoints: [websecure], service: s, tls: { options: modern } }
    elsewhere: { rule: Host(`a.x`), entryPoints: [web], service: s, tls: { options: modern } }
tcp:
  routers:
    lax: { rule: HostSNI(`o.x`), entryPoints: [websecure], service: t, tls: { options: modern } }
    plain: { rule: HostSNI(`o.x`), entryPoints: [websecure], service: t, tls: {} }
    alone: { rule: HostSNI(`p.x`), entryPoints: [websecure], service: t, tls: { options: modern } }
  services: { t: { loadBalancer: { servers: [{ address: '127.0.0.1:3' }] } } }
tls:
  options:
    default: { clientAuth: { caFiles: [ca.pem], clientAuthType: RequireAndVerifyClientCert } }
    modern: { minVersion: VersionTLS13 }
    other: {}
",
        &[],
    );
    let names: Vec<&str> = reading.closed.iter().map(|closed| closed.router.as_str()).collect();
    let expected = ["half", "inside", "path", "site"].map(|name| format!("http.routers.{name}"));
    let expected = [expected.as_slice(), &["tcp.routers.lax", "tcp.routers.plain"].map(str::to_owned)].concat();
    assert_eq!(names, expected);
    let lack = "http.routers.inside.tls.options: not the options that it names count, but the default ones: \
                tls.options.default.clientAuth: certificates of clients, which can refuse connections";
    assert_eq!(reading.closed[1].why, [lack]);
}

#[test]
fn options_without_effect_are_reported_and_the_default_ones_are_in_the_pieces_too() {
    let reading = opened(
        "  routers:
    path: { rule: PathPrefix(`/a`), entryPoints: [websecure], service: s, tls: { options: modern } }
    one: { rule: Host(`a.x`), entryPoints: [websecure], service: s, tls: { options: modern } }
    two: { rule: Host(`a.x`) && Path(`/b`), entryPoints: [websecure], service: s, tls: {} }
    own: { rule: Host(`b.x`), entryPoints: [websecure], service: s, tls: { options: modern } }
tls: { options: { default: { minVersion: VersionTLS12 }, modern: { minVersion: VersionTLS13 } } }
",
        &[],
    );
    let rendered = bootstrap::bootstrap(&reading.setup, &Options::default()).unwrap();
    let routers: Vec<&str> = rendered.warnings.iter().filter_map(|line| line.split(".tls.options: ").next()).collect();
    assert_eq!(routers, ["http.routers.one", "http.routers.path"], "{:#?}", rendered.warnings);
    let pieces = filter::filter(&reading.setup, &Options::default()).unwrap();
    assert!(pieces.text.contains("tls_minimum_protocol_version: TLSv1_2"), "{}", pieces.text);
    assert_eq!(pieces.warnings.len(), 3, "{:#?}", pieces.warnings);
}

#[test]
fn a_closed_tcp_router_ends_its_connections_in_its_place() {
    let reading = opened(
        "tcp:
  routers:
    db: { rule: HostSNI(`db.x`), entryPoints: [websecure], service: t, middlewares: [lan], tls: { passthrough: true } }
    odd: { rule: HostSNI(`odd.x`) && ClientIP(`10.0.0.0/8`), entryPoints: [websecure], service: t, tls: {} }
    all: { rule: HostSNI(`*`), entryPoints: [websecure], service: t, tls: { passthrough: true } }
  services: { t: { loadBalancer: { servers: [{ address: '127.0.0.1:3' }] } } }
  middlewares: { lan: { ipAllowList: { sourceRange: [10.0.0.0/8] } } }
",
        &["odd"],
    );
    let lan = "tcp.routers.db.middlewares: lan: ipAllowList, which can refuse connections";
    let odd = "tcp.routers.odd.rule: other conditions than HostSNI, joined by ||, are not built";
    assert_eq!(closed(&reading), [("tcp.routers.db", vec![lan]), ("tcp.routers.odd", vec![odd])]);
    let told = |line: &String| line.contains("tcp.routers.odd can't be opened");
    assert!(reading.warnings.iter().any(told), "{:?}", reading.warnings);
    let whole = bootstrap::of(&reading.setup, &Options::default(), Layout::Static).unwrap().joined();
    let chains = whole.pointer("/static_resources/listeners/1/filter_chains").and_then(Value::as_array).unwrap();
    let chain = |chain: &Value| {
        let name = chain["filter_chain_match"]["server_names"][0].as_str().unwrap_or("*").to_owned();
        let filter = chain["filters"][0]["name"].as_str().unwrap().rsplit('.').next().unwrap().to_owned();
        (name, filter, chain.get("transport_socket").is_some())
    };
    let expected = [("odd.x", "direct_response", true), ("db.x", "direct_response", false), ("*", "tcp_proxy", false)];
    let expected = expected.map(|(name, filter, tls)| (name.to_owned(), filter.to_owned(), tls));
    assert_eq!(chains.iter().map(chain).collect::<Vec<_>>(), expected);
}

#[test]
fn a_closed_tcp_router_closes_more_exact_ones_behind_it() {
    let with = |first: &str| {
        let reading = opened(
            &format!(
                "  routers:
    site: {{ rule: Host(`web.corp.x`), entryPoints: [websecure], service: s, tls: {{}} }}
    clear: {{ rule: Host(`web.corp.x`), entryPoints: [web], service: s }}
    far: {{ rule: Host(`far.x`), entryPoints: [websecure], service: s, tls: {{}} }}
    everywhere: {{ rule: PathPrefix(`/x`), entryPoints: [websecure], service: s, tls: {{}} }}
tcp:
  routers:
    first: {{ rule: '{first}', priority: 1000, entryPoints: [websecure], service: t, middlewares: [lan], tls: {{}} }}
    db: {{ rule: HostSNI(`db.corp.x`), priority: 1, entryPoints: [websecure], service: t, tls: {{}} }}
    same: {{ rule: HostSNI(`same.corp.x`), priority: 1000, entryPoints: [websecure], service: t, tls: {{}} }}
    before: {{ rule: HostSNI(`before.corp.x`), priority: 1001, entryPoints: [websecure], service: t, tls: {{}} }}
    other: {{ rule: HostSNI(`other.x`), priority: 1, entryPoints: [websecure], service: t, tls: {{}} }}
  services: {{ t: {{ loadBalancer: {{ servers: [{{ address: '127.0.0.1:3' }}] }} }} }}
  middlewares: {{ lan: {{ ipAllowList: {{ sourceRange: [10.0.0.0/8] }} }} }}
"
            ),
            &[],
        );
        reading.closed.into_iter().map(|closed| closed.router).collect::<Vec<_>>().join(" ")
    };
    let all_tcp = "tcp.routers.db tcp.routers.first tcp.routers.other tcp.routers.same";
    let of_corp = "http.routers.site tcp.routers.db tcp.routers.first tcp.routers.same";
    assert_eq!(with("HostSNIRegexp(`^.+[.]corp[.]x$`)"), of_corp);
    assert_eq!(with("HostSNIRegexp(`[.]corp[.]`)"), of_corp);
    assert_eq!(with("HostSNI(`a.b`) || HostSNIRegexp(`^.+[.](?:corp|firm)[.]x$`)"), of_corp);
    assert_eq!(with("HostSNI(`*.corp.x`)"), of_corp);
    let everything = format!("http.routers.everywhere http.routers.far http.routers.site {all_tcp}");
    assert_eq!(with("ClientIP(`10.0.0.0/8`)"), everything);
    assert_eq!(with("HostSNIRegexp(`^.+$`)"), everything);
    assert_eq!(with("!HostSNI(`a.b`)"), everything);
    // As in Traefik, HTTP routers come before TCP routers that take the rest.
    assert_eq!(with("HostSNI(`*`)"), all_tcp);
    assert_eq!(with("HostSNI(`db.corp.x`)"), "tcp.routers.first");
}

#[test]
fn among_tcp_routers_of_equal_priority_the_closed_one_comes_first() {
    let reading = opened(
        "tcp:
  routers:
    a: { rule: HostSNI(`db.x`), entryPoints: [websecure], service: t, tls: {} }
    b: { rule: HostSNI(`db.x`), entryPoints: [websecure], service: t, middlewares: [lan], tls: {} }
  services: { t: { loadBalancer: { servers: [{ address: '127.0.0.1:3' }] } } }
  middlewares: { lan: { ipAllowList: { sourceRange: [10.0.0.0/8] } } }
",
        &[],
    );
    let whole = bootstrap::of(&reading.setup, &Options::default(), Layout::Static).unwrap().joined();
    let chains = whole.pointer("/static_resources/listeners/1/filter_chains").and_then(Value::as_array).unwrap();
    assert_eq!(chains.iter().map(|chain| &chain["name"]).collect::<Vec<_>>(), ["TCP router b"]);
}

#[test]
fn a_name_that_several_closed_routers_have_opens_none() {
    let http = "  routers: { app: { rule: Host(`a.x`), entryPoints: [web], service: s, middlewares: [auth] } }
  middlewares: { auth: { basicAuth: { users: [u] } } }
tcp:
  routers: { app: { rule: HostSNI(`*`), entryPoints: [websecure], service: t, middlewares: [lan], tls: {} } }
  services: { t: { loadBalancer: { servers: [{ address: '127.0.0.1:3' }] } } }
  middlewares: { lan: { ipAllowList: { sourceRange: [10.0.0.0/8] } } }
";
    for name in ["app", "app@file"] {
        let told = format!("--open: found {name:?}, expected one of http.routers.app, tcp.routers.app");
        let mistakes = setup::read(&Sources { open: vec![name.to_owned()], ..sources(http) }).unwrap_err();
        assert!(crate::common::lines(&mistakes).iter().any(|line| line.contains(&told)), "{mistakes:?}");
    }
    let reading = opened(http, &["tcp.routers.app"]);
    assert_eq!(reading.closed.iter().map(|closed| &closed.router).collect::<Vec<_>>(), ["http.routers.app"]);
}

#[test]
fn routers_behind_others_are_not_served_and_their_parents_are_closed() {
    let reading = opened(
        "  routers:
    parent: { rule: Host(`a.x`), entryPoints: [web] }
    child: { rule: 'HeaderRegexp(`X-Role`, `admin`)', service: s, parentRefs: [parent@file] }
    site: { rule: PathPrefix(`/`), priority: 1, entryPoints: [web], service: s }
",
        &["child"],
    );
    assert_eq!(
        reading.closed.iter().map(|closed| closed.router.as_str()).collect::<Vec<_>>(),
        ["http.routers.child", "http.routers.parent"]
    );
    assert_eq!(routes(&reading.setup), ["a.x / 503", "* / service-s"]);
}

#[test]
fn opening_a_router_reports_its_unsupported_guards() {
    let http = "  routers:
    site: { rule: Host(`a.x`), entryPoints: [web], service: s, middlewares: [auth] }
    more: { rule: Host(`b.x`), entryPoints: [web], service: s, middlewares: [auth] }
  middlewares: { auth: { basicAuth: { users: [u] } } }
";
    for name in ["site", "http.routers.site", "site@file"] {
        let reading = opened(http, &[name]);
        assert_eq!(routes(&reading.setup), ["a.x / service-s", "b.x / 503"], "{name}");
        let expected = "http.routers.site: open to everybody, as --open says, without http.routers.site.middlewares: \
                        auth: basicAuth, which can refuse requests";
        assert!(reading.warnings.iter().any(|line| line == expected), "{:#?}", reading.warnings);
    }
    let vain = opened(http, &["siet", "tcp.routers.site"]);
    assert_eq!(vain.closed.len(), 2);
    for name in ["siet", "tcp.routers.site"] {
        let told = format!("--open: no router {name} is closed, but http.routers.more, http.routers.site");
        assert!(vain.warnings.contains(&told), "{:#?}", vain.warnings);
    }
}

#[test]
fn a_closed_router_gets_its_certificate_all_the_same() {
    let reading = opened(
        "  routers:
    site:
      rule: Host(`a.x`)
      entryPoints: [websecure]
      service: s
      middlewares: [auth]
      tls: { certResolver: le }
  middlewares: { auth: { digestAuth: { users: [u] } } }
",
        &[],
    );
    assert_eq!(reading.setup.http_routers[0].target, Target::Closed);
    assert_eq!(reading.setup.http_routers[0].tls.as_ref().unwrap().certificates, [["a.x"]]);
}

#[test]
fn services_and_values_of_the_chart_have_guards_too() {
    let reading = opened(
        "    guarded: { loadBalancer: { servers: [{ url: 'http://127.0.0.1:4' }] }, middlewares: [auth] }
  routers: { site: { rule: Host(`a.x`), entryPoints: [web], service: guarded } }
  middlewares: { auth: { forwardAuth: { address: 'http://127.0.0.1:5' } } }
",
        &[],
    );
    let lack = "http.services.guarded.middlewares: auth: forwardAuth, which can refuse requests";
    assert_eq!(closed(&reading), [("http.routers.site", vec![lack])]);
    let values = "
ports:
  web: { middlewares: [default-auth@kubernetescrd] }
  websecure: { http: { middlewares: [default-auth@kubernetescrd] } }
tlsOptions: { default: { clientAuth: { secretNames: [ca], clientAuthType: RequireAndVerifyClientCert } } }
certificatesResolvers: { le: { acme: { email: a@b.example, httpChallenge: { entryPoint: web } } } }
providers:
  file:
    enabled: true
    content: |
      http:
        services: { s: { loadBalancer: { servers: [{ url: 'http://127.0.0.1:1' }] } } }
        routers:
          a: { rule: Host(`a.x`), entryPoints: [web], service: s }
          b: { rule: Host(`b.x`), entryPoints: [websecure], service: s, tls: {} }
";
    let values = SourceFile { name: "values.yaml".into(), text: values.into() };
    let reading = read(&Sources { values: vec![values], ..Sources::default() });
    let expected = [
        (
            "http.routers.a",
            vec!["entryPoints.web.http.middlewares: default-auth@kubernetescrd: of a provider that is not read"],
        ),
        (
            "http.routers.b",
            vec![
                "entryPoints.websecure.http.middlewares: default-auth@kubernetescrd: of a provider that is not read",
                "tls.options.default.clientAuth: certificates of clients, which can refuse connections",
            ],
        ),
    ];
    assert_eq!(closed(&reading), expected);
}
