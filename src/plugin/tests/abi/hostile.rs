//! Whatever stands in shared data, in a configuration, in a request, in an answer: no Envoy can make the plugin trap.
//!
//! A host that is no Envoy can, since the `proxy-wasm` crate panics (lines of 0.2.5) where the host
//!
//! - answers a callout that was never made, or one twice: dispatcher.rs:413. Envoy looks the callout up before it calls
//!   in, and forgets it then;
//! - gives out the token of a callout that is not answered yet: dispatcher.rs:103. Envoy counts them, for each VM;
//! - names a context that it has not created, or has deleted: dispatcher.rs:243-270, 338; or creates one twice (140, 182), or
//!   one of a root context that is not there (204). Envoy calls in only for contexts that it has created, and
//!   what it calls of others (dispatcher.rs:375-398, of responses) is not exported;
//! - calls in during a call (the `RefCell`s of dispatcher.rs:56-67), but for `proxy_on_memory_allocate`. Envoy defers
//!   what comes up during a call until its end;
//! - hands over a header map that is cut short (hostcalls.rs:1333-1344), or a name that is not UTF-8
//!   (hostcalls.rs:1345). Envoy's names are ASCII;
//! - answers a host call with a status that the crate does not expect of it: hostcalls.rs:29 (log), 59 (time), 73 (tick
//!   period), 116 (buffer), 196 (headers), 295 (header), 521 and 548 (shared data), 841 (callout), 1144, 1176 and 1192
//!   (metrics). Envoy gives none of these, *unless its `capability_restriction_config` does not list the function*: then
//!   it answers 10. The lists that `render` writes have all of them;
//! - answers with a status that the crate's enum does not have (types.rs:43; 6, 9, 11, 12), which is undefined behaviour;
//!   Envoy does where it can't write the answer into the VM's memory;
//! - has no memory left for what it hands over: allocator.rs:23.

use crate::envoy::{Answer, Outcome, Process, TOKEN, Vm};
use crate::world::{World, configuration};

/// SplitMix64: a seed replays a run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let number = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((number ^ (number >> 31)) % u64::try_from(sides).unwrap()).unwrap()
    }

    /// Changes a few bytes: flips, cuts, repeats, inserts.
    fn garble(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut bytes = bytes.to_vec();
        for _ in 0..=self.roll(8) {
            let at = self.roll(bytes.len() + 1);
            match self.roll(5) {
                0 => bytes.truncate(at),
                1 => bytes.insert(at, u8::try_from(self.roll(256)).unwrap()),
                2 if at < bytes.len() => bytes[at] ^= 1 << self.roll(8),
                3 => bytes.extend_from_within(at..),
                _ if at < bytes.len() => drop(bytes.remove(at)),
                _ => {}
            }
        }
        bytes
    }
}

#[test]
fn no_configuration_traps() {
    let json = configuration("auto", &["a.example", "b.example"]);
    // A Struct with one member of each kind.
    let message = b"\x0a\x0b\x0a\x04role\x12\x03\x1a\x01x\x0a\x10\x0a\x01n\x12\x0b\x11\0\0\0\0\0\0\xf0\x3f\x0a\x07\x0a\x01b\x12\x02\x20\x01\
        \x0a\x0c\x0a\x01l\x12\x07\x32\x05\x0a\x03\x1a\x01y\x0a\x0e\x0a\x01s\x12\x09\x2a\x07\x0a\x05\x0a\x01z\x12\0";
    let mut dice = Dice(1);
    let process = Process::default();
    let mut vm = Vm::start(&process);
    for round in 0..2_000 {
        let seed: &[u8] = if round % 2 == 0 { &json } else { message };
        let bytes = dice.garble(seed);
        if let Some(root) = vm.root(&bytes) {
            vm.delete(root);
        }
        process.with(|process| process.log.clear());
    }
    vm.root(&[b"[".repeat(100_000), b"]".repeat(100_000)].concat());
    vm.root(&b"\x0a\xff\xff\xff\xff\x0f".repeat(1_000));
    vm.root(&vec![b'{'; 5 * 1024 * 1024]);
}

#[test]
fn no_shared_data_traps() {
    let mut dice = Dice(2);
    let mut world = World::with_filter(&configuration("auto", &["a.example", "b.example"]));
    world.ca.settings.lifetime = 600;
    for _ in 0..200 {
        world.run_for(2_000);
        let keys = world.process.with(|process| process.shared.clone()).into_iter().collect::<Vec<_>>();
        let (key, (value, _)) = &keys[dice.roll(keys.len())];
        world.process.set_shared(key, &dice.garble(value));
    }
    world.run_until(600_000, |world| world.sidecar.certificates.len() == 2);
}

