//! Waits for an Envoy that was started.

use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until};

use super::RunError;
use super::admin::Admin;
use super::envoy::Envoy;
use super::ports::{self, Port};

/// The time Envoy has to come up: it compiles the plugin, and waits for certificates and DNS.
const COMING_UP: Duration = Duration::from_secs(60);
/// The reason reported when Envoy refuses a configuration that it validated before, and every port is free.
const CANNOT_SERVE: &str = "it can't listen and route as configured";
/// The update counters of clusters, listeners and routes, which come from our files. Certificates are left out: a
/// rejected one is replaced.
const UPDATES: &str = "^(cluster_manager.cds|listener_manager.lds|http[.].*[.]rds[.].*)[.]update_(rejected|success)$";
/// The interval at which Envoy is asked.
const ASKING: Duration = Duration::from_millis(20);

/// Waits until Envoy serves with all its listeners. Call it on the thread that starts Envoy.
///
/// # Errors
/// When Envoy does not come up, or another one listens on the same ports.
pub(super) async fn is_up(envoy: &mut Envoy, admin: &Admin, ports: &[Port]) -> Result<(), RunError> {
    let deadline = Instant::now() + COMING_UP;
    let serves = tokio::select! {
        serves = serves(admin) => serves,
        how = envoy.ended() => return Err(RunError::NotUp(format!("it has ended ({how})"))),
        () = sleep_until(deadline) => return Err(RunError::NotUp(format!("it is not ready after {COMING_UP:?}"))),
    };
    let own = envoy.pid();
    if serves {
        // Another Envoy may have been started at the same moment.
        return own.map_or(Ok(()), |pid| ports::alone(ports, pid));
    }
    // Another process took a port meanwhile, or the sidecar did.
    let mut refused = ports::refused(ports, None).map_err(RunError::Rights)?;
    refused.retain(|refusal| refusal.holder() != own || own.is_none());
    Err(match refused.is_empty() {
        true => RunError::NotUp(CANNOT_SERVE.to_owned()),
        false => RunError::Ports(refused),
    })
}

/// Waits until Envoy has accepted all watched files or rejected one; returns whether all were accepted.
async fn serves(admin: &Admin) -> bool {
    loop {
        // Asked first: once Envoy is ready, everything given to it at its start has been accepted or rejected.
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
