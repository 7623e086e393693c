//! `redirect: certified`: plaintext requests for hosts with a valid certificate are sent to https, no others.

use serde_json::{Value, json};

use crate::envoy::{Outcome, Process, START, TOKEN, Vm};
use crate::world::{World, configuration};

/// A minute after the start of the tests, seconds since 1970.
const SOON: u64 = START / 1000 + 60;

/// The reference configuration, with this in it.
fn with(role: &str, more: &Value) -> Vec<u8> {
    let mut all: Value = serde_json::from_slice(&configuration(role, &["a.example"])).unwrap();
    all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    all.to_string().into_bytes()
}

fn certified() -> Vec<u8> {
    with("auto", &json!({"redirect": "certified"}))
}

/// An Envoy with a filter, in whose table these names have a certificate for a minute.
fn envoy(configuration: &[u8], names: &[&str]) -> (Process, Vm, u32) {
    let process = Process::default();
    let mut vm = Vm::start(&process);
    let root = vm.root(configuration).unwrap();
    let lines: String = names.iter().map(|name| format!("{name} 0a1b {SOON} 1 Test CA 1\n")).collect();
    for shard in 0..256 {
        process.set_signed(TOKEN, &format!("envoy-autocert/certified/{shard}"), format!("v1 1\n{lines}").as_bytes());
    }
    (process, vm, root)
}

fn ask(vm: &mut Vm, root: u32, method: &str, authority: &str, path: &str, scheme: &str) -> Outcome {
    let headers = [(":method", method), (":authority", authority), (":path", path), ("x-forwarded-proto", scheme)];
    vm.request(root, &headers)
}

/// The status and the location of the answer to a GET.
fn led(vm: &mut Vm, root: u32, authority: &str, path: &str) -> Option<(u32, String)> {
    match ask(vm, root, "GET", authority, path, "http") {
        Outcome::Answered { status, headers, .. } => {
            let location = headers.iter().find(|(name, _)| name == "location").unwrap();
            Some((status, location.1.clone()))
        }
        Outcome::Continued => None,
    }
}

#[test]
fn a_certified_host_is_led_to_https_and_no_other() {
    let names = ["a.example", "*.b.example", "192.0.2.1", "2001:db8::1", "xn--bcher-kva.example"];
    let (_process, mut vm, root) = envoy(&certified(), &names);
    for (authority, location) in [
        ("a.example", "https://a.example/x?y=z"),
        ("A.EXAMPLE.:8080", "https://a.example/x?y=z"),
        ("www.b.example", "https://www.b.example/x?y=z"),
        ("192.0.2.1:80", "https://192.0.2.1/x?y=z"),
        ("[2001:DB8:0::1]:80", "https://[2001:db8::1]/x?y=z"),
        ("xn--bcher-kva.example", "https://xn--bcher-kva.example/x?y=z"),
    ] {
        assert_eq!(led(&mut vm, root, authority, "/x?y=z"), Some((301, location.to_owned())), "{authority}");
    }
    for authority in
        ["c.example", "b.example", "x.www.b.example", "*.b.example", "a.example@c.example", "", "a.example:x"]
    {
        assert_eq!(led(&mut vm, root, authority, "/"), None, "{authority}");
    }
}

#[test]
fn other_methods_keep_their_body_and_a_tunnel_goes_on() {
    let (_process, mut vm, root) = envoy(&certified(), &["a.example"]);
    for method in ["HEAD", "POST", "OPTIONS", "BREW"] {
        let outcome = ask(&mut vm, root, method, "a.example", "/", "http");
        assert!(matches!(outcome, Outcome::Answered { status: 308, .. }), "{method}");
    }
    assert_eq!(ask(&mut vm, root, "CONNECT", "a.example", "/", "http"), Outcome::Continued);
    assert_eq!(ask(&mut vm, root, "OPTIONS", "a.example", "*", "http"), Outcome::Continued);
}

#[test]
fn a_request_that_came_by_tls_is_never_redirected() {
    let (_process, mut vm, root) = envoy(&certified(), &["a.example"]);
    for scheme in ["https", "", "HTTP", "ws"] {
        assert_eq!(ask(&mut vm, root, "GET", "a.example", "/", scheme), Outcome::Continued, "{scheme}");
    }
    let headers = [(":method", "GET"), (":authority", "a.example"), (":path", "/")];
    assert_eq!(vm.request(root, &headers), Outcome::Continued);
}

#[test]
fn nothing_that_a_client_writes_becomes_a_header_or_another_host() {
    let (_process, mut vm, root) = envoy(&certified(), &["a.example"]);
    for path in ["", "x", "/a b", "/a\r\nset-cookie: b", "/\u{e4}", "@c.example/", "\\c.example", "http://c.example/"] {
        assert_eq!(led(&mut vm, root, "a.example", path), None, "{path:?}");
    }
    for path in ["//c.example/", "/\\c.example", "/@c.example", "/%0d%0aa:b"] {
        assert_eq!(led(&mut vm, root, "a.example", path), Some((301, format!("https://a.example{path}"))), "{path:?}");
    }
    for authority in
        ["a.example\r\nset-cookie: b", "a.example/", "a.example?", "a.example#", "a.example\\", "u@a.example"]
    {
        assert_eq!(led(&mut vm, root, authority, "/"), None, "{authority:?}");
    }
}

