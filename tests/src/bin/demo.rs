//! `make demo`: a real Envoy gets two certificates from a test CA and serves them, with the shipped configuration.
//!
//! Everything runs as the user who started it, on the loopback, in a temporary directory. Ends with 0 when each
//! certificate was verified by a TLS handshake, else with 1 and a sentence; nothing is left running either way.
//! `KEEP=1` waits for Ctrl-C before it stops. `WEB_PORT` and `WEBSECURE_PORT` choose Envoy's ports.

use std::env;
use std::fs;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use harness::http::Endpoint;
use harness::tls::{Roots, Served, handshake};
use harness::{
    Bootstrap, Challtestsrv, Envoy, EnvoyOptions, Pebble, PebbleOptions, Place, Sidecar, SidecarOptions, Testbed,
    interrupt_on_signals, interrupted, ports, until,
};
use time::macros::format_description;

/// The certificates of `envoy/envoy.yaml`, each by the names in it.
const CERTIFICATES: [&[&str]; 2] = [&["demo.example", "www.demo.example"], &["shop.example"]];

/// Time limit of both certificates. Both take a second or two on an idle machine.
const PATIENCE: Duration = Duration::from_secs(60);

fn main() -> ExitCode {
    match demo() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\nThe demo has failed: {error:#}\nEverything it started is stopped.");
            ExitCode::FAILURE
        }
    }
}

fn demo() -> Result<()> {
    interrupt_on_signals()?;
    let place = place()?;
    println!("\nAutomatic HTTPS for Envoy. A CA, a DNS server, the sidecar and Envoy, all on this machine:\n");
    let story = Story { start: Instant::now() };
    let mut testbed = start(&story, place)?;

    println!("\nEnvoy's plugin asks the CA, answers its challenges on port {}, and the sidecar serves what it", {
        testbed.place.web
    });
    println!("gets by SDS. Each certificate is verified against the CA's root and for its name:\n");
    let roots = testbed.pebble.roots()?;
    for names in CERTIFICATES {
        let served = issued(&mut testbed, &roots, names)?;
        story.tell("issued", &names.join(", "));
        describe(&served);
    }
    let hello = https(&testbed, &roots, "demo.example").get("/").context("https://demo.example/")?;
    ensure!(hello.status == 200, "https://demo.example/ answers {}", hello.status);
    story.tell("https", &format!("https://demo.example/ answers: {}", hello.text().trim()));
    let orders = testbed.orders();
    let accounts = testbed.accounts();
    println!("\nIt works: {} certificates, by {orders} orders of {accounts} account.", CERTIFICATES.len());

    if env::var("KEEP").is_ok_and(|keep| !matches!(keep.as_str(), "" | "0")) {
        keep(&testbed)?;
    } else {
        println!(
            "\nWhere to look next:\n  KEEP=1 make demo     leaves it all running, to look around\n  envoy/envoy.yaml     \
             the configuration that has just run; only ports, paths and the CA were other ones\n  README.md            \
             the same with Let's Encrypt"
        );
    }
    Ok(())
}

/// The ports the user has chosen, or free ones.
fn place() -> Result<Place> {
    let mut place = Place::new("demo")?;
    for (variable, port) in [("WEB_PORT", &mut place.web), ("WEBSECURE_PORT", &mut place.websecure)] {
        let Ok(chosen) = env::var(variable) else { continue };
        *port =
            chosen.parse().with_context(|| format!("{variable}={chosen} is no port: it must be from 1 to 65535"))?;
        ensure!(ports::is_free(*port), "port {port} is in use: free it, or choose another one with {variable}=");
    }
    Ok(place)
}

