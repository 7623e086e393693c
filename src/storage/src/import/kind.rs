//! The kinds of files that can be imported.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use serde::Serialize;

use super::{acme_sh, caddy, certbot, dehydrated, lego, mod_md, nginx_acme};

/// A tool whose files can be imported, or a format that belongs to no tool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// acme.sh's directory, ~/.acme.sh.
    #[serde(rename = "acme.sh")]
    AcmeSh,
    /// Caddy's data directory.
    Caddy,
    /// certbot's configuration directory, /etc/letsencrypt.
    Certbot,
    /// dehydrated's directory, /var/lib/dehydrated.
    Dehydrated,
    /// Secrets of Kubernetes, in YAML or JSON.
    Kubernetes,
    /// lego's .lego.
    Lego,
    /// Apache's mod_md: its MDStoreDir, md.
    #[serde(rename = "mod_md")]
    ModMd,
    /// nginx's own ACME module: an issuer's state_path.
    #[serde(rename = "nginx-acme")]
    NginxAcme,
    /// Chains and keys in PEM: a bundle of both, a chain with --key, or a directory of such.
    Pem,
    /// Traefik's acme.json, of version 1, 2 or 3.
    Traefik,
}

/// The kinds that are directories with a layout of their own, in the order in which they are tried.
pub(super) const DIRECTORIES: [Kind; 7] =
    [Kind::ModMd, Kind::AcmeSh, Kind::Certbot, Kind::Dehydrated, Kind::Caddy, Kind::Lego, Kind::NginxAcme];

impl Kind {
    /// All kinds, by their names.
    pub const ALL: [Self; 10] = [
        Self::AcmeSh,
        Self::Caddy,
        Self::Certbot,
        Self::Dehydrated,
        Self::Kubernetes,
        Self::Lego,
        Self::ModMd,
        Self::NginxAcme,
        Self::Pem,
        Self::Traefik,
    ];

    /// The kind's name for users and in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::AcmeSh => "acme.sh",
            Self::Caddy => "caddy",
            Self::Certbot => "certbot",
            Self::Dehydrated => "dehydrated",
            Self::Kubernetes => "kubernetes",
            Self::Lego => "lego",
            Self::ModMd => "mod_md",
            Self::NginxAcme => "nginx-acme",
            Self::Pem => "pem",
            Self::Traefik => "traefik",
        }
    }

    /// A description of the files of this kind, for a user who chooses one.
    pub fn described(self) -> &'static str {
        match self {
            Self::AcmeSh => "acme.sh's directory, ~/.acme.sh",
            Self::Caddy => "Caddy's data directory",
            Self::Certbot => "certbot's configuration directory, /etc/letsencrypt",
            Self::Dehydrated => "dehydrated's directory, /var/lib/dehydrated",
            Self::Kubernetes => "Secrets of Kubernetes, in YAML or JSON",
            Self::Lego => "lego's .lego",
            Self::ModMd => "Apache's mod_md: its MDStoreDir, md",
            Self::NginxAcme => "nginx's own ACME module: an issuer's state_path",
            Self::Pem => "Chains and keys in PEM: a bundle of both, a chain with --key, or a directory of such",
            Self::Traefik => "Traefik's acme.json, of version 1, 2 or 3",
        }
    }

    /// True if a directory's content is of this kind.
    pub(super) fn lies_in(self, directory: &Path) -> bool {
        match self {
            Self::AcmeSh => acme_sh::lies_in(directory),
            Self::Caddy => caddy::lies_in(directory),
            Self::Certbot => certbot::lies_in(directory),
            Self::Dehydrated => dehydrated::lies_in(directory),
            Self::Lego => lego::lies_in(directory),
            Self::ModMd => mod_md::lies_in(directory),
            Self::NginxAcme => nginx_acme::lies_in(directory),
            Self::Kubernetes | Self::Pem | Self::Traefik => false,
        }
    }

    /// The path at which certificates are searched, for messages.
    pub(super) fn looked_for(self) -> &'static str {
        match self {
            Self::AcmeSh => "NAME/fullchain.cer and NAME_ecc/fullchain.cer, each with NAME.key",
            Self::Caddy => "certificates/ISSUER/SITE/SITE.crt and acme/ISSUER/sites/SITE/SITE.crt, each with SITE.key",
            Self::Certbot => {
                "live/NAME/fullchain.pem with privkey.pem, and archive/NAME/fullchainN.pem where live/ has no NAME"
            }
            Self::Dehydrated => "certs/NAME/fullchain.pem with privkey.pem",
            Self::Kubernetes => "Secrets with tls.crt and tls.key",
            Self::Lego => "certificates/NAME.crt with NAME.key",
            Self::ModMd => "domains/NAME/pubcert.pem with privkey.pem, and pubcert.CURVE.pem with privkey.CURVE.pem",
            Self::NginxAcme => "NAME-HASH.crt with NAME-HASH.key",
            Self::Pem => "certificates in PEM whose private keys lie there too",
            Self::Traefik => "members of each resolver's Certificates",
        }
    }
}

impl FromStr for Kind {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        let known = || Self::ALL.map(Self::word).join(", ");
        Self::ALL.into_iter().find(|kind| kind.word() == word).ok_or_else(|| format!("expected one of {}", known()))
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AcmeSh => "acme.sh",
            Self::Caddy => "Caddy",
            Self::Certbot => "certbot",
            Self::Dehydrated => "dehydrated",
            Self::Kubernetes => "Kubernetes",
            Self::Lego => "lego",
            Self::ModMd => "mod_md",
            Self::NginxAcme => "nginx-acme",
            Self::Pem => "PEM",
            Self::Traefik => "Traefik",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_named_as_it_stands_in_json() {
        for kind in Kind::ALL {
            assert_eq!(serde_json::to_value(kind).ok().as_ref().and_then(serde_json::Value::as_str), Some(kind.word()));
            assert_eq!(kind.word().parse(), Ok(kind));
        }
    }
}
