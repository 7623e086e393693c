//! Clients that begin a handshake and then stay silent.

use std::net::TcpStream;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use harness::acme_tls::{closed, hold, stall, validate};

use super::scene::{SITE, Scene};

/// Number of stalled clients at once.
const CLIENTS: u32 = 1_000;

/// `transport_socket_connect_timeout` of the chain, and the delay that a busy machine may add.
const DEADLINE: Duration = Duration::from_secs(10 + 15);

/// Opens many connections and keeps them open, and meanwhile shakes hands as a visitor and as the CA.
fn silent(scene: &Scene, open: impl Fn() -> Result<TcpStream>) -> Result<()> {
    let mut streams = Vec::new();
    for number in 0..CLIENTS {
        streams.push(open()?);
        if number.is_multiple_of(50) {
            ensure!(scene.visit()?.names == [SITE], "a visitor is served something else");
        }
    }
    validate(scene.address(), "a.example").context("the CA's handshake")?;
    let deadline = Instant::now() + DEADLINE;
    for stream in &mut streams {
        closed(stream, deadline)?;
    }
    ensure!(scene.visit()?.names == [SITE], "a visitor is served something else");
    Ok(())
}

#[test]
fn a_thousand_silent_clients_are_shut_out_and_hold_up_nobody() -> Result<()> {
    let scene = Scene::start("alpn-silent")?;
    scene.engine.publish(1, "a.example")?;
    let address = scene.address();
    silent(&scene, || stall(address, "a.example")).context("silent after the ClientHello")?;
    silent(&scene, || stall(address, "b.example"))
        .context("silent after the ClientHello for a name without challenge")?;
    silent(&scene, || hold(address, "a.example")).context("silent after the handshake")?;
    Ok(())
}
