//! A tool's directory.

use super::found::Found;
use super::kind::Kind;
use super::tree::ReadError;
use super::{acme_sh, caddy, certbot, dehydrated, lego, mod_md, nginx_acme, pem};
use std::fs;
use std::path::Path;

pub(super) fn directory(kind: Kind, path: &Path) -> Result<Found, ReadError> {
    match kind {
        Kind::AcmeSh => acme_sh::read(path),
        Kind::Caddy => caddy::read(path),
        Kind::Certbot => certbot::read(path),
        Kind::Dehydrated => dehydrated::read(path),
        Kind::Lego => lego::read(path),
        Kind::ModMd => mod_md::read(path),
        Kind::NginxAcme => nginx_acme::read(path),
        Kind::Kubernetes | Kind::Pem | Kind::Traefik => pem::directory::read(path),
    }
}

pub(super) fn is_same(one: &Path, other: &Path) -> bool {
    fs::canonicalize(one).ok().zip(fs::canonicalize(other).ok()).is_some_and(|(one, other)| one == other)
}
