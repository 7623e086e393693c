//! The environment of child processes: cleared, except for variables that they need.
//!
//! Our own environment holds the credentials of DNS providers and external accounts.
//!
//! Promises: a child gets common variables, none of which is a secret; its own variables by name; and variables that
//! the user names for it. Variables of our own flags are passed to nobody.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::OnceLock;

/// Common variables: for finding programs and files, time zone, language, trusted CAs. Proxy variables are not among
/// them: their URLs contain passwords, and Envoy uses none.
const COMMON: [&str; 6] = ["HOME", "LANG", "PATH", "SSL_CERT_DIR", "SSL_CERT_FILE", "TZ"];
/// Prefix of locale variables.
const LOCALE: &str = "LC_";
/// Prefix of Envoy's own variables.
const ENVOYS: &str = "ENVOY_";
/// Prefix of variables for the DNS provider `exec`, and possibly for its program.
const PROGRAMS: &str = "EXEC_";
/// Prefix of the variables of our own flags.
const FLAGS: &str = "ENVOY_AUTOCERT_";

/// The variables to pass on, with their values.
pub type Passed = Vec<(OsString, OsString)>;

/// The name of a variable to pass on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VariableName(String);

impl FromStr for VariableName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.is_empty() || text.contains(['=', '\0']) {
            return Err("expected the name of an environment variable".into());
        }
        if text.starts_with(FLAGS) {
            return Err(format!("{FLAGS}… are flags of this program, and passed to no other"));
        }
        Ok(Self(text.to_owned()))
    }
}

/// The environment for Envoy.
pub fn for_envoy(named: &[VariableName]) -> Passed {
    kept(std::env::vars_os(), |name| name.starts_with(ENVOYS) || named.iter().any(|named| named.0 == name))
}

/// The environment for a program that makes DNS records.
pub fn for_dns_program(named: &[VariableName]) -> Passed {
    kept(std::env::vars_os(), |name| name.starts_with(PROGRAMS) || named.iter().any(|named| named.0 == name))
}

/// The home directory of the user that root has switched to.
static HOME: OnceLock<PathBuf> = OnceLock::new();

/// Records that this process has switched to the user with this home directory. The first call counts.
pub fn home_is(home: &Path) {
    // A process switches only once.
    let _ = HOME.set(home.to_owned());
}

/// The common variables of `all`, and those that are `wanted`.
fn kept(all: impl Iterator<Item = (OsString, OsString)>, wanted: impl Fn(&str) -> bool) -> Passed {
    let is_kept = |name: &str| COMMON.contains(&name) || name.starts_with(LOCALE) || wanted(name);
    let all = all.filter(|(name, _)| name.to_str().is_some_and(|name| !name.starts_with(FLAGS) && is_kept(name)));
    let own = |(name, value): (OsString, OsString)| match HOME.get() {
        Some(home) if name == "HOME" => (name, home.clone().into()),
        _ => (name, value),
    };
    all.map(own).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(all: &[&str], wanted: impl Fn(&str) -> bool) -> Vec<String> {
        let all = all.iter().map(|name| (OsString::from(name), OsString::from("value")));
        kept(all, wanted).into_iter().filter_map(|(name, _)| name.into_string().ok()).collect()
    }

    #[test]
    fn what_is_not_asked_for_is_not_passed_on() {
        let all = [
            "PATH",
            "LC_ALL",
            "CF_DNS_API_TOKEN",
            "LE_EAB_HMAC",
            "AWS_SECRET_ACCESS_KEY",
            "HTTPS_PROXY",
            "PATH_TOKEN",
            "LD_LIBRARY_PATH",
            "NOTIFY_SOCKET",
        ];
        assert_eq!(names(&all, |_| false), ["PATH", "LC_ALL"]);
        assert_eq!(names(&all, |name| name == "LD_LIBRARY_PATH"), ["PATH", "LC_ALL", "LD_LIBRARY_PATH"]);
    }

    #[test]
    fn no_flag_of_this_program_is_ever_passed_on() {
        let all = ["ENVOY_AUTOCERT_API_TOKEN_FILE", "ENVOY_UID"];
        assert_eq!(names(&all, |_| true), ["ENVOY_UID"]);
    }

    #[test]
    fn only_names_of_variables_are_names() {
        let parsed = |text: &str| text.parse::<VariableName>();
        assert_eq!(parsed("LD_LIBRARY_PATH"), Ok(VariableName("LD_LIBRARY_PATH".into())));
        assert!(parsed("").is_err() && parsed("A=b").is_err());
        assert!(parsed("ENVOY_AUTOCERT_CA_SERVER").is_err_and(|why| why.contains("flags of this program")));
    }
}
