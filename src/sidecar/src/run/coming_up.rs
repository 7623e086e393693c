//! Waits for an Envoy that was started.

use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until};

use super::admin::Admin;
use super::envoy::Envoy;
use super::ports::{self, Port};
use super::{ASKING, RunError};

/// How long Envoy may take to come up: it compiles the plugin, and waits for certificates and DNS.
const COMING_UP: Duration = Duration::from_secs(60);
/// The reason that is told when Envoy refuses listeners that it has found valid before, and every port is free.
const CANNOT_LISTEN: &str = "it can't listen as configured";

/// Waits until Envoy serves with all its listeners. To be called on the thread that starts Envoy.
///
/// # Errors
/// When it does not, or not alone.
pub(super) async fn is_up(envoy: &mut Envoy, admin: &Admin, ports: &[Port]) -> Result<(), RunError> {
    let deadline = Instant::now() + COMING_UP;
    let listens = tokio::select! {
        listens = listens(admin) => listens,
        how = envoy.ended() => return Err(RunError::NotUp(format!("it has ended ({how})"))),
        () = sleep_until(deadline) => return Err(RunError::NotUp(format!("it is not ready after {COMING_UP:?}"))),
    };
    let own = envoy.pid();
    if listens {
        // One that was started in the same moment.
        return own.map_or(Ok(()), |pid| ports::alone(ports, pid));
    }
    // Somebody took one meanwhile, or the sidecar did.
    let mut refused = ports::refused(ports, None).map_err(RunError::Rights)?;
    refused.retain(|refusal| refusal.holder() != own || own.is_none());
    Err(match refused.is_empty() {
        true => RunError::NotUp(CANNOT_LISTEN.to_owned()),
        false => RunError::Ports(refused),
    })
}

/// Waits until Envoy has taken or refused its listeners, and says which.
async fn listens(admin: &Admin) -> bool {
    loop {
        let refused = admin.statistic("listener_manager.lds.update_rejected").await;
        if refused.is_some_and(|count| count != "0") {
            return false;
        }
        let taken = admin.statistic("listener_manager.lds.update_success").await;
        if taken.is_some_and(|count| count != "0") && admin.is_ready().await {
            return true;
        }
        sleep(ASKING).await;
    }
}
