//! `--wake-address` of a setup: the addresses at which this machine reaches the plugin through Envoy.

use std::net::SocketAddr;

use setup::envoy::plugin::challenge_entry_points;
use setup::model::Setup;

use crate::reach;

/// The entry points that answer challenges: the plugin sees their requests. A listener on every address is reached on
/// the loopback.
pub(super) fn addresses(setup: &Setup) -> Vec<SocketAddr> {
    let challenged = challenge_entry_points(setup);
    let points = setup.entry_points.iter().filter(|point| challenged.contains(point.name.as_str()));
    let listening = points.filter_map(|point| Some(SocketAddr::new(point.host.parse().ok()?, point.port)));
    from_here(listening)
}

/// The addresses at which these listeners are reached.
pub(super) fn from_here(listening: impl IntoIterator<Item = SocketAddr>) -> Vec<SocketAddr> {
    listening.into_iter().map(reach::from_here).collect()
}

#[cfg(test)]
mod tests {
    use setup::model::EntryPoint;

    use super::*;

    #[test]
    fn an_entry_point_without_challenges_wakes_nobody() {
        let point = EntryPoint { name: "web".into(), host: "0.0.0.0".into(), port: 80, ..EntryPoint::default() };
        let setup = Setup { entry_points: vec![point], ..Setup::default() };
        assert_eq!(addresses(&setup), []);
    }
}
