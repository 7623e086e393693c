//! The sidecar's flags that do not depend on where it runs.

use crate::cli::dns::other_ports;
use protocol::mac_key::MacKey;
use setup::model::{PairOfFiles, Setup};

/// The sidecar's flags that don't depend on where it runs: the user's own certificates, MAC keys, name servers.
pub(super) fn further(setup: &Setup) -> Vec<(&'static str, String)> {
    let pair = |pair: &PairOfFiles| format!("{},{}", pair.cert_file, pair.key_file);
    let mut further = Vec::new();
    further.extend(setup.default_certificate.iter().map(|files| ("--default-certificate", pair(files))));
    further.extend(setup.certificates.iter().map(|files| ("--cert", pair(files))));
    for (resolver, key) in &setup.mac_keys {
        let place = match key {
            MacKey::File(path) => format!("file:{path}"),
            MacKey::Inline(_) => "file:PATH".to_owned(),
            MacKey::Variable(name) => format!("env:{name}"),
        };
        further.push(("--eab", format!("{resolver}={place}")));
    }
    further.extend(other_ports(setup).into_iter().map(|server| ("--dns-resolver", server)));
    further
}
