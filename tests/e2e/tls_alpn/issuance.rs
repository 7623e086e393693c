//! Issuance by TLS-ALPN-01 alone.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use harness::tls::{Roots, handshake};
use harness::{
    Authority, Bootstrap, Domains, PebbleOptions, SidecarOptions, Stage, Testbed, TestbedOptions, domains, until,
};
use serde_json::{Value, json};

use super::scene::SITE;
use crate::{PATIENCE, engine_knows};

fn testbed(name: &str, certificates: &[Domains]) -> Result<Testbed> {
    Testbed::with(name, &TestbedOptions::default(), |bootstrap| bootstrap.domains(certificates)?.tls_alpn01())
}

#[test]
fn a_name_gets_a_certificate_with_a_key_of_each_kind() -> Result<()> {
    for key_type in ["EC256", "RSA2048"] {
        let mut testbed = Testbed::with("alpn-key", &TestbedOptions::default(), |bootstrap| {
            bootstrap.domains(&domains(&[&["a.example"]]))?.tls_alpn01()?.resolver("keyType", &json!(key_type))
        })?;
        let served = testbed.served("a.example", PATIENCE)?;
        assert_eq!((served.key_type.as_str(), served.names), (key_type, vec!["a.example".to_owned()]));
        engine_knows(&testbed, 1)?;
        assert_eq!(testbed.orders(), 1);
    }
    Ok(())
}

#[test]
fn several_names_are_proved_at_once() -> Result<()> {
    let certificates =
        domains(&[&["a.example", "b.example", "c.example", "d.example"], &["e.example"], &["f.example"]]);
    let mut voids = 0;
    loop {
        let mut testbed = testbed("alpn-several", &certificates)?;
        match all(&mut testbed, &certificates) {
            // Pebble 2.10 deadlocks now and then when several orders are under way; such a run shows nothing of us.
            Err(_) if voids < MOST_VOIDS && testbed.pebble.is_deadlocked() => voids += 1,
            done => return done,
        }
        eprintln!("void runs: {voids}, for Pebble's deadlock");
    }
}

/// The most void runs of Pebble, after which something else must be wrong.
const MOST_VOIDS: u32 = 3;

fn all(testbed: &mut Testbed, certificates: &[Domains]) -> Result<()> {
    for names in certificates {
        let main = names.first().context("no names")?;
        ensure!(testbed.served(main, PATIENCE)?.names == *names, "{main}: other names");
    }
    ensure!((testbed.accounts(), testbed.orders()) == (1, certificates.len()), "more than one order for each");
    Ok(())
}

#[test]
fn two_certificates_of_one_name_are_got_one_after_the_other() -> Result<()> {
    let certificates = domains(&[&["a.example", "b.example"], &["b.example", "a.example", "c.example"]]);
    let mut testbed = testbed("alpn-shared", &certificates)?;
    testbed.served("c.example", PATIENCE)?;
    engine_knows(&testbed, 2)
}

#[test]
fn an_address_of_each_kind_gets_a_certificate() -> Result<()> {
    for address in ["127.0.0.1", "::1"] {
        let mut testbed = Testbed::with("alpn-address", &TestbedOptions::default(), |bootstrap| {
            both_loopbacks(bootstrap.domains(&domains(&[&[address]]))?.tls_alpn01()?)
        })?;
        assert_eq!(testbed.served(address, PATIENCE)?.names, [address]);
    }
    Ok(())
}

/// Adds IPv6 to `websecure`: a CA connects to the very address that it validates.
fn both_loopbacks(mut bootstrap: Bootstrap) -> Result<Bootstrap> {
    let listener = bootstrap.named("/static_resources/listeners", "websecure")?;
    let mut address: Value = listener["address"].clone();
    address["socket_address"]["address"] = json!("::1");
    listener["additional_addresses"] = json!([{ "address": address }]);
    Ok(bootstrap)
}

#[test]
fn a_certificate_is_renewed_by_a_new_challenge_for_the_same_name() -> Result<()> {
    let pebble = PebbleOptions::default().validity(Duration::from_secs(60));
    let options = TestbedOptions { pebble, ..TestbedOptions::default() };
    let mut testbed = Testbed::with("alpn-renewal", &options, |bootstrap| {
        bootstrap.domains(&domains(&[&["a.example"]]))?.tls_alpn01()
    })?;
    let address = testbed.place.websecure_address();
    let roots = testbed.pebble.roots()?;
    let mut serial = testbed.served("a.example", PATIENCE)?.serial;
    for _ in 0..2 {
        serial = until("another serial number", PATIENCE, || {
            let served = handshake(address, "a.example", &roots)?;
            ensure!(served.serial != serial, "still the one before");
            Ok(served.serial)
        })?;
    }
    Ok(())
}

#[test]
fn no_visitor_is_turned_away_while_certificates_are_issued() -> Result<()> {
    let stage = Stage::new("alpn-load", &PebbleOptions::default())?;
    let site = Authority::of(stage.place.path(), "site", &[SITE])?;
    let pair = format!("{},{}", site.certificate.display(), site.key.display());
    let sidecar = SidecarOptions { arguments: vec!["--cert".to_owned(), pair], ..SidecarOptions::default() };
    let names: Vec<String> = (0..5).map(|index| format!("n{index}.example")).collect();
    let wanted: Vec<Domains> = names.iter().map(|name| vec![name.clone()]).collect();
    let secrets = [SITE].into_iter().chain(names.iter().map(String::as_str));
    let bootstrap = stage.bootstrap()?.domains(&wanted)?.secrets(secrets)?.tls_alpn01()?;
    let mut testbed = stage.play(bootstrap, &TestbedOptions { sidecar, ..TestbedOptions::default() })?;
    let address = testbed.place.websecure_address();
    let roots = Roots::from_pem(&std::fs::read_to_string(&site.root)?)?;
    until("the site's own certificate", PATIENCE, || handshake(address, SITE, &roots))?;
    let over = AtomicBool::new(false);
    let visits = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        let visitors: Vec<_> = (0..2).map(|_| scope.spawn(|| visit(address, &roots, &over, &visits))).collect();
        let issued: Result<Vec<_>> = names.iter().map(|name| testbed.served(name, PATIENCE)).collect();
        over.store(true, Ordering::Relaxed);
        for visitor in visitors {
            visitor.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
        }
        issued.map(drop)
    })?;
    assert!(visits.load(Ordering::Relaxed) > 20, "too few visits to show anything");
    Ok(())
}

fn visit(address: std::net::SocketAddr, roots: &Roots, over: &AtomicBool, visits: &AtomicUsize) -> Result<()> {
    while !over.load(Ordering::Relaxed) {
        handshake(address, SITE, roots)?;
        visits.fetch_add(1, Ordering::Relaxed);
    }
    Ok(())
}
