//! A CA, with `envoy-autocert run` as its client, in a network of their own, so that the ports 80, 443 and 53 are free.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use harness::dns::HttpReq;
use harness::tls::{Served, handshake};
use harness::{Backend, Challtestsrv, Place, Process, artifacts, network, until};

use crate::ca::Ca;

/// Time limit for work that takes seconds on an idle machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// The port of name servers.
pub(crate) const DNS: u16 = 53;

/// Number of lines of each log shown after a failure.
const SHOWN_LINES: usize = 40;
const SHOWN_CHARACTERS: usize = 500;

/// The resolvers, one for each challenge type, with their options.
const RESOLVERS: [(&str, &str); 4] = [
    ("http", "httpChallenge: { entryPoint: web }"),
    ("tls", "tlsChallenge: {}"),
    ("dns", "dnsChallenge: { provider: httpreq, resolvers: [\"127.0.0.1\"], propagation: { disableChecks: true } }"),
    ("persist", "dnsPersistChallenge: { resolvers: [\"127.0.0.1\"] }"),
];

/// A certificate that a router wants: its resolver, and its names.
pub(crate) type Wanted<'a> = (&'a str, &'a [&'a str]);

/// The whole scene. The fields are in the order in which they are dropped.
pub(crate) struct Scene {
    run: Process,
    pub(crate) ca: Ca,
    pub(crate) dns: Challtestsrv,
    backend: Backend,
    bridge: HttpReq,
    pub(crate) place: Place,
}

