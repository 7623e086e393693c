//! `render` and `check` of ten thousand routers: time and memory of a whole process.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use harness::artifacts;

use crate::figure::{Figure, Goal, median};

const MANY: usize = 10_000;
const FEW: usize = 1_000;

/// Number of services shared by the routers.
const SERVICES: usize = 100;

/// Number of runs of each measurement.
const ROUNDS: usize = 5;

/// Interval at which a process's memory is sampled: the system records the peak as long as the process lives.
const LOOKING: Duration = Duration::from_millis(2);

pub(crate) fn measure() -> Result<Vec<Figure>> {
    let directory = tempfile::tempdir()?;
    let file = |name: &str| directory.path().join(name);
    let [many, few, apart, rendered, small] = ["many.yml", "few.yml", "apart.yml", "many.yaml", "few.yaml"].map(file);
    fs::write(&many, traefik(MANY, SERVICES))?;
    fs::write(&few, traefik(FEW, SERVICES))?;
    fs::write(&apart, traefik(MANY, MANY))?;
    let render = |from: &Path, to: &Path| runs(&["render", "--force", "--output", path(to)?, "--config", path(from)?]);
    let check = |from: &Path| runs(&["check", "--no-envoy", path(from)?]);
    let mut figures = Vec::new();
    let mut add = |name: &str, cost: &Cost, baseline: Option<&Cost>, has_goal: bool| {
        let goal = |most| if has_goal { Goal::ValueAtMost(most) } else { Goal::None };
        figures.push(Figure::new(name, cost.seconds, "s", baseline.map(|cost| cost.seconds), &goal(1.0)));
        figures.push(Figure::new(name, cost.mebibytes, "MiB", baseline.map(|cost| cost.mebibytes), &goal(200.0)));
    };
    add("render of 10,000 routers (against 1,000)", &render(&many, &rendered)?, Some(&render(&few, &small)?), true);
    add("render of as many, each with a service of its own", &render(&apart, &small)?, None, false);
    add("check of 10,000 routers (against 1,000)", &check(&many)?, Some(&check(&few)?), true);
    add("check of the Envoy configuration of 10,000 routers", &check(&rendered)?, None, true);
    Ok(figures)
}

struct Cost {
    seconds: f64,
    mebibytes: f64,
}

/// The median of some runs.
fn runs(arguments: &[&str]) -> Result<Cost> {
    let costs = (0..ROUNDS).map(|_| run(arguments)).collect::<Result<Vec<Cost>>>()?;
    let middle = |of: fn(&Cost) -> f64| median(&costs.iter().map(of).collect::<Vec<f64>>());
    Ok(Cost { seconds: middle(|cost| cost.seconds), mebibytes: middle(|cost| cost.mebibytes) })
}

fn run(arguments: &[&str]) -> Result<Cost> {
    let mut command = Command::new(artifacts::sidecar()?);
    command.args(arguments).stdout(Stdio::null()).stderr(Stdio::null());
    let start = Instant::now();
    let mut child = command.spawn()?;
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    let ended = loop {
        if let Some(ended) = child.try_wait()? {
            break ended;
        }
        peak = peak.max(fs::read_to_string(&status).ok().and_then(|status| peak_kib(&status)).unwrap_or(0));
        std::thread::sleep(LOOKING);
    };
    ensure!(ended.success(), "{arguments:?} has failed: {ended}");
    Ok(Cost { seconds: start.elapsed().as_secs_f64(), mebibytes: peak as f64 / 1024.0 })
}

fn peak_kib(status: &str) -> Option<u64> {
    status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?.split_whitespace().next()?.parse().ok()
}

fn path(path: &Path) -> Result<&str> {
    path.to_str().context("a path that is no text")
}

/// A configuration of Traefik's, static and dynamic in one, in which each router has a host of its own.
fn traefik(routers: usize, services: usize) -> String {
    let mut text = "\
entryPoints: { web: { address: \":80\" }, websecure: { address: \":443\" } }
certificatesResolvers: { le: { acme: { email: ops@example.com, storage: acme.json, httpChallenge: { entryPoint: web } } } }
http:
  routers:
"
    .to_owned();
    for index in 0..routers {
        let service = index % services;
        text += &format!(
            "    r{index}:\n      rule: Host(`n{index}.example`) && PathPrefix(`/`)\n      service: s{service}\n      \
             tls:\n        certResolver: le\n"
        );
    }
    text += "  services:\n";
    for index in 0..services {
        text +=
            &format!("    s{index}:\n      loadBalancer:\n        servers:\n          - url: http://127.0.0.1:8080\n");
    }
    text
}
