//! Runs the sidecar: logs, threads, signals and systemd around it.

use std::process::ExitCode;

use sd_notify::NotifyState;

use super::SidecarArgs;
use crate::privileges::Keeps;
use crate::process::{Ending, notify_systemd};
use crate::sidecar::Sidecar;
use base::hardening;

/// Serves until a signal asks for the end; returns whether everything was saved.
pub(super) fn run(args: &SidecarArgs) -> ExitCode {
    args.logs.start();
    if let Err(error) = args.user.apply(Keeps::Nothing) {
        return args.logs.failed(&error.to_string());
    }
    // After the change of user, which would undo it.
    hardening::keep_memory_private();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return args.logs.failed(&format!("there are no threads to run on: {error}")),
    };
    let ended = runtime.block_on(serve_until_told(args));
    // A key that is still being made is not needed any more.
    runtime.shutdown_background();
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => args.logs.failed(&why),
    }
}

async fn serve_until_told(args: &SidecarArgs) -> Result<(), String> {
    let mut ending = Ending::catch()?;
    let sidecar = Sidecar::start(args.options()?).await.map_err(|error| error.to_string())?;
    notify_systemd(NotifyState::Ready);
    ending.requested().await;
    notify_systemd(NotifyState::Stopping);
    tracing::info!("shutdown requested");
    sidecar.stop().await?;
    tracing::info!("ended; everything is saved");
    Ok(())
}
