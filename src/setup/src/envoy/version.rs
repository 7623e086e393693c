//! The version of Envoy that a configuration is for, and the differences between versions.
//!
//! Everything is made for the newest Envoy first; `older` rewrites it for an older one.
//! Refuses: an Envoy older than any that was tested.

use std::fmt;
use std::str::FromStr;

use config::{Mistake, shortened};

use super::tls_alpn01;
use crate::model::Setup;

/// A version of Envoy, as far as configurations depend on it. Patch releases take the same configurations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    major: u32,
    minor: u32,
    /// False for `1.40.0-dev`: a build between two releases may or may not have the features of the second one. True
    /// for `1.40.1-dev`, as patch releases only get corrections.
    is_released: bool,
}

/// A feature that some versions lack, named as in the newest one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Feature {
    /// `invert_match` of an `address_match`.
    InvertedAddresses,
    /// `tcp_keepalive` of a listener.
    ListenerKeepalive,
    /// The certificate selector `on_demand_secret`, which serves TLS-ALPN-01 challenges.
    OnDemandSecrets,
    /// `capability_restriction_config` in `vm_config`. In older versions it is in the plugin's `config`, beside
    /// `vm_config`; newer versions accept that place as deprecated.
    VmCapabilities,
}

impl Version {
    /// The oldest version that was tested.
    pub const OLDEST: Self = Self::released(36);
    /// The newest version that was tested. Later ones count as this one.
    pub const NEWEST: Self = Self::released(40);

    const fn released(minor: u32) -> Self {
        Self { major: 1, minor, is_released: true }
    }

    /// The version in the output of `envoy --version`: `envoy  version: HASH/1.38.2/Clean/RELEASE/BoringSSL`.
    pub fn said(text: &str) -> Option<Self> {
        let lines = || text.lines().filter_map(|line| line.split_once("version:").map(|(_, behind)| behind));
        lines().flat_map(|line| line.split(['/', ' ', '\t'])).find_map(|word| word.parse().ok())
    }

    /// True if all Envoys of this version have the feature.
    pub fn has(self, feature: Feature) -> bool {
        self >= feature.since()
    }

    /// True if no Envoy of this version has the feature.
    pub fn lacks(self, feature: Feature) -> bool {
        self < Self { is_released: false, ..feature.since() }
    }

    /// The reason why this version can't be used at all.
    pub fn refusal(self) -> Option<String> {
        let oldest = Self { is_released: false, ..Self::OLDEST };
        (self < oldest).then(|| format!("Envoy {self} is too old: expected {}", needed()))
    }

    /// The versions that a configuration for this version fits, for people.
    pub(super) fn audience(self) -> String {
        if self < Self::NEWEST { format!("Envoy {self}") } else { format!("Envoy {} and newer", Self::NEWEST) }
    }

    /// Checks that Envoys of this version have the features that a setup needs.
    ///
    /// # Errors
    /// Every missing feature.
    pub fn will_do(self, setup: &Setup) -> Result<(), Vec<Mistake>> {
        if !tls_alpn01::is_wanted(setup) || !self.lacks(Feature::OnDemandSecrets) {
            return Ok(());
        }
        let resolvers = setup.resolvers.iter().filter(|resolver| resolver.tls_challenge.is_some());
        let mistake = |name: &str| Mistake {
            path: format!("certificatesResolvers.{}.acme.tlsChallenge", shortened(name)),
            found: format!("a challenge that Envoy {self} can't show"),
            expected: format!("Envoy {} or newer, or httpChallenge or dnsChallenge", Feature::OnDemandSecrets.since()),
            nearest: None,
        };
        Err(resolvers.map(|resolver| mistake(&resolver.name)).collect())
    }
}

/// The supported versions, for people.
pub fn needed() -> String {
    let full = Feature::OnDemandSecrets.since();
    format!("{full} or newer, or {} without tlsChallenge", Version::OLDEST)
}

impl Feature {
    /// The first release with the feature.
    pub fn since(self) -> Version {
        Version::released(match self {
            Self::ListenerKeepalive | Self::OnDemandSecrets => 37,
            Self::InvertedAddresses => 38,
            Self::VmCapabilities => 40,
        })
    }
}

impl Default for Version {
    fn default() -> Self {
        Self::NEWEST
    }
}

