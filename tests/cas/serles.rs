//! serles, with a signing backend of the tests' own: its own backend copies no name into a certificate.

use std::fs;

use anyhow::Result;
use harness::{Place, ports};

use crate::behaviours::behaviours;
use crate::ca::{Ca, Issuer};
use crate::proofs::Authority;
use crate::python::gunicorn;

/// The backend that serles' configuration names.
const BACKEND: &str = include_str!("serles_backend.py");

const LIFETIME: u32 = 60;

fn start(place: &Place) -> Result<Ca> {
    let port = ports::free()?;
    let issuer = Issuer::new(place)?;
    let file = place.file("serles.ini");
    let database = place.file("serles.sqlite");
    fs::write(place.file("serles_backend.py"), BACKEND)?;
    fs::write(
        &file,
        format!(
            "[serles]\ndatabase = sqlite:///{}\nbackend = serles_backend:Backend\nsubjectNameTemplate = CN={{SAN[0]}}\n\
             forceTemplateDN = false\nallowWildcards = true\nallowIpIdentifiers = true\n\
             [test]\ncertificate = {}\nkey = {}\nseconds = {LIFETIME}\n",
            database.display(),
            issuer.certificate.display(),
            issuer.key.display(),
        ),
    )?;
    let program = gunicorn(place, "serles-acme", port, "serles:create_app()")?.env("CONFIG", &file);
    let path = "/directory";
    Ca::start(place, (port, path), vec![program], issuer.certificate, move || Ok(fs::remove_file(&database)?))
}

behaviours!(
    Authority::Serles,
    start,
    http_01,
    tls_alpn_01,
    dns_01_with_a_wildcard,
    a_renewal,
    the_ca_restarted,
    its_accounts_lost,
    a_name_whose_dns_comes_late,
    a_restart_of_ours,
);
