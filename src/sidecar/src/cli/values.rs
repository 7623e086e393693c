//! Values of flags that have a form of their own.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::ValueEnum;

use crate::provided::Files;
use pki::Name;

/// The path of a storage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoragePath(pub PathBuf);

impl FromStr for StoragePath {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let is_other = text.contains("://") || text.starts_with("dir:");
        if text.is_empty() || is_other {
            return Err("expected the path of a file".into());
        }
        Ok(Self(text.into()))
    }
}

/// An address on this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoopbackAddress(pub SocketAddr);

impl FromStr for LoopbackAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.parse::<SocketAddr>() {
            Ok(address) if address.ip().is_loopback() => Ok(Self(address)),
            Ok(_) => Err("account keys pass here unencrypted, so only loopback addresses are taken".into()),
            Err(_) => Err("expected an address with a port, as in 127.0.0.1:9971".into()),
        }
    }
}

/// Parses a host's DNS name.
pub(super) fn host(text: &str) -> Result<Name, String> {
    let is_host = |name: &Name| !name.is_wildcard() && name.as_str().parse::<IpAddr>().is_err();
    let expected =
        || "expected a DNS name without a port, as in sidecar.monitoring.svc; addresses are taken anyway".to_owned();
    Name::parse(text).filter(is_host).ok_or_else(expected)
}

/// A group of users.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GroupId(pub u32);

impl FromStr for GroupId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(number) = text.parse() {
            return Ok(Self(number));
        }
        match nix::unistd::Group::from_name(text) {
            Ok(Some(group)) => Ok(Self(group.gid.as_raw())),
            Ok(None) => Err("there is no such group".into()),
            Err(error) => Err(format!("groups can't be looked up: {error}")),
        }
    }
}

/// A certificate of the user's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PairChoice(pub Files);

impl FromStr for PairChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once(',') {
            Some((certificate, key)) if !certificate.is_empty() && !key.is_empty() => {
                Ok(Self(Files { certificate: certificate.into(), key: key.into() }))
            }
            _ => Err("expected CERTIFICATE,KEY".into()),
        }
    }
}

/// On or off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Switch {
    /// Off.
    Off,
    /// On.
    On,
}

/// The certificate for names that no other covers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DefaultChoice {
    /// The user's files; both are the same if one file holds both.
    Files {
        /// The chain.
        certificate: PathBuf,
        /// The key.
        key: PathBuf,
    },
    /// No certificate.
    None,
    /// A self-signed certificate.
    SelfSigned,
}

impl DefaultChoice {
    /// The files of the pair, if it is the user's.
    pub(super) fn files(&self) -> Option<Files> {
        match self {
            Self::Files { certificate, key } => Some(Files { certificate: certificate.clone(), key: key.clone() }),
            Self::None | Self::SelfSigned => None,
        }
    }
}

impl FromStr for DefaultChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let files = |certificate: &str, key: &str| {
            if certificate.is_empty() || key.is_empty() {
                return Err("expected self-signed, none, CERTIFICATE,KEY or one file with both".to_owned());
            }
            Ok(Self::Files { certificate: certificate.into(), key: key.into() })
        };
        match text {
            "self-signed" => Ok(Self::SelfSigned),
            "none" => Ok(Self::None),
            files_text => match files_text.split_once(',') {
                Some((certificate, key)) => files(certificate, key),
                None => files(files_text, files_text),
            },
        }
    }
}

/// Parses a user's number or name.
pub(super) fn uid(text: &str) -> Result<u32, String> {
    if let Ok(number) = text.parse() {
        return Ok(number);
    }
    match nix::unistd::User::from_name(text) {
        Ok(Some(user)) => Ok(user.uid.as_raw()),
        Ok(None) => Err("there is no such user; `useradd --system NAME` makes one".into()),
        Err(error) => Err(format!("users can't be looked up: {error}")),
    }
}

/// Parses a whole number of seconds from 1 to an hour.
pub(super) fn seconds(text: &str) -> Result<Duration, String> {
    match text.parse::<u64>() {
        Ok(seconds @ 1..=3600) => Ok(Duration::from_secs(seconds)),
        Ok(_) | Err(_) => Err("expected a whole number from 1 to 3600".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_storage_that_is_not_built_in_is_refused() {
        let parsed = |text: &str| text.parse::<StoragePath>();
        assert!(parsed("etcd://localhost").is_err());
        assert!(parsed("dir:/var/lib/x").is_err());
        assert_eq!(parsed("/x/acme.json"), Ok(StoragePath("/x/acme.json".into())));
    }

    #[test]
    fn a_user_is_a_number_or_a_name() {
        assert_eq!((uid("77"), uid("root")), (Ok(77), Ok(0)));
        assert_eq!(uid("no such user"), Err("there is no such user; `useradd --system NAME` makes one".to_owned()));
    }

    #[test]
    fn a_certificate_has_a_key() {
        let parsed = |text: &str| text.parse::<PairChoice>();
        assert_eq!(parsed("a,b"), Ok(PairChoice(Files { certificate: "a".into(), key: "b".into() })));
        assert!(parsed("a").is_err() && parsed("a,").is_err() && parsed(",b").is_err());
    }

    #[test]
    fn the_default_certificate_is_one_file_or_two() {
        let parsed = |text: &str| text.parse::<DefaultChoice>();
        let files =
            |certificate: &str, key: &str| DefaultChoice::Files { certificate: certificate.into(), key: key.into() };
        assert_eq!(parsed("self-signed"), Ok(DefaultChoice::SelfSigned));
        assert_eq!(parsed("none"), Ok(DefaultChoice::None));
        assert_eq!(parsed("/a.pem"), Ok(files("/a.pem", "/a.pem")));
        assert_eq!(parsed("/a.crt,/a.key"), Ok(files("/a.crt", "/a.key")));
        assert!(parsed("/a.crt,").is_err());
        assert!(parsed("").is_err());
    }
}
