//! Versions of Istio, and their features.

use std::fmt;
use std::str::FromStr;

use config::Mistake;

/// A version such as `1.30`; the patch number does not matter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    major: u32,
    minor: u32,
}

/// The first version whose proxies are an Envoy that can run the plugin.
const OLDEST: Version = Version { major: 1, minor: 28 };

/// The first version with TrafficExtension, which supersedes WasmPlugin.
const TRAFFIC_EXTENSION: Version = Version { major: 1, minor: 30 };

impl Version {
    /// True if this version has TrafficExtension.
    pub(super) fn has_traffic_extension(self) -> bool {
        self >= TRAFFIC_EXTENSION
    }

    /// The mistake about an unsupported version.
    pub(super) fn mistake(self) -> Option<Mistake> {
        (self < OLDEST).then(|| Mistake {
            path: "--istio-version".to_owned(),
            found: format!("Istio {self}, whose proxies are older than Envoy 1.36"),
            expected: format!("{OLDEST} or later"),
            nearest: None,
        })
    }
}

impl Default for Version {
    fn default() -> Self {
        TRAFFIC_EXTENSION
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

impl FromStr for Version {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let unfit = || format!("found {text}, expected a version of Istio as in 1.30");
        let mut parts = text.trim_start_matches('v').split(['.', '-']);
        let mut number = || parts.next().and_then(|part| part.parse().ok()).ok_or_else(unfit);
        Ok(Self { major: number()?, minor: number()? })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn the_first_two_numbers_are_the_version() {
        for text in ["1.30", "1.30.2", "v1.30.0-rc.1"] {
            assert_eq!(text.parse::<Version>().unwrap(), TRAFFIC_EXTENSION, "{text}");
        }
        assert!("1".parse::<Version>().is_err() && "latest".parse::<Version>().is_err());
    }

    #[test]
    fn a_version_whose_proxies_are_too_old_is_named() {
        assert!("1.27.3".parse::<Version>().unwrap().mistake().unwrap().found.contains("1.27"));
        assert_eq!("1.28".parse::<Version>().unwrap().mistake(), None);
        assert!(!"1.29".parse::<Version>().unwrap().has_traffic_extension());
        assert!("1.31".parse::<Version>().unwrap().has_traffic_extension());
    }
}
