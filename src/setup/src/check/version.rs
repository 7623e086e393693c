//! Checks for fields that the given version of Envoy does not know, or has elsewhere.
//!
//! Every filter is checked, not only the plugin's: Envoy refuses the whole configuration for one unknown field.

use std::collections::HashSet;
use std::ptr;

use yaml::{At, Node};

use super::document::Document;
use super::{Finding, Report};
use crate::envoy::version::{Feature, Version};

/// The name of the selector's message, behind its package's root.
const SELECTOR: &str = "cert_selectors.on_demand_secret.v3.Config";

/// Checks all documents.
pub(crate) fn check(documents: &[Document], version: Version, report: &mut Report) {
    let mut walk = Walk { version, seen: HashSet::new(), report };
    documents.iter().for_each(|document| walk.look(&document.top()));
}

struct Walk<'r> {
    version: Version,
    /// Visited nodes: an alias is reported at its anchor.
    seen: HashSet<*const Node>,
    report: &'r mut Report,
}

impl Walk<'_> {
    fn look(&mut self, at: &At<'_>) {
        if !self.seen.insert(ptr::from_ref(at.node.shared())) {
            return;
        }
        self.capabilities(at);
        if at.get("filter_chains").is_some() {
            let advice = "socket_options, as `envoy-autocert render` writes them";
            self.unknown(at.get("tcp_keepalive"), Feature::ListenerKeepalive, advice);
        }
        self.unknown(at.find("address_match.invert_match"), Feature::InvertedAddresses, "the ranges of all others");
        let selector = at.get("@type").filter(|kind| kind.text().is_some_and(|text| text.ends_with(SELECTOR)));
        self.unknown(selector, Feature::OnDemandSecrets, "httpChallenge or dnsChallenge instead of tlsChallenge");
        for (key, member) in at.members() {
            // The plugin's own configuration is no message of Envoy's.
            if key != "configuration" {
                self.look(&member);
            }
        }
        at.items().iter().for_each(|item| self.look(item));
    }

    /// Checks the capabilities, which newer Envoys have under another path.
    fn capabilities(&mut self, plugin: &At<'_>) {
        let Some(vm) = plugin.get("vm_config") else { return };
        let (since, version) = (Feature::VmCapabilities.since(), self.version);
        if let Some(at) = vm.get(CAPABILITIES).filter(|_| version.lacks(Feature::VmCapabilities)) {
            let found = format!("a field that Envoy {version} does not have here");
            let expected =
                format!("it one level up, in {} beside vm_config: vm_config has it since {since}", owner(plugin));
            self.report.mistake(Finding::at(&at, found, expected));
        }
        if let Some(at) = plugin.get(CAPABILITIES).filter(|_| version.has(Feature::VmCapabilities)) {
            let found = format!("a field that is deprecated here since Envoy {since}");
            self.report.warning(Finding::at(&at, found, "it one level down, in vm_config".to_owned()));
        }
    }

    /// Reports a field or message that an older version does not know.
    fn unknown(&mut self, at: Option<At<'_>>, feature: Feature, instead: &str) {
        if let Some(at) = at.filter(|_| self.version.lacks(feature)) {
            let found = format!("a feature that Envoy {} does not have", self.version);
            let expected = format!("Envoy {} or newer, or {instead}", feature.since());
            self.report.mistake(Finding::at(&at, found, expected));
        }
    }
}

const CAPABILITIES: &str = "capability_restriction_config";

/// The last key of the plugin's path, without an index.
fn owner<'p>(plugin: &'p At<'_>) -> &'p str {
    let key = plugin.path.rsplit('.').next().unwrap_or_default();
    key.split('[').next().unwrap_or(key)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    const REFERENCE: &str = include_str!("../../../../envoy/envoy.yaml");

    /// Mistakes, then warnings.
    fn found(text: &str, version: &str) -> [Vec<String>; 2] {
        let mut report = Report::default();
        check(&Document::all("envoy.yaml", text).unwrap(), version.parse().unwrap(), &mut report);
        let lines = |findings: &[Finding]| findings.iter().map(Finding::to_string).collect();
        [lines(&report.mistakes), lines(&report.warnings)]
    }

    fn line(text: &str, word: &str) -> usize {
        1 + text.lines().position(|line| line.contains(word)).unwrap()
    }

    #[test]
    fn the_reference_is_for_the_newest_and_says_where_older_ones_take_what() {
        assert_eq!(found(REFERENCE, "1.40"), [vec![""; 0], vec![]]);
        assert_eq!(found(REFERENCE, "1.40.0-dev"), [vec![""; 0], vec![]]);
        let [mistakes, warnings] = found(REFERENCE, "1.39");
        assert_eq!(warnings, [""; 0]);
        let places = ["capability_restriction_config: &capabilities", "capability_restriction_config: *capabilities"];
        let [engine, filter] = places.map(|word| format!("envoy.yaml:{}: ", line(REFERENCE, word)));
        assert!(
            matches!(&mistakes[..], [one, two] if one.starts_with(&engine) && two.starts_with(&filter)),
            "{mistakes:#?}"
        );
        let path = "bootstrap_extensions[0].typed_config.config.vm_config.capability_restriction_config: ";
        let expected = "found a field that Envoy 1.39 does not have here, expected it one level up, in config beside vm_config: \
                        vm_config has it since 1.40";
        assert_eq!(mistakes[0], format!("{engine}{path}{expected}"));
        let [mistakes, _] = found(REFERENCE, "1.36");
        let keepalive = line(REFERENCE, "tcp_keepalive");
        let expected = format!(
            "envoy.yaml:{keepalive}: static_resources.listeners[0].tcp_keepalive: found a feature that Envoy 1.36 does not have, \
             expected Envoy 1.37 or newer, or socket_options, as `envoy-autocert render` writes them"
        );
        assert!(mistakes.contains(&expected), "{mistakes:#?}");
    }

    #[test]
    fn the_place_of_older_envoys_works_and_is_deprecated() {
        let text = "config:\n  vmConfig: { vm_id: a }\n  capabilityRestrictionConfig: { allowed_capabilities: {} }\n";
        assert_eq!(found(text, "1.39"), [vec![""; 0], vec![]]);
        assert_eq!(
            found(text, "1.40"),
            [
                vec![],
                vec![
                    "envoy.yaml:3: config.capabilityRestrictionConfig: found a field that is deprecated here since Envoy 1.40, \
             expected it one level down, in vm_config"
                ]
            ]
        );
    }

    #[test]
    fn what_a_version_does_not_know_is_named() {
        let text = "a: { address_match: { ranges: [], invert_match: true } }\n\
                    b: { '@type': type.googleapis.com/envoy.extensions.transport_sockets.tls.cert_selectors.on_demand_secret.v3.Config }\n\
                    c: { configuration: { address_match: { invert_match: true } }, upstream: { tcp_keepalive: {} } }\n";
        let paths = |version: &str| -> Vec<String> {
            found(text, version)[0].iter().map(|line| line.split(' ').nth(1).unwrap().to_owned()).collect()
        };
        assert_eq!(paths("1.36"), ["a.address_match.invert_match:", "b.@type:"]);
        assert_eq!(paths("1.37"), ["a.address_match.invert_match:"]);
        assert_eq!(paths("1.38"), [""; 0]);
    }
}
