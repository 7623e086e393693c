//! Fuzz targets: the invariants of every parser of foreign input.
//!
//! `make fuzz` runs each target for a minute with generated inputs; `make test` runs each on its seeds, the files of
//! `seeds/<target>`. An input that broke something is added to them.

mod abi;
mod acme_messages;
mod api;
mod chain;
mod dns_replies;
mod sds_session;
mod store_sequence;

use config::rule::{self, Syntax};
use storage::import::{acme_sh, caddy, certbot, dehydrated, kubernetes, lego, mod_md, traefik};

pub use abi::{abi, challenge_request};
pub use acme_messages::acme_messages;
pub use api::api;
pub use chain::chain;
pub use dns_replies::dns_replies;
pub use sds_session::sds_session;
pub use store_sequence::store_sequence;

/// A target: its name, and the function that takes an input. The function panics when an invariant is broken.
pub type Target = (&'static str, fn(&[u8]));

/// All of them.
pub const TARGETS: [Target; 12] = [
    ("abi", abi),
    ("acme_json", acme_json),
    ("acme_messages", acme_messages),
    ("api", api),
    ("chain", chain),
    ("challenge_request", challenge_request),
    ("dns_replies", dns_replies),
    ("importers", importers),
    ("plugin_configuration", plugin_configuration),
    ("rule", rule),
    ("sds_session", sds_session),
    ("store_sequence", store_sequence),
];

/// A storage: our own file, or Traefik's of any version. A written storage is read as the same again.
pub fn acme_json(input: &[u8]) {
    if let Err(damage) = traefik::read(input) {
        assert!(is_line(&damage.to_string()), "{damage}");
    }
    if let Ok(written) = storage::fuzzing::written_back(input) {
        let again = storage::fuzzing::written_back(&written).expect("what we wrote can be read");
        assert!(again == written, "what was read again is written otherwise");
    }
}

/// Files of other tools that are not PEM, and Secrets of Kubernetes.
pub fn importers(input: &[u8]) {
    let _ = (caddy::account(input), caddy::metadata(input));
    let _ = (certbot::registration(input), lego::account(input), lego::resource(input));
    let _ = (acme_sh::resource(input), dehydrated::url(input), mod_md::server(input), mod_md::registration(input));
    let _ = kubernetes::read(input);
    if let Ok(text) = std::str::from_utf8(input) {
        let renewal = certbot::renewal(text);
        assert!(renewal.server.is_none_or(|server| text.contains(&server)));
    }
}

/// The plugin's configuration, as JSON text or as a protobuf Struct. Mistakes are lines fit for a log.
pub fn plugin_configuration(input: &[u8]) {
    for line in envoy_autocert::fuzzing::mistakes(input) {
        assert!(is_line(&line), "{line:?}");
    }
}

/// A router's rule, in both syntaxes. A mistake is within the text.
pub fn rule(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    for syntax in [Syntax::V2, Syntax::V3] {
        match rule::parse(text, syntax) {
            Ok(rule) => assert!(rule.hosts().iter().all(|host| text.len() >= host.len())),
            Err(error) => {
                assert!((1..=text.chars().count().saturating_add(1)).contains(&error.column), "{error:?}");
                assert!(is_line(&error.expected), "{error:?}");
            }
        }
    }
}

/// Limit of a line's length: longer ones would hide the lines before them.
const LONGEST_LINE: usize = 2_000;

fn is_line(text: &str) -> bool {
    !text.is_empty() && text.len() <= LONGEST_LINE && !text.chars().any(char::is_control)
}
