//! Waiting for a condition.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::process::Ended;

/// Interval at which a condition is checked.
const PAUSE: Duration = Duration::from_millis(20);

/// True once the user wants everything to stop.
static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// True if [`interrupt_on_signals`] has seen a signal.
pub fn interrupted() -> bool {
    INTERRUPTED.load(Ordering::Relaxed)
}

/// Makes SIGINT and SIGTERM end every wait with an error from now on, so that the program ends in good order, with all
/// programs that it started.
///
/// # Errors
/// When the signals can't be watched.
pub fn interrupt_on_signals() -> Result<()> {
    use tokio::signal::unix::{SignalKind, signal};

    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let guard = runtime.enter();
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    drop(guard);
    std::thread::spawn(move || {
        runtime.block_on(async {
            tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {} }
        });
        INTERRUPTED.store(true, Ordering::Relaxed);
    });
    Ok(())
}

/// Tries until an attempt succeeds, and returns its value.
///
/// # Errors
/// The last error, when the time is over; `what` says what was waited for. [`Ended`] at once: a program that has ended
/// will not do it any more.
pub fn until<T>(what: &str, limit: Duration, mut attempt: impl FnMut() -> Result<T>) -> Result<T> {
    let start = Instant::now();
    loop {
        let error = match attempt() {
            Ok(value) => return Ok(value),
            Err(error) => error,
        };
        if error.is::<Ended>() {
            return Err(error.context(format!("{what} failed")));
        }
        if interrupted() {
            bail!("{what}: interrupted");
        }
        if start.elapsed() >= limit {
            bail!("{what}: not within {limit:?}: {error:#}");
        }
        std::thread::sleep(PAUSE);
    }
}
