//! Runs the sidecar: logs, threads, signals and systemd around it.

use std::io;
use std::process::ExitCode;

use sd_notify::NotifyState;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::{SidecarArgs, failed};
use crate::sidecar::Sidecar;
use crate::{hardening, logging};

/// Serves until it is told to end, and says whether everything was saved.
pub(super) fn run(args: &SidecarArgs) -> ExitCode {
    logging::start(&args.log_level, args.log_format);
    hardening::keep_memory_private();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&format!("there are no threads to run on: {error}")),
    };
    let ended = runtime.block_on(serve_until_told(args));
    // A key that is still being made is of no use to anybody.
    runtime.shutdown_background();
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => failed(&why),
    }
}

async fn serve_until_told(args: &SidecarArgs) -> Result<(), String> {
    let signals =
        || -> io::Result<[Signal; 2]> { Ok([signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?]) };
    let [mut terminate, mut interrupt] = signals().map_err(|error| format!("signals can't be caught: {error}"))?;
    let sidecar = Sidecar::start(args).await.map_err(|error| error.to_string())?;
    tell_systemd(NotifyState::Ready);
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    tell_systemd(NotifyState::Stopping);
    tracing::info!("told to end");
    sidecar.stop().await?;
    tracing::info!("ended; everything is saved");
    Ok(())
}

/// It listens only when it started us.
fn tell_systemd(state: NotifyState<'_>) {
    if let Err(error) = sd_notify::notify(&[state]) {
        tracing::warn!(%error, "systemd could not be told");
    }
}
