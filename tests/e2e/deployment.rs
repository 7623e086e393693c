//! Proof of deployment: a handshake shows that a new certificate is served.

use anyhow::{Result, ensure};
use harness::{PebbleOptions, SidecarOptions, Stage, WorldOptions, domains, until};

use crate::PATIENCE;

#[test]
fn a_new_certificate_is_seen_to_be_served() -> Result<()> {
    let name = "proven.example";
    let stage = Stage::new("proof", &PebbleOptions::default())?;
    let arguments = vec!["--verify-address".to_owned(), stage.place.websecure_address().to_string()];
    let options =
        WorldOptions { sidecar: SidecarOptions { arguments, ..SidecarOptions::default() }, ..WorldOptions::default() };
    let bootstrap = stage.bootstrap()?.domains(&domains(&[&[name]]))?;
    let mut world = stage.play(bootstrap, &options)?;
    world.served(name, PATIENCE)?;
    until("the proof", PATIENCE, || {
        let status = world.sidecar.status("/status")?.text();
        ensure!(status.contains(r#""served":1"#), "{status}");
        Ok(())
    })?;
    ensure!(world.sidecar.log().contains("the new certificate is served"), "nothing is said of it");
    Ok(())
}
