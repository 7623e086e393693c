//! Waits for an Envoy that was started.

use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until};

use super::RunError;
use super::admin::Admin;
use super::envoy::Envoy;
use super::ports::{self, Port};

/// How long Envoy may take to come up: it compiles the plugin, and waits for certificates and DNS.
const COMING_UP: Duration = Duration::from_secs(60);
/// The reason that is told when Envoy refuses what it has found valid, and every port is free.
const CANNOT_SERVE: &str = "it can't listen and route as configured";
/// Statistics of clusters, listeners and routes, which come from files of ours. Certificates are none: one that is refused is
/// replaced.
const UPDATES: &str = "^(cluster_manager.cds|listener_manager.lds|http[.].*[.]rds[.].*)[.]update_(rejected|success)$";
/// How often Envoy is asked meanwhile.
const ASKING: Duration = Duration::from_millis(20);

/// Waits until Envoy serves with all its listeners. To be called on the thread that starts Envoy.
///
/// # Errors
/// When it does not, or not alone.
pub(super) async fn is_up(envoy: &mut Envoy, admin: &Admin, ports: &[Port]) -> Result<(), RunError> {
    let deadline = Instant::now() + COMING_UP;
    let serves = tokio::select! {
        serves = serves(admin) => serves,
        how = envoy.ended() => return Err(RunError::NotUp(format!("it has ended ({how})"))),
        () = sleep_until(deadline) => return Err(RunError::NotUp(format!("it is not ready after {COMING_UP:?}"))),
    };
    let own = envoy.pid();
    if serves {
        // One that was started in the same moment.
        return own.map_or(Ok(()), |pid| ports::alone(ports, pid));
    }
    // Somebody took one meanwhile, or the sidecar did.
    let mut refused = ports::refused(ports, None).map_err(RunError::Rights)?;
    refused.retain(|refusal| refusal.holder() != own || own.is_none());
    Err(match refused.is_empty() {
        true => RunError::NotUp(CANNOT_SERVE.to_owned()),
        false => RunError::Ports(refused),
    })
}

/// Waits until Envoy has taken all that it watches, or refused some of it, and says which.
async fn serves(admin: &Admin) -> bool {
    loop {
        // Asked first: everything that Envoy was given at its start has been taken or refused when it is ready.
        let is_ready = admin.is_ready().await;
        let updates = admin.statistics(UPDATES).await.unwrap_or_default();
        let has = |end: &str| updates.iter().any(|(name, count)| name.ends_with(end) && count != "0");
        if has(".update_rejected") {
            return false;
        }
        if is_ready && has("lds.update_success") {
            return true;
        }
        sleep(ASKING).await;
    }
}
