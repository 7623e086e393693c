//! `envoy-autocert`: the sidecar and the tools around it.

use std::io;
use std::process::ExitCode;

use clap::Parser;
use sd_notify::NotifyState;
use sidecar::cli::{Cli, Command, SidecarArgs};
use sidecar::sidecar::Sidecar;
use sidecar::{hardening, logging};
use tokio::signal::unix::{Signal, SignalKind, signal};

fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Sidecar(args) => run_sidecar(&args),
    }
}

fn run_sidecar(args: &SidecarArgs) -> ExitCode {
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

fn failed(why: &str) -> ExitCode {
    // Also where logs are off or JSON, a person starts this by hand.
    eprintln!("envoy-autocert: {why}");
    ExitCode::FAILURE
}
