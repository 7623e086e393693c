//! Free TCP ports on the loopback, for programs that get theirs as an option.

use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::sync::atomic::{AtomicU16, Ordering};

use anyhow::{Result, bail};

/// Below the ports that Linux gives to outgoing connections (32768 and up), so that no such connection takes one.
const FIRST: u16 = 20_000;
const COUNT: u16 = 12_000;

/// First of the ports that only root may listen on.
const LOW_FIRST: u16 = 600;
const LOW_COUNT: u16 = 420;

/// Distance between the first guesses of two processes.
const STRIDE: u32 = 97;

static NEXT: AtomicU16 = AtomicU16::new(0);

/// A port that nobody listens on, by TCP or UDP, and that this process has not handed out before.
///
/// # Errors
/// When every port is taken.
pub fn free() -> Result<u16> {
    let process = u16::try_from((std::process::id().wrapping_mul(STRIDE)) % u32::from(COUNT)).unwrap_or_default();
    for _ in 0..COUNT {
        let guess = NEXT.fetch_add(1, Ordering::Relaxed).wrapping_add(process) % COUNT;
        let port = FIRST + guess;
        if is_free(port) {
            return Ok(port);
        }
    }
    bail!("no port from {FIRST} to {} is free", FIRST + COUNT - 1)
}

/// A port below 1024 that nobody listens on, by TCP or UDP. To be asked for by root.
///
/// # Errors
/// When every port is taken.
pub fn free_below_1024() -> Result<u16> {
    // Not the first ones, which have well-known uses.
    let process = u16::try_from(std::process::id() % 300).unwrap_or_default();
    for _ in 0..LOW_COUNT {
        let guess = NEXT.fetch_add(1, Ordering::Relaxed).wrapping_add(process) % LOW_COUNT;
        let port = LOW_FIRST + guess;
        if is_free(port) {
            return Ok(port);
        }
    }
    bail!("no port from {LOW_FIRST} to {} is free", LOW_FIRST + LOW_COUNT - 1)
}

/// True if nobody listens on the port.
pub fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() && UdpSocket::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}
