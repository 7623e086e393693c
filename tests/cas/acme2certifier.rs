//! acme2certifier with its OpenSSL handler.

use std::fs;
use std::time::Duration;

use anyhow::{Result, ensure};
use harness::{Place, ports};

use crate::behaviours::behaviours;
use crate::ca::{Ca, Issuer};
use crate::proofs::{Authority, Proof, proved};
use crate::python::gunicorn;
use crate::scene::{PATIENCE, play};

/// Two minutes.
const LIFETIME_DAYS: &str = "0.00139";

fn start(place: &Place) -> Result<Ca> {
    with(place, "")
}

/// The server with further sections in its configuration.
fn with(place: &Place, sections: &str) -> Result<Ca> {
    let port = ports::free()?;
    let issuer = Issuer::new(place)?;
    let file = place.file("acme_srv.cfg");
    let database = place.file("acme_srv.db");
    fs::create_dir(place.file("certificates"))?;
    fs::write(
        &file,
        format!(
            "[DEFAULT]\ndebug: False\n\
             [Nonce]\nnonce_check_disable: False\n\
             [CAhandler]\nhandler_module: acme2certifier.cahandlers.openssl_ca_handler\n\
             issuing_ca_key: {key}\nissuing_ca_cert: {certificate}\ncert_save_path: {certificates}\n\
             cert_validity_days: {LIFETIME_DAYS}\nissuing_ca_crl: {crl}\n\
             [DBhandler]\nhandler: wsgi\ndbfile: {database}\n\
             [Certificate]\nrevocation_reason_check_disable: False\n\
             [Challenge]\nchallenge_validation_disable: False\n\
             [Order]\ntnauthlist_support: False\n\
             [Directory]\nsupported_profiles: {{}}\n\
             {sections}",
            key = issuer.key.display(),
            certificate = issuer.certificate.display(),
            certificates = place.file("certificates").display(),
            crl = place.file("crl.pem").display(),
            database = database.display(),
        ),
    )?;
    let application = "acme2certifier.share.acme2certifier_wsgi:application";
    let program = gunicorn(place, "acme2certifier", port, application)?
        .env("ACME_SRV_CONFIGFILE", &file)
        .env("ACME2CERTIFIER_BASE_DIR", place.path());
    Ca::start(place, (port, "/directory"), vec![program], issuer.certificate, move || Ok(fs::remove_file(&database)?))
}

behaviours!(
    Authority::Acme2certifier,
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

/// The MAC key of an external account, in base64url: this server wants 256 bits at least.
const MAC_KEY: &str = "dGhpcyBpcyBhIGtleSBvZiBhIHRlc3QgYW5kIGxvbmcgZW5vdWdoIGZvciBpdA";

#[test]
fn an_account_is_bound_to_an_external_one() -> Result<()> {
    let start = |place: &Place| {
        let keys = place.file("external-accounts.json");
        fs::write(&keys, format!("{{ \"kid-1\": \"{MAC_KEY}\" }}"))?;
        let handler = "acme2certifier.eabhandlers.json_handler";
        let mut ca =
            with(place, &format!("[EABhandler]\neab_handler_module: {handler}\nkey_file: {}\n", keys.display()))?;
        ca.options.push(("eab", format!("{{ kid: kid-1, hmacEncoded: {MAC_KEY} }}")));
        Ok(ca)
    };
    proved(Authority::Acme2certifier, Proof::ExternalAccount, || {
        play("external-account", start, &[("http", &["bound.example"])], |scene| {
            let directory = scene.ca.read_directory()?;
            ensure!(directory["meta"]["externalAccountRequired"] == true, "it takes anybody: {directory}");
            scene.served("bound.example").map(drop)
        })
    })
}

/// The CA's window begins at this share of a certificate's life, later than we would renew by ourselves.
#[test]
fn the_window_of_its_renewal_information_is_kept() -> Result<()> {
    let start = |place: &Place| with(place, "[Renewalinfo]\nrenewalthreshold_pctg: 80\n");
    proved(Authority::Acme2certifier, Proof::RenewalInfo, || {
        play("renewal-information", start, &[("http", &["suggested.example"])], |scene| {
            let first = scene.served("suggested.example")?;
            scene.line(&["suggested.example: renewal at", "within the CA's window from"])?;
            let life = first.not_after - first.not_before;
            let next = scene.renewed("suggested.example", &first, Duration::try_from(life)? + PATIENCE)?;
            let age = next.not_before - first.not_before;
            ensure!(age >= life * 7 / 10, "renewed after {age} of {life}, before the window");
            ensure!(age < life, "there was a gap");
            Ok(())
        })
    })
}
