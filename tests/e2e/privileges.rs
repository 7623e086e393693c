//! `run --user`: root is given up, Envoy listens below 1024 all the same, and has no other right of root's.

use std::collections::BTreeMap;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, chown};
use std::path::PathBuf;

use anyhow::{Context, Result, bail, ensure};
use harness::http::Endpoint;
use harness::tls::handshake;
use harness::{Backend, PebbleOptions, Place, Process, Signal, Stage, artifacts, ports, until};

use crate::PATIENCE;

/// A user and a group that no system knows.
const UID: u32 = 3_000_017;
const GID: u32 = 3_000_018;

/// The right to listen on ports below 1024, as the kernel shows it (capabilities(7), bit 10).
const LISTENS: &str = "0000000000000400";
const NONE: &str = "0000000000000000";

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// `run --user` on ports below 1024, a CA that validates there, and a server.
struct Scene {
    run: Process,
    _backend: Backend,
    stage: Stage,
}

impl Scene {
    fn start(name: &str) -> Result<Self> {
        let mut place = Place::new(name)?;
        (place.web, place.websecure) = (ports::free_below_1024()?, ports::free_below_1024()?);
        let stage = Stage::at(place, &PebbleOptions::default())?;
        let backend = Backend::start(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
        let place = &stage.place;
        place.admit_others()?;
        fs::DirBuilder::new().mode(0o700).create(place.file("state"))?;
        chown(place.file("state"), Some(UID), Some(GID))?;
        let envoy = place.shared(&artifacts::envoy()?)?;
        let plugin = place.shared(&artifacts::wasm()?)?;
        let run = Process::start(&artifacts::sidecar()?, &place.file("run.log"), |command| {
            command.arg("run").args(["--user", &format!("{UID}:{GID}")]);
            command.args(["--domain=site.example", "--email=me@example.com", "--key-type=EC256"]);
            command.arg(format!("--upstream={}", backend.address()));
            command.arg(format!("--ca-server={}", stage.pebble.directory()));
            command.arg(format!("--storage={}", place.file("state/acme.json").display()));
            command.arg(format!("--entryPoints.web.address={}", place.web_address()));
            command.arg(format!("--entrypoints.websecure.address={}", place.websecure_address()));
            let root = place.authority.root.display();
            command.arg(format!("--certificatesresolvers.default.acme.cacertificates={root}"));
            command.arg("--runtime-dir").arg(place.file("state/run"));
            command.arg("--envoy").arg(envoy).arg("--plugin").arg(plugin);
            command.env("CF_DNS_API_TOKEN", "planted").env("HOME", "/root");
        })?;
        Ok(Self { run, _backend: backend, stage })
    }

    /// Waits for a certificate of the CA's.
    fn served(&mut self) -> Result<()> {
        let roots = self.stage.pebble.roots()?;
        let address = self.stage.place.websecure_address();
        until("a certificate", PATIENCE, || {
            self.run.check()?;
            handshake(address, "site.example", &roots)
        })?;
        let site = Endpoint::Tls { address, name: "site.example".to_owned(), roots };
        ensure!(site.get("/")?.header("x-backend") == "yes", "another server answers");
        Ok(())
    }

    /// The process of Envoy.
    fn envoy(&self) -> Result<u32> {
        let children = format!("/proc/{0}/task/{0}/children", self.run.pid());
        let pids = fs::read_to_string(&children).context(children)?;
        let is_envoy = |pid: &u32| {
            let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
            name.trim() == "envoy"
        };
        pids.split_whitespace().flat_map(str::parse).find(is_envoy).context("there is no Envoy")
    }
}

/// The `/proc` entries of each thread of a process; the first one is the main thread.
fn threads(pid: u32) -> Result<Vec<BTreeMap<String, String>>> {
    let mut tids: Vec<u32> = Vec::new();
    for task in fs::read_dir(format!("/proc/{pid}/task"))? {
        tids.push(task?.file_name().to_string_lossy().parse()?);
    }
    tids.sort_by_key(|tid| (*tid != pid, *tid));
    let texts = tids.iter().filter_map(|tid| fs::read_to_string(format!("/proc/{pid}/task/{tid}/status")).ok());
    let fields = |text: String| {
        let fields = text.lines().filter_map(|line| line.split_once(':'));
        fields.map(|(name, value)| (name.to_owned(), value.split_whitespace().collect::<Vec<_>>().join(" "))).collect()
    };
    Ok(texts.map(fields).collect())
}

fn judge(thread: &BTreeMap<String, String>, capabilities: [(&str, &str); 5]) -> Result<()> {
    let four = |id: u32| format!("{id} {id} {id} {id}");
    let uid = four(UID);
    let gid = four(GID);
    let ids = [("Uid", uid.as_str()), ("Gid", gid.as_str()), ("Groups", ""), ("NoNewPrivs", "1")];
    for (name, expected) in ids.into_iter().chain(capabilities) {
        let found = thread.get(name).map(String::as_str);
        ensure!(found == Some(expected), "thread {:?}: {name}: {found:?}, expected {expected}", thread.get("Name"));
    }
    Ok(())
}

/// Checks that Envoy may listen below 1024, and nothing else.
fn judge_envoy(pid: u32) -> Result<()> {
    for thread in threads(pid)? {
        judge(&thread, ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"].map(|set| (set, LISTENS)))?;
    }
    Ok(())
}

#[test]
fn root_is_given_up_and_envoy_listens_below_1024_all_the_same() -> Result<()> {
    if !is_root() {
        return Ok(());
    }
    let mut scene = Scene::start("user")?;
    scene.served()?;
    // While it looks at its ports after the start, the capability is in effect for a moment.
    until("no capability in effect", PATIENCE, || {
        let of_run = threads(scene.run.pid())?;
        ensure!(of_run.len() > 2, "{} threads", of_run.len());
        for (number, thread) in of_run.iter().enumerate() {
            // The main thread keeps the capability for the next Envoy, without its effect.
            let kept = if number == 0 { LISTENS } else { NONE };
            let sets = [("CapInh", kept), ("CapPrm", kept), ("CapEff", NONE), ("CapBnd", LISTENS), ("CapAmb", NONE)];
            judge(thread, sets)?;
        }
        Ok(())
    })?;
    let envoy = scene.envoy()?;
    judge_envoy(envoy)?;
    let environ = fs::read_to_string(format!("/proc/{envoy}/environ"))?;
    ensure!(environ.split('\0').any(|pair| pair == "HOME=/"), "root's home is no home: {environ:?}");
    ensure!(!environ.contains("planted"), "a credential reached Envoy: {environ:?}");
    for file in ["state/acme.json", "state/run", "state/run/sds.sock", "state/run/bootstrap.json"] {
        let metadata = fs::metadata(scene.stage.place.file(file))?;
        ensure!((metadata.uid(), metadata.gid()) == (UID, GID), "{file} is of {}:{}", metadata.uid(), metadata.gid());
    }
    ensure!(!scene.run.log().contains("this runs as root"), "{}", scene.run.log());

    rustix::process::kill_process(pid(envoy)?, Signal::KILL)?;
    let next = until("another Envoy", PATIENCE, || {
        let now = scene.envoy()?;
        if now == envoy { bail!("it is still the one before") } else { Ok(now) }
    })?;
    judge_envoy(next)?;
    scene.served()?;
    ensure!(scene.run.stop()?.success(), "{}", scene.run.log());
    Ok(())
}

#[test]
fn envoy_with_another_user_ends_with_a_run_that_is_killed() -> Result<()> {
    if !is_root() {
        return Ok(());
    }
    let mut scene = Scene::start("user-killed")?;
    let envoy = until("Envoy", PATIENCE, || {
        scene.run.check()?;
        ensure!(scene.run.log().contains("Envoy is up"), "not yet");
        scene.envoy()
    })?;
    scene.run.kill();
    let entry = PathBuf::from(format!("/proc/{envoy}"));
    until("the end of Envoy", PATIENCE, || if entry.exists() { bail!("it is still there") } else { Ok(()) })
}

fn pid(number: u32) -> Result<rustix::process::Pid> {
    rustix::process::Pid::from_raw(i32::try_from(number)?).context("a process")
}
