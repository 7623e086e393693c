//! Ten of the corpus end to end: the output of `render --into` is served with a certificate that a client verifies.
//!
//! In each half one CA serves all; each run has an Envoy, a sidecar and a storage of its own.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result};
use harness::tls::{Roots, handshake};
use harness::{
    Authority, Bootstrap, Challtestsrv, Envoy, EnvoyOptions, Pebble, PebbleOptions, Place, Sidecar, SidecarOptions,
    artifacts, until,
};
use serde_json::{Value, json};

use super::rooted::Rooted;
use super::{directory, pairs, said};
use crate::PATIENCE;

/// A bootstrap, the flags of `render`, and the names to verify.
type Shape = (&'static str, &'static [&'static str], &'static [&'static str]);

const REPLACE: &str = "--replace-certificates";

/// Redirects, SNI, client certificates, a new listener, two listeners for each port.
const HTTP_01: [Shape; 5] = [
    ("07-chains-by-server-names.yaml", &[REPLACE], &["alpha.example.com", "www.beta.example.com"]),
    ("10-port-80-only.yaml", &["--add-https"], &["blog.example.com", "www.shop.example.com"]),
    ("14-dual-stack.yaml", &[REPLACE], &["dual.example.org"]),
    ("28-mtls.yaml", &[REPLACE], &["mtls.example.org"]),
    ("43-aliases-last.yaml", &[REPLACE], &["alias.example.org"]),
];

/// Other layouts, and further protocols.
const OTHERS: [Shape; 4] = [
    ("16-http3-beside-http2.yaml", &[REPLACE], &["h3.example.org"]),
    ("46-camel-case-in-one-line.json", &[REPLACE], &["camel.example.org"]),
    ("47-one-message-for-a-list.yaml", &[REPLACE], &["single.example.org"]),
    ("13-https-only.yaml", &[REPLACE, "--certificatesresolvers.le.acme.tlschallenge=true"], &["only.example.org"]),
];

/// The bootstrap of a user of certbot, with its names.
const OF_CERTBOT: (&str, &[&str]) = ("01-front-proxy-certbot.yaml", &["shop.example.org", "www.shop.example.org"]);

#[test]
fn bootstraps_get_their_certificates_by_http_01() -> Result<()> {
    let scene = Scene::new()?;
    HTTP_01.iter().try_for_each(|shape| scene.served(shape))
}

#[test]
fn bootstraps_of_other_layouts_get_theirs_and_imported_ones_are_served_at_once() -> Result<()> {
    let scene = Scene::new()?;
    scene.imported()?;
    OTHERS.iter().try_for_each(|shape| scene.served(shape))
}

/// A CA, and the ports where it validates.
struct Scene {
    place: Place,
    pebble: Pebble,
    _dns: Challtestsrv,
}

impl Scene {
    fn new() -> Result<Self> {
        let place = Place::new("corpus-served")?;
        let dns = Challtestsrv::start(&place)?;
        let pebble = Pebble::start(&place, &dns, &PebbleOptions::default())?;
        Ok(Self { place, pebble, _dns: dns })
    }

    /// A place for one run, with the ports where the CA validates.
    fn own(&self) -> Result<Place> {
        let mut own = Place::new("corpus-run")?;
        (own.web, own.websecure) = (self.place.web, self.place.websecure);
        Ok(own)
    }

    fn served(&self, (file, flags, names): &Shape) -> Result<()> {
        let own = self.own()?;
        self.verified(&own, file, flags, names, &self.pebble.roots()?).context(*file)
    }

    /// The certificates that certbot made, imported as `render --into` says.
    fn imported(&self) -> Result<()> {
        let own = self.own()?;
        let (file, names) = OF_CERTBOT;
        let of_certbot = Authority::of(own.path(), "certbot", names)?;
        let live = own.file("letsencrypt/live/shop.example.org");
        fs::create_dir_all(&live)?;
        for (name, path) in [
            ("cert.pem", &of_certbot.certificate),
            ("chain.pem", &of_certbot.root),
            ("fullchain.pem", &of_certbot.certificate),
            ("privkey.pem", &of_certbot.key),
        ] {
            fs::copy(path, live.join(name))?;
        }
        let mut command = Command::new(artifacts::sidecar()?);
        command.args(["import", "--resolver", "default", "--storage"]).arg(own.file("acme.json"));
        command.arg(own.file("letsencrypt"));
        said(&command.output()?).map_err(anyhow::Error::msg)?;
        let roots = Roots::from_pem(&fs::read_to_string(&of_certbot.root)?)?;
        self.verified(&own, file, &[REPLACE], names, &roots).context(file)
    }

    fn verified(&self, own: &Place, file: &str, flags: &[&str], names: &[&str], roots: &Roots) -> Result<()> {
        let mut bootstrap = self.rendered(own, file, flags)?;
        let _sidecar = Sidecar::start(own, SidecarOptions::default())?;
        let mut envoy = Envoy::start(own, &mut bootstrap, EnvoyOptions::default())?;
        names.iter().try_for_each(|name| {
            until(&format!("a certificate for {name}"), PATIENCE, || {
                envoy.check()?;
                handshake(own.websecure_address(), name, roots).map(drop)
            })
        })
    }

    fn rendered(&self, own: &Place, file: &str, flags: &[&str]) -> Result<Bootstrap> {
        let resolver = if flags.iter().any(|flag| flag.contains("resolvers.le.")) { "le" } else { "default" };
        let output = own.file("rendered.yaml");
        let mut command = Command::new(artifacts::sidecar()?);
        command.args(["render", "--email", "ops@example.com", "--key-type", "EC256", "--into"]);
        command.arg(directory().join(file)).arg("--output").arg(&output).arg("--plugin").arg(artifacts::wasm()?);
        command.args(flags).arg(format!("--ca-server={}", self.pebble.directory()));
        let root = self.place.authority.root.display();
        command.arg(format!("--certificatesresolvers.{resolver}.acme.cacertificates={root}"));
        command.arg("--api-socket").arg(own.file("run/api.sock"));
        command.arg("--sds-socket").arg(own.file("run/sds.sock"));
        said(&command.output()?).map_err(anyhow::Error::msg)?;
        let pairs = pairs(own)?;
        let rooted = Rooted::new(own.path(), &directory().join(file), &pairs)?;
        let mut value: Value = serde_saphyr::from_str(&rooted.text(&fs::read_to_string(&output)?)?)?;
        value["admin"] = json!({ "address": { "socket_address": { "address": "127.0.0.1", "port_value": 0 } } });
        for resources in ["static_resources", "staticResources"] {
            if let Some(listeners) = value.get_mut(resources).and_then(|resources| resources.get_mut("listeners")) {
                listen_here(listeners, own);
            }
        }
        Ok(Bootstrap::of(value))
    }
}

/// Moves listeners to the loopback, on the ports of the place.
fn listen_here(value: &mut Value, own: &Place) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| listen_here(item, own)),
        Value::Object(members) => {
            for (key, member) in members {
                match (key.as_str(), member.as_u64(), member.as_str()) {
                    ("port_value" | "portValue", Some(80), _) => *member = json!(own.web),
                    ("port_value" | "portValue", Some(443), _) => *member = json!(own.websecure),
                    ("port_value" | "portValue", Some(_), _) => *member = json!(0),
                    ("address", _, Some("0.0.0.0")) => *member = json!("127.0.0.1"),
                    ("address", _, Some("::")) => *member = json!("::1"),
                    _ => listen_here(member, own),
                }
            }
        }
        _ => {}
    }
}
