//! The environment of the programs that we start: cleared, but for what they need.
//!
//! Ours holds the credentials of DNS providers and external accounts.
//!
//! Promises: a program gets what any program needs, none of which is a secret; what is its own by name; and what the user
//! names for it. Flags of this program, which are variables as well, are passed to nobody.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::OnceLock;

/// What any program may need: to find others and its files, to tell the time, to write for people, to trust a CA.
/// Proxies are not among it: their URLs hold passwords, and Envoy asks none.
const COMMON: [&str; 6] = ["HOME", "LANG", "PATH", "SSL_CERT_DIR", "SSL_CERT_FILE", "TZ"];
/// What the names of locale variables start with.
const LOCALE: &str = "LC_";
/// What the names of Envoy's own variables start with.
const ENVOYS: &str = "ENVOY_";
/// What the names of the variables of the DNS provider `exec` start with; its program's own may too.
const PROGRAMS: &str = "EXEC_";
/// What the names of our flags start with, as variables.
const FLAGS: &str = "ENVOY_AUTOCERT_";

/// Variables that are passed on, with their values.
pub type Passed = Vec<(OsString, OsString)>;

/// The name of a variable that is to be passed on.
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

/// What an Envoy gets of our environment.
pub fn for_envoy(named: &[VariableName]) -> Passed {
    kept(std::env::vars_os(), |name| name.starts_with(ENVOYS) || named.iter().any(|named| named.0 == name))
}

/// What a program that makes DNS records gets of our environment.
pub fn for_dns_program(named: &[VariableName]) -> Passed {
    kept(std::env::vars_os(), |name| name.starts_with(PROGRAMS) || named.iter().any(|named| named.0 == name))
}

/// The home of the user that root has become.
static HOME: OnceLock<PathBuf> = OnceLock::new();

/// Says that this process has become another user, whose home this is. The first call counts.
pub fn home_is(home: &Path) {
    // A process becomes another user once.
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
    fn no_flag_of_this_program_is_passed_on_whoever_asks() {
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