impl fmt::Display for Version {
    /// Formats as `1.38`, or `1.40-dev`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let suffix = if self.is_released { "" } else { "-dev" };
        write!(f, "{}.{}{suffix}", self.major, self.minor)
    }
}

impl FromStr for Version {
    type Err = &'static str;

    /// Parses `1.38`, `1.38.2`, `v1.38.2`, or `1.40.0-dev`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse(text).ok_or("expected a version of Envoy, as 1.38 or 1.38.2")
    }
}

fn parse(text: &str) -> Option<Version> {
    let text = text.strip_prefix('v').unwrap_or(text);
    let (numbers, suffix) = text.split_at(text.find(['-', '+']).unwrap_or(text.len()));
    let numbers = numbers.split('.').map(number).collect::<Option<Vec<u32>>>()?;
    let (major, minor, patch) = match *numbers.as_slice() {
        [major, minor] => (major, minor, 0),
        [major, minor, patch] => (major, minor, patch),
        _ => return None,
    };
    let is_development = patch == 0 && suffix.starts_with("-dev");
    (major > 0).then_some(Version { major, minor, is_released: !is_development })
}

/// A number of digits alone, and few of them.
fn number(text: &str) -> Option<u32> {
    let is_one = (1..=5).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    is_one.then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn version(text: &str) -> Version {
        text.parse().unwrap()
    }

    #[test]
    fn an_envoy_says_which_one_it_is() {
        let said = |word: &str| {
            Version::said(&format!("\n/usr/bin/envoy  version: 6eb0d2d97489ec1b4e1584a004f5de443d97a41b/{word}\n\n"))
        };
        assert_eq!(said("1.39.3/Clean/RELEASE/BoringSSL"), Some(version("1.39")));
        assert_eq!(said("1.38.3/Modified/RELEASE/BoringSSL"), Some(version("1.38")));
        assert_eq!(said("1.38.0-dev/Clean/RELEASE/BoringSSL"), Some(version("1.38.0-dev")));
        assert_eq!(said("1.37.2-dev/Clean/RELEASE/BoringSSL-FIPS"), Some(version("1.37")));
        assert_eq!(said("1.36.4+distro1/Distribution/RELEASE/OpenSSL"), Some(version("1.36")));
        assert_eq!(said("unknown/Clean"), None);
        assert_eq!(Version::said("a warning of 1.2.3\ncilium-envoy  version: 0/1.40.1/Clean"), Some(version("1.40")));
        assert_eq!(Version::said("envoy version: 1.35.0"), Some(version("1.35")));
        for text in ["", "version:", "BusyBox v1.36.1", "version: 1/2/3", "version: 0.9.9/x"] {
            assert_eq!(Version::said(text), None, "{text}");
        }
    }

    #[test]
    fn a_version_is_written_in_numbers() {
        assert_eq!(version("1.38"), version("v1.38.7"));
        assert!(version("1.39") < version("1.40.0-dev") && version("1.40.0-dev") < version("1.40"));
        assert!(version("1.9") < version("1.10") && version("2.0") > Version::NEWEST);
        assert_eq!(version("1.40.0-dev").to_string(), "1.40-dev");
        for text in ["", "1", "1.", ".38", "1.38.", "1.38.2.1", "1.x", "1.+8", "1. 38", "one", "1.999999", "0.38"] {
            assert!(text.parse::<Version>().is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_between_two_releases_may_have_what_is_new_in_the_second() {
        let known = |text: &str, feature| (version(text).has(feature), version(text).lacks(feature));
        assert_eq!(known("1.39", Feature::VmCapabilities), (false, true));
        assert_eq!(known("1.40.0-dev", Feature::VmCapabilities), (false, false));
        assert_eq!(known("1.40", Feature::VmCapabilities), (true, false));
        assert_eq!(known("1.41.0-dev", Feature::VmCapabilities), (true, false));
        assert_eq!(known("1.37.0-dev", Feature::OnDemandSecrets), (false, false));
    }

    #[test]
    fn a_version_that_is_too_old_is_refused_with_the_supported_ones() {
        assert_eq!(
            version("1.35").refusal().unwrap(),
            "Envoy 1.35 is too old: expected 1.37 or newer, or 1.36 without tlsChallenge"
        );
        assert_eq!(version("1.36.0-dev").refusal(), None);
        assert_eq!(version("1.41").refusal(), None);
    }
}