#[test]
fn a_certificate_that_is_over_redirects_nobody_and_no_cache_keeps_it_longer() {
    let (process, mut vm, root) = envoy(&certified(), &["a.example"]);
    process.advance(59_000);
    let Outcome::Answered { headers, .. } = ask(&mut vm, root, "GET", "a.example", "/", "http") else { panic!() };
    assert!(headers.contains(&("cache-control".to_owned(), "max-age=1".to_owned())), "{headers:?}");
    process.advance(1_000);
    assert_eq!(led(&mut vm, root, "a.example", "/"), None);
}

#[test]
fn a_challenge_is_answered_first_and_its_path_is_never_redirected() {
    const CHALLENGE: &str = "evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr-oA";
    let (process, mut vm, root) = envoy(&certified(), &["a.example"]);
    let path = format!("/.well-known/acme-challenge/{CHALLENGE}");
    assert_eq!(led(&mut vm, root, "a.example", &path), None, "another proxy may answer it");
    for bucket in 0..64 {
        let line = format!("{CHALLENGE} a.example {SOON} {CHALLENGE}.thumbprint\n");
        process.set_signed(TOKEN, &format!("envoy-autocert/http-01/{bucket}"), line.as_bytes());
    }
    let outcome = ask(&mut vm, root, "GET", "a.example", &path, "http");
    assert!(matches!(outcome, Outcome::Answered { status: 200, .. }));
}

#[test]
fn the_redirect_is_off_unless_it_is_configured_and_takes_a_port() {
    for configuration in [with("auto", &json!({})), with("engine", &json!({"redirect": "certified"}))] {
        let (_process, mut vm, root) = envoy(&configuration, &["a.example"]);
        assert_eq!(led(&mut vm, root, "a.example", "/"), None);
    }
    let port = with("responder", &json!({"redirect": "certified", "redirectPort": 8443}));
    let (_process, mut vm, root) = envoy(&port, &["a.example"]);
    assert_eq!(led(&mut vm, root, "a.example:8080", "/"), Some((301, "https://a.example:8443/".to_owned())));
}

#[test]
fn a_table_that_another_plugin_made_up_redirects_nobody() {
    let (process, mut vm, root) = envoy(&certified(), &["a.example"]);
    assert!(led(&mut vm, root, "a.example", "/").is_some());
    let text = format!("v1 1\na.example 0a1b {SOON} 1 Test CA 1\n");
    for shard in 0..256 {
        process.set_signed("the-token-of-somebody-else", &format!("envoy-autocert/certified/{shard}"), text.as_bytes());
    }
    assert_eq!(led(&mut vm, root, "a.example", "/"), None);
}

/// True if the second instance redirects requests for the host to https.
fn is_led(world: &mut World, host: &str) -> bool {
    let (vm, root) = world.vm(1);
    led(vm, root, host, "/").is_some()
}

#[test]
fn a_host_is_redirected_from_the_moment_its_certificate_is_published() {
    let mut world = World::with_filter(&certified());
    assert!(!is_led(&mut world, "a.example"));
    world.run_until(10_000, |world| !world.sidecar.certificates.is_empty());
    world.run_for(10);
    assert!(is_led(&mut world, "a.example"));
}

/// An Envoy that starts beside a sidecar that has these certificates.
fn beside(held_elsewhere: bool, names: &[&str]) -> World {
    let mut world = World::new();
    world.sidecar.held_elsewhere = held_elsewhere;
    for name in names {
        let end = SOON + 86_400;
        let certificate = json!({"resolver": "le", "names": [name], "notBefore": 1, "notAfter": end, "serial": "0a",
            "issuer": "CA", "keyType": "EC256"});
        world.sidecar.certificates.insert((*name).to_owned(), certificate);
    }
    world.add(&certified());
    world.add(&certified());
    world
}

#[test]
fn a_new_envoy_redirects_what_the_sidecar_has_also_where_another_ones_engine_runs() {
    for held_elsewhere in [false, true] {
        let mut world = beside(held_elsewhere, &["a.example", "b.example"]);
        world.run_for(2_000);
        assert!(is_led(&mut world, "a.example") && is_led(&mut world, "b.example"), "{held_elsewhere}");
        assert!(!is_led(&mut world, "c.example"));
    }
}

#[test]
fn a_certificate_that_is_removed_redirects_nobody_a_minute_later() {
    for held_elsewhere in [false, true] {
        let mut world = beside(held_elsewhere, &["a.example", "b.example"]);
        world.run_for(2_000);
        world.sidecar.certificates.remove("b.example");
        world.run_for(62_000);
        assert!(is_led(&mut world, "a.example") && !is_led(&mut world, "b.example"), "{held_elsewhere}");
    }
}

#[test]
fn the_table_outlives_the_leader_that_wrote_it() {
    let mut world = beside(false, &["a.example"]);
    world.run_for(2_000);
    world.freeze(0);
    world.run_for(2_000);
    assert!(is_led(&mut world, "a.example"));
    world.run_for(70_000);
    assert!(is_led(&mut world, "a.example"), "the next leader has written it");
}
