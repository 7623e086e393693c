//! django-ca, on SQLite, with its default hash for elliptic-curve keys: SHA-512.

use std::fs;

use anyhow::{Context, Result};
use harness::{Place, ports};

use crate::behaviours::behaviours;
use crate::ca::{Ca, Program};
use crate::proofs::{Authority, Proof, proved};
use crate::python::{gunicorn, python};
use crate::scene::{PATIENCE, play};

/// Django's settings: a new project's, and those that django-ca needs.
const SETTINGS: &str = include_str!("django_ca_settings.py");

const URLS: &str = "from django.urls import include, path\n\
    urlpatterns = [path(\"django_ca/\", include(\"django_ca.urls\"))]\n";

const APPLICATION: &str = "django.core.wsgi:get_wsgi_application()";

/// Prints the root's certificate, among lines of the shell's own.
const ROOT: &str = "from django_ca.models import CertificateAuthority as A; print(A.objects.get().pub.pem)";

/// Renews revocation lists before they expire: `manage.py generate_crls` has no flag for that.
const LIST: &str = "from django_ca.celery.messages import UseCertificateAuthoritiesTaskArgs as Arguments\n\
    from django_ca.tasks import generate_crls\ngenerate_crls(Arguments(force=True))";

/// Removes the accounts, and with them their orders.
const FORGET: &str = "from django_ca.models import AcmeAccount; AcmeAccount.objects.all().delete()";

fn start(place: &Place) -> Result<Ca> {
    Project { place, lists: None, minutes: 4 }.start()
}

/// A Django project.
struct Project<'p> {
    place: &'p Place,
    /// The port of the revocation lists, without TLS. Without it, certificates name a list that nobody serves.
    lists: Option<u16>,
    /// Validity of certificates, cut to whole minutes.
    minutes: u32,
}

impl Project<'_> {
    fn start(&self) -> Result<Ca> {
        let place = self.place;
        let port = ports::free()?;
        fs::create_dir(place.file("django"))?;
        fs::write(place.file("project_settings.py"), SETTINGS)?;
        fs::write(place.file("project_urls.py"), URLS)?;
        self.manage(&["migrate", "--verbosity=0"])?.run()?;
        let key = ["--key-type=EC", "--elliptic-curve=secp256r1"];
        self.manage(&["init_ca", "--acme-enable"])?.args(key).args(["Root", "CN=Root"]).run()?;
        let root = place.file("django-root.pem");
        fs::write(&root, certificate(&self.manage(&["shell", "--command", ROOT])?.run()?)?)?;
        let forget = self.manage(&["shell", "--command", FORGET])?;
        let mut programs = vec![self.configured(gunicorn(place, "django-ca", port, APPLICATION)?)];
        if let Some(lists) = self.lists {
            let bind = format!("--bind=127.0.0.1:{lists}");
            let arguments = ["-m", "gunicorn", "--no-control-socket", &bind, APPLICATION];
            programs.push(self.configured(python(place, "django-ca")?.args(arguments)));
        }
        let path = "/django_ca/acme/directory/";
        Ca::start(place, (port, path), programs, root, move || forget.run().map(drop))
    }

    /// `manage.py` with these arguments.
    fn manage(&self, arguments: &[&str]) -> Result<Program> {
        let program = python(self.place, "django-ca")?.args(["-m", "django"]).args(arguments);
        let log = self.place.file(&format!("manage-{}.log", arguments.first().unwrap_or(&"")));
        Ok(self.configured(program).logged(log))
    }

    fn configured(&self, program: Program) -> Program {
        let host = format!("localhost:{}", self.lists.unwrap_or(80));
        program
            .env("DJANGO_SETTINGS_MODULE", "project_settings")
            .env("PROJECT", self.place.file("django"))
            .env("PROJECT_HOST", host)
            .env("PROJECT_MINUTES", self.minutes.to_string())
    }
}

/// The certificate in a program's output.
fn certificate(text: &str) -> Result<String> {
    let begin = "-----BEGIN CERTIFICATE-----";
    let end = "-----END CERTIFICATE-----";
    let (_, rest) = text.split_once(begin).context("no certificate")?;
    let (body, _) = rest.split_once(end).context("no whole certificate")?;
    Ok(format!("{begin}{body}{end}\n"))
}

behaviours!(
    Authority::DjangoCa,
    start,
    http_01,
    // The server looks for a wildcard's record at `_acme-challenge.*.…`, where nobody puts it.
    dns_01_without_a_wildcard,
    a_renewal,
    the_ca_restarted,
    its_accounts_lost,
    a_name_whose_dns_comes_late,
    a_restart_of_ours,
);

#[test]
fn a_certificate_that_its_list_names_is_replaced() -> Result<()> {
    let lists = ports::free()?;
    let start = |place: &Place| {
        let mut ca = Project { place, lists: Some(lists), minutes: 24 * 60 }.start()?;
        ca.flags.push("--crl-allow-private");
        Ok(ca)
    };
    proved(Authority::DjangoCa, Proof::Revocation, || {
        play("revocation", start, &[("http", &["revoked.example"])], |scene| {
            let first = scene.served("revoked.example")?;
            let place = &scene.place;
            let project = Project { place, lists: Some(lists), minutes: 24 * 60 };
            project.manage(&["revoke_cert", &first.serial])?.run()?;
            project.manage(&["shell", "--command", LIST])?.run()?;
            // The previous list is valid for a day, both for the server, which caches it, and for us.
            scene.ca.stop()?;
            scene.ca.resume()?;
            scene.restart()?;
            scene.renewed("revoked.example", &first, PATIENCE)?;
            scene.line(&["a certificate was revoked; it is replaced"]).map(drop)
        })
    })
}