#[test]
fn no_request_traps_and_only_the_right_one_is_answered() {
    let token = "evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr-oA";
    let process = Process::default();
    let mut vm = Vm::start(&process);
    let root = vm.root(&configuration("responder", &["a.example"])).unwrap();
    for bucket in 0..64 {
        let line = format!("{token} a.example 1767225660 {token}.thumbprint\n");
        process.set_signed(TOKEN, &format!("envoy-autocert/http-01/{bucket}"), line.as_bytes());
    }
    let path = format!("/.well-known/acme-challenge/{token}");
    let mut dice = Dice(3);
    for _ in 0..5_000 {
        let headers = [
            (":method", dice.garble(b"GET")),
            (":path", dice.garble(path.as_bytes())),
            (":authority", dice.garble(b"a.example:80")),
        ];
        let context = vm.create(root);
        let outcome = vm.request_of_bytes(context, &headers);
        vm.delete(context);
        let is_right = headers[1].1 == path.as_bytes() && [&b"GET"[..], b"HEAD"].contains(&headers[0].1.as_slice());
        assert!(is_right || outcome == Outcome::Continued, "{headers:?} was answered: {outcome:?}");
    }
}

/// Whoever has the same `vm_id` can read it.
#[test]
fn no_key_is_ever_in_shared_data() {
    let mut world = World::with_filter(&configuration("auto", &["a.example"]));
    // The account's key is made of sevens: as it is, and in base64.
    let traces: [&[u8]; 2] = [&[7; 8], b"BwcHBwcH"];
    while world.sidecar.certificates.is_empty() {
        world.run_for(5);
        for (key, (value, _)) in world.process.with(|process| process.shared.clone()) {
            let is_told = traces.iter().any(|trace| value.windows(trace.len()).any(|part| part == *trace));
            assert!(!is_told, "the account's key is in {key}");
        }
    }
    assert!(world.process.with(|process| process.shared.len()) > 2, "there is nothing in it to look at");
}

#[test]
fn an_envoy_that_gives_no_randomness_is_survived() {
    let mut world = World::with_filter(&configuration("auto", &["a.example"]));
    world.process.with(|process| process.refused = vec!["random_get"]);
    world.run_until(30_000, |world| world.sidecar.certificates.len() == 1);
}

#[test]
fn no_answer_of_a_ca_or_a_sidecar_traps() {
    for seed in 0..12 {
        let mut dice = Dice(seed);
        let mut world = World::with_filter(&configuration("auto", &["a.example"]));
        world.interfere = Some(Box::new(move |_| {
            let body = match dice.roll(8) {
                0 => "[".repeat(10_000).into_bytes(),
                1 => vec![0xff; 1024 * 1024 + 1],
                2 => br#"{"granted": true, "fence": 18446744073709551615, "expiresInMillis": 18446744073709551615}"#.to_vec(),
                3 => br#"{"certificates": [{"resolver": "", "names": [], "notBefore": -9223372036854775808, "notAfter": 9223372036854775807, "serial": "", "issuer": "", "keyType": ""}], "provided": [], "orders": [], "attempts": [], "revision": 1, "wants": [{"certificate": {"resolver": "le", "names": []}}]}"#.to_vec(),
                4 => br#"{"key": "!", "fresh": true, "newNonce": "http://x", "newOrder": "https://169.254.169.254/", "status": "valid"}"#.to_vec(),
                _ => return None,
            };
            let mut answer = Answer::genuine([200, 201, 400, 409, 500][dice.roll(5)], body);
            answer.headers.push(("replay-nonce".to_owned(), "\u{1b}[31m".to_owned()));
            answer.headers.push(("retry-after".to_owned(), "99999999999999999999".to_owned()));
            answer.headers.push(("location".to_owned(), "file:///etc/passwd".to_owned()));
            answer.raw_headers.push(("link".to_owned(), vec![0x80, 0xff, b';']));
            Some((dice.roll(9) > 0).then_some(answer))
        }));
        world.run_for(60_000);
    }
}

#[test]
fn thousands_of_contexts_are_survived() {
    let process = Process::default();
    let mut vm = Vm::start(&process);
    let root = vm.root(&configuration("auto", &["a.example"])).unwrap();
    let contexts = (0..3_000).map(|number| {
        // A root context that is not configured yet, or a stream.
        let context = vm.create(if number % 2 == 0 { 0 } else { root });
        if number % 2 == 0 {
            vm.tick(context);
        }
        context
    });
    for context in contexts.collect::<Vec<_>>() {
        vm.delete(context);
    }
}
