//! Requests on port 80, as streams of the filter.

use crate::envoy::{Outcome, Process, TOKEN as API_TOKEN, Vm};
use crate::world::configuration;

const TOKEN: &str = "evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr-oA";

/// An Envoy with a filter of this role, in which any token has a live challenge for `a.example`.
fn envoy(role: &str) -> (Process, Vm, u32) {
    let process = Process::default();
    let mut vm = Vm::start(&process);
    let root = vm.root(&configuration(role, &["a.example"])).unwrap();
    for bucket in 0..64 {
        let line = format!("{TOKEN} a.example 1767225660 {TOKEN}.thumbprint\n");
        process.set_signed(API_TOKEN, &format!("envoy-autocert/http-01/{bucket}"), line.as_bytes());
    }
    (process, vm, root)
}

fn path(token: &str) -> String {
    format!("/.well-known/acme-challenge/{token}")
}

fn get(vm: &mut Vm, root: u32, authority: &str, path: &str) -> Outcome {
    vm.request(root, &[(":method", "GET"), (":authority", authority), (":path", path)])
}

#[test]
fn a_live_challenge_is_answered_with_its_key_authorization() {
    let (_process, mut vm, root) = envoy("auto");
    let Outcome::Answered { status, details, headers, body } = get(&mut vm, root, "A.example:80", &path(TOKEN)) else {
        panic!("not answered");
    };
    assert_eq!((status, body), (200, format!("{TOKEN}.thumbprint")));
    assert_eq!(details, "envoy_autocert_http_01", "what the access log shows");
    let headers = headers.iter().map(|(name, value)| format!("{name}: {value}")).collect::<Vec<_>>();
    let expected =
        ["content-type: application/octet-stream", "x-content-type-options: nosniff", "cache-control: no-store"];
    assert_eq!(headers, expected);
}

#[test]
fn head_is_answered_too() {
    let (_process, mut vm, root) = envoy("responder");
    let headers = [(":method", "HEAD"), (":authority", "a.example"), (":path", &path(TOKEN))];
    assert!(matches!(vm.request(root, &headers), Outcome::Answered { status: 200, .. }));
}

#[test]
fn everything_else_goes_on_untouched() {
    let (_process, mut vm, root) = envoy("auto");
    for (authority, path) in [
        ("b.example", path(TOKEN)),
        ("a.example", path(&TOKEN.to_lowercase())),
        ("a.example", path(&format!("{TOKEN}?x"))),
        ("a.example", path(&format!("{TOKEN}/"))),
        ("a.example", path("")),
        ("a.example", format!("//.well-known/acme-challenge/{TOKEN}")),
        ("a.example", format!("/%2ewell-known/acme-challenge/{TOKEN}")),
        ("a.example", format!("http://a.example/.well-known/acme-challenge/{TOKEN}")),
        ("a.example", "/".to_owned()),
        ("", path(TOKEN)),
    ] {
        assert_eq!(get(&mut vm, root, authority, &path), Outcome::Continued, "{authority} {path}");
    }
    for method in ["POST", "PUT", "OPTIONS", "get", ""] {
        let headers = [(":method", method), (":authority", "a.example"), (":path", &path(TOKEN))];
        assert_eq!(vm.request(root, &headers), Outcome::Continued, "{method}");
    }
    assert_eq!(vm.request(root, &[]), Outcome::Continued);
}

#[test]
fn a_challenge_past_its_end_is_not_answered() {
    let (process, mut vm, root) = envoy("auto");
    process.advance(59_999);
    assert_ne!(get(&mut vm, root, "a.example", &path(TOKEN)), Outcome::Continued);
    process.advance(1);
    assert_eq!(get(&mut vm, root, "a.example", &path(TOKEN)), Outcome::Continued);
}

#[test]
fn an_instance_with_the_role_engine_answers_nothing() {
    let (_process, mut vm, root) = envoy("engine");
    assert_eq!(get(&mut vm, root, "a.example", &path(TOKEN)), Outcome::Continued);
}

#[test]
fn a_stream_that_outlives_its_root_context_is_answered_or_goes_on() {
    let (_process, mut vm, root) = envoy("auto");
    let stream = vm.create(root);
    vm.delete(root);
    assert_eq!(vm.request_in(stream, &[(":method", "GET"), (":path", "/")]), Outcome::Continued);
    vm.delete(stream);
}

#[test]
fn a_stream_of_a_root_context_without_a_configuration_goes_on() {
    let (_process, mut vm, _) = envoy("auto");
    let root = vm.create(0);
    assert_eq!(get(&mut vm, root, "a.example", &path(TOKEN)), Outcome::Continued);
}

#[test]
fn a_hundred_thousand_streams_leave_no_memory_behind() {
    let (_process, mut vm, root) = envoy("responder");
    get(&mut vm, root, "a.example", "/");
    let before = vm.memory();
    for _ in 0..100_000 {
        get(&mut vm, root, "a.example", "/");
    }
    assert_eq!(vm.memory(), before);
}

/// I1: any plugin with the same `vm_id` can write there.
#[test]
fn a_challenge_that_another_plugin_made_up_is_not_answered() {
    let (process, mut vm, root) = envoy("auto");
    let key = |bucket: u32| format!("envoy-autocert/http-01/{bucket}");
    let line = format!("{TOKEN} a.example 1767225660 {TOKEN}.thumbprint\n");
    let of_another_key = process.with(|process| process.shared[&key(0)].0.clone());
    let write: [&dyn Fn(u32); 4] = [
        &|bucket| process.set_shared(&key(bucket), line.as_bytes()),
        &|bucket| process.set_shared(&key(bucket), &[&[0; 32], line.as_bytes()].concat()),
        &|bucket| process.set_signed("the-token-of-somebody-else", &key(bucket), line.as_bytes()),
        &|bucket| process.set_signed("", &key(bucket), line.as_bytes()),
    ];
    for (case, write) in write.iter().enumerate() {
        (0..64).for_each(write);
        assert_eq!(get(&mut vm, root, "a.example", &path(TOKEN)), Outcome::Continued, "case {case}");
    }
    (1..64).for_each(|bucket| process.set_shared(&key(bucket), &of_another_key));
    assert_eq!(get(&mut vm, root, "a.example", &path(TOKEN)), Outcome::Continued, "another key's value");
    assert_eq!(process.logged("did not sign"), 1);
}
