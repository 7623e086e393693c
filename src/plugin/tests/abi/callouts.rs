//! Callouts and their answers, as Envoy may give them.

use crate::envoy::{Answer, BAD_ARGUMENT, Callout, DEBUG, INFO, INTERNAL_FAILURE, Process, Vm};
use crate::world::{World, configuration, problem};

/// An instance that has just asked for the sidecar's lease.
fn asking() -> (Process, Vm, u32, Callout) {
    let process = Process::default();
    // The bootstrap's singleton: it does not wait for another one to lead.
    let mut vm = Vm::start_with(&process, b"engine");
    let root = vm.root(&configuration("auto", &["a.example"])).unwrap();
    vm.tick(root);
    let callout = vm.callouts().pop().expect("the first tick asks for the lease");
    assert_eq!((callout.method(), callout.path()), ("POST", "/v1/lease"));
    (process, vm, root, callout)
}

fn granted() -> Answer {
    Answer::genuine(200, r#"{"granted": true, "fence": 1, "expiresInMillis": 10000}"#)
}

/// Ticks until the instance asks for the lease again.
fn asks_again(process: &Process, vm: &mut Vm, root: u32) -> Callout {
    for _ in 0..10_000 {
        process.advance(10);
        vm.tick(root);
        if let Some(callout) = vm.callouts().into_iter().find(|callout| callout.path() == "/v1/lease") {
            return callout;
        }
    }
    panic!("it does not ask again; the log: {:#?}", process.log());
}

#[test]
fn an_answer_that_grants_the_lease_starts_the_engine() {
    let (process, mut vm, root, callout) = asking();
    assert_eq!(process.logged("the engine runs"), 0);
    vm.answer(root, callout.token, granted());
    assert_eq!(process.logged("the engine runs"), 1);
}

#[test]
fn a_callout_that_the_host_never_answers_is_given_up_and_its_late_answer_ignored() {
    let (process, mut vm, root, callout) = asking();
    let again = asks_again(&process, &mut vm, root);
    let waited = process.with(|process| process.now);
    assert!((5_000..10_000).contains(&waited), "given up after {waited} ms");
    vm.answer(root, callout.token, granted());
    assert_eq!(process.logged("the engine runs"), 0);
    vm.answer(root, again.token, granted());
    assert_eq!(process.logged("the engine runs"), 1);
}

#[test]
fn the_same_token_may_be_given_out_again_once_it_is_answered() {
    let (process, mut vm, root, callout) = asking();
    vm.answer(root, callout.token, Answer::default());
    vm.repeat_token(callout.token);
    let again = asks_again(&process, &mut vm, root);
    assert_eq!(again.token, callout.token);
    vm.answer(root, again.token, granted());
    assert_eq!(process.logged("the engine runs"), 1);
}

#[test]
fn every_status_of_a_refused_dispatch_is_survived() {
    for status in [BAD_ARGUMENT, INTERNAL_FAILURE] {
        let mut world = World::with_filter(&configuration("auto", &["a.example"]));
        world.process.with(|process| process.dispatch.insert("sidecar".to_owned(), status));
        world.run_for(5_000);
        assert_eq!(world.process.logged("the sidecar is away"), 1, "logged once: {:#?}", world.process.log());
        world.process.with(|process| process.dispatch.clear());
        world.run_until(20_000, |world| world.sidecar.certificates.len() == 1);
        assert_eq!(world.process.logged("the sidecar is back"), 1);
    }
}

#[test]
fn a_missing_sidecar_cluster_is_named_with_what_to_do() {
    let mut world = World::with_filter(&configuration("auto", &["a.example"]));
    world.process.with(|process| process.dispatch.insert("sidecar".to_owned(), BAD_ARGUMENT));
    world.run_for(1_000);
    assert_eq!(world.process.logged("Envoy has no cluster `sidecar`: define it"), 1, "{:#?}", world.process.log());
}

#[test]
fn a_ca_cluster_that_comes_late_costs_no_failed_try() {
    let mut world = World::with_filter(&configuration("auto", &["a.example"]));
    world.process.with(|process| process.dispatch.insert("ca.example".to_owned(), BAD_ARGUMENT));
    world.run_for(5_000);
    world.process.with(|process| process.dispatch.clear());
    world.run_until(20_000, |world| world.sidecar.certificates.len() == 1);
    assert_eq!(world.process.logged("failed"), 0, "{:#?}", world.process.log());
}

#[test]
fn a_request_to_the_ca_that_is_repeated_is_told_to_developers_alone() {
    let mut world = World::with_filter(&configuration("auto", &["a.example"]));
    let mut is_first = true;
    world.interfere = Some(Box::new(move |callout| {
        let is_hit = callout.path() == "/new-order" && std::mem::take(&mut is_first);
        is_hit.then(|| Some(Answer::genuine(503, "<html>")))
    }));
    world.run_until(60_000, |world| world.sidecar.certificates.len() == 1);
    let (told, part) = (&world.process, "asking the CA again, where that may help: ");
    assert_eq!((told.logged_at(DEBUG..INFO, part), told.logged(part)), (1, 0), "{:#?}", told.log());
}

#[test]
fn a_missing_ca_cluster_is_named_with_what_to_do() {
    let mut world = World::with_filter(&configuration("auto", &["a.example"]));
    world.process.with(|process| process.dispatch.insert("ca.example".to_owned(), BAD_ARGUMENT));
    world.run_until(300_000, |world| world.process.logged("Envoy has no cluster `ca.example`: define it") > 0);
}

#[test]
fn a_ca_cluster_without_a_healthy_host_is_said_to_have_none() {
    let mut world = World::with_filter(&configuration("auto", &["a.example"]));
    world.process.with(|process| process.dispatch.insert("ca.example".to_owned(), INTERNAL_FAILURE));
    world.run_until(300_000, |world| world.process.logged("cluster `ca.example`: Envoy has no healthy host") > 0);
}

#[test]
fn answers_that_the_sidecar_did_not_give_are_survived() {
    let large = Answer::genuine(200, vec![b' '; 70 * 1024 * 1024]);
    let mut not_text = Answer::local(200, r#"{"granted": true, "fence": 1, "expiresInMillis": 10000}"#);
    not_text.raw_headers.push(("x-powered-by".to_owned(), vec![b'a', 0xff]));
    let mut truncated = granted();
    truncated.body.truncate(20);
    let answers = [
        Answer::default(),
        Answer::local(503, "upstream connect error"),
        Answer::local(504, "upstream request timeout"),
        Answer::local(200, r#"{"granted": true, "fence": 1, "expiresInMillis": 10000}"#),
        Answer::genuine(200, ""),
        Answer::genuine(200, "\u{0}"),
        Answer::genuine(200, vec![0xff, 0xfe]),
        Answer::genuine(200, "[".repeat(10_000)),
        Answer::genuine(200, "null"),
        Answer::genuine(0, ""),
        Answer::genuine(99, ""),
        Answer::genuine(u16::MAX, ""),
        Answer::genuine(301, ""),
        Answer::genuine(500, "<html>"),
        not_text,
        problem(503, "urn:envoy-autocert:unavailable"),
        problem(507, "urn:envoy-autocert:storage"),
        truncated,
        large,
    ];
    for answer in answers {
        let (process, mut vm, root, callout) = asking();
        let shown = format!("{:?}", (&answer.headers, answer.body.get(..20)));
        vm.answer(root, callout.token, answer);
        assert_eq!(process.logged("the engine runs"), 0, "{shown}");
        let again = asks_again(&process, &mut vm, root);
        vm.answer(root, again.token, granted());
        assert_eq!(process.logged("the engine runs"), 1, "{shown}");
    }
}

#[test]
fn a_host_that_lies_about_the_size_of_a_body_is_survived() {
    for size in [0, 1, 1_000, 64 * 1024 * 1024, 0x7fff_ffff, 0xffff_ffff_usize] {
        let (process, mut vm, root, callout) = asking();
        vm.answer_sized(root, callout.token, granted(), size);
        assert_eq!(process.logged("the engine runs"), 0, "{size}");
        asks_again(&process, &mut vm, root);
    }
}
