//! Renewal, while clients connect and disconnect.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Result, ensure};
use harness::http::Endpoint;
use harness::tls::handshake;
use harness::{PebbleOptions, Testbed, TestbedOptions, domains, until};

use crate::PATIENCE;

#[test]
fn a_certificate_of_60_seconds_is_renewed_without_a_failed_handshake_or_request() -> Result<()> {
    let pebble = PebbleOptions::default().validity(Duration::from_secs(60));
    let mut testbed = Testbed::with("renewal", &TestbedOptions { pebble, ..TestbedOptions::default() }, |bootstrap| {
        bootstrap.domains(&domains(&[&["renewed.example"]]))
    })?;
    let name = "renewed.example";
    let first = testbed.served(name, PATIENCE)?;
    let address = testbed.place.websecure_address();
    let roots = testbed.pebble.roots()?;
    let endpoint = Endpoint::Tls { address, name: name.to_owned(), roots: roots.clone() };

    let over = AtomicBool::new(false);
    let requests = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        let client = scope.spawn(|| -> Result<()> {
            while !over.load(Ordering::Relaxed) {
                ensure!(endpoint.get("/")?.status == 200, "a request has failed");
                requests.fetch_add(1, Ordering::Relaxed);
            }
            Ok(())
        });
        let renewed = until("another serial number", Duration::from_secs(60), || {
            let served = handshake(address, name, &roots)?;
            ensure!(served.serial != first.serial, "still the first one");
            Ok(served)
        });
        over.store(true, Ordering::Relaxed);
        client.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
        let renewed = renewed?;
        let left = first.not_after - renewed.not_before;
        ensure!(left.whole_seconds() > 0 && left.whole_seconds() <= 35, "renewed {left} before the end");
        Ok(())
    })?;
    assert!(requests.load(Ordering::Relaxed) > 100, "too few requests to show anything");
    assert_eq!(testbed.accounts(), 1);
    Ok(())
}