/// Runs a scene with this CA and these wanted certificates. After a failure the logs are kept and their end is shown.
pub(crate) fn play(
    name: &str,
    start: impl FnOnce(&Place) -> Result<Ca> + Send,
    wanted: &[Wanted<'_>],
    act: impl FnOnce(&mut Scene) -> Result<()> + Send,
) -> Result<()> {
    play_beside_dns(name, || Ok(DNS), start, wanted, act)
}

/// The same with the name server at this port: 53 is the scene's own.
pub(crate) fn play_beside_dns(
    name: &str,
    dns: impl FnOnce() -> Result<u16> + Send,
    start: impl FnOnce(&Place) -> Result<Ca> + Send,
    wanted: &[Wanted<'_>],
    act: impl FnOnce(&mut Scene) -> Result<()> + Send,
) -> Result<()> {
    network::within(|| {
        let mut place = Place::new(name)?;
        (place.web, place.websecure) = (80, 443);
        let dns = Challtestsrv::at(&place, dns()?)?;
        let bridge = HttpReq::start(&dns)?;
        let backend = Backend::start(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
        let ca = start(&place)?;
        fs::write(place.file("traefik.yml"), configuration(&place, &ca))?;
        fs::write(place.file("dynamic.yml"), routers(&backend, wanted))?;
        let run = client(&place, &bridge, &ca)?;
        let mut scene = Scene { run, ca, dns, backend, bridge, place };
        let done = act(&mut scene);
        if done.is_err() {
            scene.show();
        }
        done
    })
}

impl Scene {
    /// Waits until a certificate of the CA's is served for a name.
    pub(crate) fn served(&mut self, name: &str) -> Result<Served> {
        self.served_within(name, PATIENCE)
    }

    /// The same within this time.
    pub(crate) fn served_within(&mut self, name: &str, limit: Duration) -> Result<Served> {
        self.until_served(name, limit, |_| Ok(()))
    }

    /// Waits until another certificate is served for a name.
    pub(crate) fn renewed(&mut self, name: &str, before: &Served, limit: Duration) -> Result<Served> {
        self.until_served(name, limit, |served| {
            ensure!(served.serial != before.serial, "still {}", before.serial);
            Ok(())
        })
    }

    fn until_served(&mut self, name: &str, limit: Duration, judge: impl Fn(&Served) -> Result<()>) -> Result<Served> {
        let address = self.place.websecure_address();
        until(&format!("a certificate for {name}"), limit, || {
            self.run.check()?;
            // The root may have changed with a restart of the CA.
            let served = handshake(address, name, &self.ca.roots()?)?;
            judge(&served)?;
            Ok(served)
        })
    }

    /// Changes the wanted certificates at run time.
    pub(crate) fn want(&self, wanted: &[Wanted<'_>]) -> Result<()> {
        Ok(fs::write(self.place.file("dynamic.yml"), routers(&self.backend, wanted))?)
    }

    /// Waits for a line of our log with all these parts.
    pub(crate) fn line(&mut self, parts: &[&str]) -> Result<String> {
        self.line_of(&[parts])
    }

    /// Waits for a line of our log with all parts of one of these.
    pub(crate) fn line_of(&mut self, any: &[&[&str]]) -> Result<String> {
        until(&format!("a line that says {any:?}"), PATIENCE, || {
            self.run.check()?;
            let log = self.run.log();
            let says = |line: &&str| any.iter().any(|parts| parts.iter().all(|part| line.contains(part)));
            Ok(log.lines().rfind(says).context("not yet")?.to_owned())
        })
    }

    /// The log so far.
    pub(crate) fn log(&self) -> String {
        self.run.log()
    }

    /// Kills our client, and starts it again with its storage.
    pub(crate) fn restart(&mut self) -> Result<()> {
        self.run.kill();
        self.run = client(&self.place, &self.bridge, &self.ca)?;
        Ok(())
    }

    fn show(&mut self) {
        self.place.keep();
        let our = self.place.file("run.log");
        for log in self.ca.logs().chain([our.as_path()]) {
            let text = String::from_utf8_lossy(&fs::read(log).unwrap_or_default()).into_owned();
            // Envoy logs each of its extensions.
            let lines: Vec<String> = text
                .lines()
                .filter(|line| !line.contains("[info][main]") && !line.contains("[info][config]"))
                .map(|line| line.chars().take(SHOWN_CHARACTERS).collect())
                .collect();
            let shown = lines.get(lines.len().saturating_sub(SHOWN_LINES)..).unwrap_or_default();
            eprintln!("--- the end of {}:\n{}", log.display(), shown.join("\n"));
        }
    }
}

/// The configuration, with a resolver for each challenge type.
fn configuration(place: &Place, ca: &Ca) -> String {
    let options: String = ca.options.iter().map(|(name, value)| format!("      {name}: {value}\n")).collect();
    let resolver = |(name, challenge): &(&str, &str)| {
        format!(
            "  {name}:\n    acme:\n      email: ops@example.com\n      keyType: EC256\n      caServer: {}\n      \
             caCertificates: [{:?}]\n      storage: {:?}\n      {challenge}\n{options}",
            ca.directory(),
            place.authority.root,
            place.file("acme.json"),
        )
    };
    let resolvers: String = RESOLVERS.iter().map(resolver).collect();
    format!(
        "entryPoints:\n  web: {{ address: \"{}\" }}\n  websecure: {{ address: \"{}\" }}\n\
         providers: {{ file: {{ filename: {:?} }} }}\ncertificatesResolvers:\n{resolvers}",
        place.web_address(),
        place.websecure_address(),
        place.file("dynamic.yml"),
    )
}

/// A router for each certificate.
fn routers(backend: &Backend, wanted: &[Wanted<'_>]) -> String {
    let router = |(number, (resolver, names)): (usize, &Wanted<'_>)| {
        let main = names.first().copied().unwrap_or_default();
        let host = main.trim_start_matches("*.");
        let sans = names.get(1..).unwrap_or_default();
        format!(
            "    router-{number}:\n      rule: Host(`{host}`)\n      service: site\n      \
             tls: {{ certResolver: {resolver}, domains: [{{ main: {main:?}, sans: {sans:?} }}] }}\n"
        )
    };
    let routers: String = wanted.iter().enumerate().map(router).collect();
    let server = format!("http://{}", backend.address());
    format!(
        "http:\n  routers:\n{routers}  services:\n    site: {{ loadBalancer: {{ servers: [{{ url: {server:?} }}] }} }}\n"
    )
}

fn client(place: &Place, bridge: &HttpReq, ca: &Ca) -> Result<Process> {
    let envoy = artifacts::envoy()?;
    let plugin = artifacts::wasm()?;
    Process::start(&artifacts::sidecar()?, &place.file("run.log"), |command| {
        command.arg("run").arg("--config").arg(place.file("traefik.yml"));
        command.arg("--runtime-dir").arg(place.file("run")).arg("--envoy").arg(envoy).arg("--plugin").arg(plugin);
        command.args(&ca.flags).envs(bridge.environment());
    })
}
