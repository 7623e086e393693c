//! The gateway's pods as Kubernetes makes them: the owners of the volumes, and the sidecar's access to them.

use std::fs::{self, DirBuilder, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::control_plane::Objects;
use anyhow::{Context, Result, ensure};
use harness::tokens;
use harness::{Place, Process, artifacts, until};
use serde_json::Value;

use crate::PATIENCE;

/// The user and group of Istio's proxies.
const PROXY: u32 = 1337;

/// The volumes of a pod with `fsGroup`, and the containers that `render` puts into it.
struct Pod {
    place: Place,
    sockets: PathBuf,
    containers: Vec<Value>,
    program: PathBuf,
}

impl Pod {
    fn new() -> Result<Self> {
        let place = Place::new("pod")?;
        place.admit_others()?;
        let sockets = place.file("sockets");
        // Everybody may write into an emptyDir.
        directory(&sockets, 0o777)?;
        directory(&place.file("storage"), 0o2775)?;
        chown(place.file("storage"), None, Some(PROXY))?;
        // A Secret is a link into a directory that is replaced as a whole.
        let secret = place.file("secret");
        directory(&secret, 0o1777)?;
        directory(&secret.join("..2026"), 0o755)?;
        let token = secret.join("..2026/api-token");
        fs::write(&token, format!("{}\n", tokens::API))?;
        fs::set_permissions(&token, Permissions::from_mode(0o440))?;
        chown(&token, Some(0), Some(PROXY))?;
        symlink("..2026", secret.join("..data"))?;
        symlink("..data/api-token", secret.join("api-token"))?;
        let program = place.shared(&artifacts::sidecar()?)?;
        let plugin = place.file("plugin.wasm");
        fs::write(&plugin, "a plugin")?;
        let done = Command::new(&program)
            .args([
                "render",
                "--format",
                "istio",
                "--email",
                "a@b.example",
                "--domain",
                "a.example",
                "--upstream",
                "127.0.0.1:1",
            ])
            .arg("--api-socket")
            .arg(sockets.join("api.sock"))
            .arg("--plugin")
            .arg(&plugin)
            .output()?;
        ensure!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        let objects = Objects::read(&String::from_utf8(done.stdout)?)?;
        let deployment = objects.one("apps/v1", "Deployment")?;
        let containers = deployment.pointer("/spec/template/spec/initContainers").and_then(Value::as_array);
        let containers = containers.context("no containers")?.clone();
        Ok(Self { place, sockets, containers, program })
    }

    /// Runs the init container, which gives the directory to the proxy's user.
    fn prepare(&self) -> Result<()> {
        let command: Vec<&str> =
            self.containers[0]["command"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let [program, arguments @ ..] = command.as_slice() else { anyhow::bail!("no command") };
        let done = Command::new(program).args(arguments).output()?;
        ensure!(done.status.success(), "{command:?}: {}", String::from_utf8_lossy(&done.stderr));
        Ok(())
    }

    /// Starts the sidecar's container, as its user.
    fn start(&self) -> Result<Process> {
        let container = &self.containers[1];
        assert_eq!(container["command"], serde_json::json!(["envoy-autocert", "sidecar"]));
        let here = |text: &str| {
            text.replace("/var/lib/envoy-autocert", &self.place.file("storage").to_string_lossy())
                .replace("/etc/envoy-autocert", &self.place.file("secret").to_string_lossy())
        };
        let arguments: Vec<String> =
            container["args"].as_array().into_iter().flatten().filter_map(Value::as_str).map(here).collect();
        Process::start(&self.program, &self.place.file("sidecar.log"), |command| {
            command.arg("sidecar").args(arguments).uid(PROXY).gid(PROXY);
        })
    }
}

fn directory(path: &Path, mode: u32) -> Result<()> {
    DirBuilder::new().create(path)?;
    Ok(fs::set_permissions(path, Permissions::from_mode(mode))?)
}

#[test]
fn the_sidecar_takes_the_volumes_of_a_pod_once_their_directory_is_the_proxys() -> Result<()> {
    if fs::metadata("/proc/self")?.uid() != 0 {
        eprintln!("left out: only root gives directories to other users");
        return Ok(());
    }
    let pod = Pod::new()?;
    let mut refused = pod.start()?;
    ensure!(!refused.wait(Duration::from_secs(30))?.success(), "a socket where everybody may write");
    ensure!(refused.log().contains(&pod.sockets.display().to_string()), "{}", refused.log());

    pod.prepare()?;
    // As when the pod's containers restart, and the volume stays.
    pod.prepare()?;
    let copied = fs::metadata(pod.sockets.join("envoy_autocert.wasm"))?;
    ensure!(copied.mode() & 0o777 == 0o644, "the proxy reads the plugin: {:o}", copied.mode());
    let mut sidecar = pod.start()?;
    until("the socket that Istio's agent looks for", PATIENCE, || {
        sidecar.check()?;
        UnixStream::connect(pod.sockets.join("socket")).map(drop).context("not there yet")
    })?;
    let stored = fs::metadata(pod.place.file("storage/acme.json"))?;
    ensure!(stored.mode() & 0o777 == 0o600 && stored.uid() == PROXY, "{:o}", stored.mode());
    Ok(())
}