fn start(story: &Story, place: Place) -> Result<Testbed> {
    let dns = Challtestsrv::start(&place)?;
    story.tell("DNS", "pebble-challtestsrv: every name is at 127.0.0.1");
    let pebble = Pebble::start(&place, &dns, &PebbleOptions::default())?;
    story.tell("CA", &format!("Pebble at {}", pebble.directory()));
    let sidecar = Sidecar::start(&place, SidecarOptions::default())?;
    story.tell("sidecar", &format!("keeps keys and certificates in {}", sidecar.storage().display()));
    let mut bootstrap = Bootstrap::placed(&place, &pebble)?;
    let envoy = Envoy::start(&place, &mut bootstrap, EnvoyOptions::default())?;
    story.tell("Envoy", &format!("listens at 127.0.0.1:{} (http) and :{} (https)", place.web, place.websecure));
    Ok(Testbed { envoy, sidecar, pebble, dns, place })
}

/// Waits for a certificate, and verifies it for each of its names.
fn issued(testbed: &mut Testbed, roots: &Roots, names: &[&str]) -> Result<Served> {
    let address = testbed.place.websecure_address();
    let mut all = Vec::new();
    for name in names {
        let served = until(&format!("a certificate for {name}"), PATIENCE, || {
            testbed.envoy.check()?;
            handshake(address, name, roots)
        });
        all.push(served.map_err(|error| error.context(log_lines(testbed)))?);
    }
    let Some(first) = all.first().cloned() else { bail!("a certificate without a name") };
    ensure!(all.iter().all(|served| *served == first), "{}: several certificates instead of one", names.join(", "));
    Ok(first)
}

/// The plugin's log lines, for someone who must find out why it failed.
fn log_lines(testbed: &Testbed) -> String {
    let log = testbed.envoy.log();
    let lines: Vec<&str> = log.lines().filter(|line| line.contains("wasm log")).collect();
    format!("the plugin's last log lines:\n{}\n", lines[lines.len().saturating_sub(10)..].join("\n"))
}

fn describe(served: &Served) {
    let date = format_description!("[year]-[month]-[day] [hour]:[minute] UTC");
    // The last second belongs to the certificate's validity.
    let days = (served.not_after - served.not_before + Duration::from_secs(1)).whole_days();
    let subject = if served.subject.is_empty() { "(empty; the names are what counts)" } else { &served.subject };
    let until = served.not_after.format(date).unwrap_or_default();
    for (what, value) in [
        ("subject", subject),
        ("names", &served.names.join(", ")),
        ("issuer", &served.issuer),
        ("valid until", &format!("{until} ({days} days)")),
        ("key", &served.key_type),
    ] {
        println!("                      {what:<12} {value}");
    }
}

/// Prints how to look around, and waits to be stopped.
fn keep(testbed: &Testbed) -> Result<()> {
    let root = testbed.place.file("root.pem");
    fs::write(&root, testbed.pebble.root()?)?;
    let port = testbed.place.websecure;
    let Endpoint::Tcp(admin) = testbed.envoy.admin()? else { bail!("Envoy's administration interface is not on TCP") };
    println!(
        "\nIt is all still running. To look around:
  curl --cacert {root} --connect-to ::127.0.0.1:{port} https://demo.example/
  curl http://{admin}/certs                  what Envoy serves
  curl -s http://{admin}/stats | grep envoy_autocert
  curl {status}                the sidecar's metrics
  ls {directory}             the configuration, the logs, acme.json

To stop it: Ctrl-C, or kill {pid}",
        root = root.display(),
        status = testbed.sidecar.status_url("/metrics"),
        directory = testbed.place.path().display(),
        pid = std::process::id(),
    );
    while !interrupted() {
        std::thread::sleep(Duration::from_millis(100));
    }
    println!("\nStopped.");
    Ok(())
}

fn https(testbed: &Testbed, roots: &Roots, name: &str) -> Endpoint {
    Endpoint::Tls { address: testbed.place.websecure_address(), name: name.to_owned(), roots: roots.clone() }
}

/// Prints each step with the time since the start.
struct Story {
    start: Instant,
}

impl Story {
    fn tell(&self, who: &str, what: &str) {
        println!("  {:6.2} s  {who:<8}  {what}", self.start.elapsed().as_secs_f64());
    }
}
