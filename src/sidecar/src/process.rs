//! The process's signals, and its messages to systemd.

use std::io;

use sd_notify::NotifyState;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// The signals that ask the process to end: SIGTERM and SIGINT.
pub struct Ending {
    terminate: Signal,
    interrupt: Signal,
}

impl Ending {
    /// Catches the signals, which no longer end the process by themselves.
    ///
    /// # Errors
    /// When they can't be caught; the text says so.
    pub fn catch() -> Result<Self, String> {
        let caught = || -> io::Result<Self> {
            Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
        };
        caught().map_err(|error| format!("signals can't be caught: {error}"))
    }

    /// Waits for one of the signals.
    pub async fn requested(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// Notifies systemd, which listens only if it started the process.
pub fn notify_systemd(state: NotifyState<'_>) {
    if let Err(error) = sd_notify::notify(&[state]) {
        tracing::warn!(%error, "systemd could not be told");
    }
}
