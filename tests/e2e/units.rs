//! The systemd units of the examples: systemd accepts them, and the promises of `examples/lets-encrypt` about sidecar
//! and Envoy as two users hold with the commands there.

use std::fs::{self, DirBuilder};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt, chown};
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use harness::tls::handshake;
use harness::{PebbleOptions, Place, Process, Stage, artifacts, domains, until};

use crate::PATIENCE;

/// Users that no system knows; Envoy's has the group of its number.
const SIDECAR: u32 = 3_000_017;
const ENVOY: u32 = 3_000_018;

/// The name that is wanted.
const NAME: &str = "two-users.example";

/// The arguments of a unit's command.
fn command(unit: &str, setting: &str) -> Result<String> {
    let path = artifacts::repository().join("examples/lets-encrypt").join(unit);
    let text = fs::read_to_string(&path)?.replace("\\\n", "");
    let line = text.lines().find_map(|line| line.strip_prefix(setting)?.strip_prefix('='));
    Ok(line.with_context(|| format!("{}: no {setting}", path.display()))?.to_owned())
}

/// A directory of a user's.
fn directory(stage: &Stage, name: &str, mode: u32, uid: u32) -> Result<()> {
    let path = stage.place.file(name);
    DirBuilder::new().mode(mode).create(&path)?;
    Ok(chown(path, Some(uid), Some(ENVOY))?)
}

/// `setpriv` and its arguments, with the effect of `User=`, `Group=` and `AmbientCapabilities=` in systemd.
fn as_user(uid: u32, capability: Option<&str>) -> Vec<String> {
    let kept = capability.map_or_else(|| "-all".to_owned(), |capability| format!("-all,+{capability}"));
    let mut words = vec![format!("--reuid={uid}"), format!("--regid={ENVOY}"), "--clear-groups".to_owned()];
    words.push("--no-new-privs".to_owned());
    words.extend([format!("--bounding-set={kept}"), format!("--inh-caps={kept}")]);
    words.extend(capability.map(|capability| format!("--ambient-caps=-all,+{capability}")));
    words.push("--".to_owned());
    words
}

/// True if a user can read a file.
fn reads(uid: u32, path: &str) -> Result<bool> {
    let output = Command::new("setpriv").args(as_user(uid, None)).args(["cat", path]).output()?;
    Ok(output.status.success())
}

#[test]
fn envoy_gets_its_certificates_and_nothing_else_of_the_sidecars() -> Result<()> {
    if !rustix::process::geteuid().is_root() {
        return Ok(());
    }
    let stage = Stage::new("two-users", &PebbleOptions::default())?;
    let place = &stage.place;
    place.admit_others()?;
    // With the modes of the units' StateDirectory and RuntimeDirectory.
    directory(&stage, "state", 0o700, SIDECAR)?;
    directory(&stage, "run", 0o750, SIDECAR)?;
    directory(&stage, "envoy-run", 0o700, ENVOY)?;
    directory(&stage, "credentials", 0o700, ENVOY)?;

    let words = command("envoy-autocert.service", "ExecStart")?
        .replace("/var/lib/envoy-autocert", &place.file("state").display().to_string())
        .replace("--api-uid envoy --socket-group envoy", &format!("--api-uid {ENVOY} --socket-group {ENVOY}"))
        .replace("127.0.0.1:80 ", &format!("{} ", place.web_address()))
        .replace("127.0.0.1:443", &place.websecure_address().to_string());
    ensure!(words.contains(&ENVOY.to_string()) && words.contains("/state/acme.json"), "{words}");
    let (_, arguments) = words.split_once(' ').context("arguments")?;
    let program = place.shared(&artifacts::sidecar()?)?;
    let mut sidecar = Process::start(Path::new("setpriv"), &place.file("sidecar.log"), |command| {
        command.args(as_user(SIDECAR, None)).arg(&program).args(arguments.split_whitespace());
        command.arg("--api-socket").arg(place.file("run/api.sock"));
        command.arg("--sds-socket").arg(place.file("run/sds.sock"));
        command.env("CF_DNS_API_TOKEN", "planted");
    })?;
    until("the sidecar", PATIENCE, || {
        sidecar.check()?;
        ensure!(place.file("run/sds.sock").exists() && sidecar.log().contains("sidecar ready"), "not yet");
        Ok(())
    })?;

    // Like LoadCredential.
    for kind in ["api-token", "sds-token"] {
        let at = place.file("credentials").join(kind);
        fs::copy(place.file("state").join(format!("acme.json.{kind}")), &at)?;
        fs::set_permissions(&at, fs::Permissions::from_mode(0o400))?;
        chown(&at, Some(ENVOY), Some(ENVOY))?;
    }
    let mut bootstrap = stage.bootstrap()?.domains(&domains(&[&[NAME]]))?;
    let text = serde_json::to_string_pretty(bootstrap.value())?;
    let plugin = place.shared(&artifacts::wasm()?)?;
    let text = text.replace(&artifacts::wasm()?.display().to_string(), &plugin.display().to_string());
    ensure!(text.contains("${ENVOY_AUTOCERT_API_TOKEN}") && text.contains("${ENVOY_AUTOCERT_SDS_TOKEN}"), "{text}");
    fs::write(place.file("envoy.yaml"), text)?;
    let script = command("envoy.service", "ExecStartPre")?
        .replace("/etc/envoy/envoy.yaml", &place.file("envoy.yaml").display().to_string());
    let script =
        script.strip_prefix("/bin/sh -c '").and_then(|script| script.strip_suffix('\'')).context("a script")?;
    let mut fill = Command::new("setpriv");
    fill.args(as_user(ENVOY, None)).args(["/bin/sh", "-c", &script.replace("\\\\", "\\").replace("$$", "$")]);
    fill.env("CREDENTIALS_DIRECTORY", place.file("credentials")).env("RUNTIME_DIRECTORY", place.file("envoy-run"));
    let filled = fill.output()?;
    ensure!(filled.status.success(), "{}", String::from_utf8_lossy(&filled.stderr));
    let text = fs::read_to_string(place.file("envoy-run/envoy.yaml"))?;
    ensure!(!text.contains("${ENVOY_AUTOCERT"), "a placeholder is left: {text}");

    let envoy = place.shared(&artifacts::envoy()?)?;
    let mut envoy = Process::start(Path::new("setpriv"), &place.file("envoy.log"), |command| {
        command.args(as_user(ENVOY, Some("net_bind_service"))).arg(&envoy);
        command.args(["--use-dynamic-base-id", "--concurrency", "2", "-c"]).arg(place.file("envoy-run/envoy.yaml"));
    })?;
    let roots = stage.pebble.roots()?;
    let address = place.websecure_address();
    until("a certificate", PATIENCE, || {
        sidecar.check()?;
        envoy.check()?;
        handshake(address, NAME, &roots)
    })?;

    let storage = place.file("state/acme.json");
    ensure!(fs::metadata(&storage)?.uid() == SIDECAR, "the storage is somebody else's");
    let forbidden =
        ["acme.json", "acme.json.api-token", "acme.json.sds-token"].map(|name| place.file("state").join(name));
    for path in forbidden.iter().map(|path| path.display().to_string()) {
        ensure!(!reads(ENVOY, &path)? && reads(SIDECAR, &path)?, "{path}");
    }
    for what in ["environ", "mem", "maps"] {
        let path = format!("/proc/{}/{what}", sidecar.pid());
        ensure!(!reads(ENVOY, &path)?, "{path}");
    }
    // No other user reaches the sockets.
    let other = Command::new("setpriv")
        .args(["--reuid=3000019", "--regid=3000019", "--clear-groups", "ls"])
        .arg(place.file("run"))
        .output()?;
    ensure!(!other.status.success(), "{other:?}");
    Ok(())
}

/// Skipped without systemd, which is the only judge of units.
#[test]
fn systemd_understands_the_units() -> Result<()> {
    if Command::new("systemd-analyze").arg("--version").output().is_err() {
        return Ok(());
    }
    for unit in ["lets-encrypt/envoy-autocert.service", "lets-encrypt/envoy.service", "traefik/envoy-autocert.service"]
    {
        let place = Place::new("units")?;
        let text = fs::read_to_string(artifacts::repository().join("examples").join(unit))?;
        // These programs are not installed here.
        let text = text.replace("/usr/bin/envoy-autocert ", "/bin/true ").replace("/usr/bin/envoy ", "/bin/true ");
        let path = place.file(unit.rsplit('/').next().context("a name")?);
        fs::write(&path, text)?;
        let output = Command::new("systemd-analyze").args(["verify", "--man=no"]).arg(&path).output()?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        ensure!(output.status.success() && said.is_empty(), "{unit}: {said}");
    }
    Ok(())
}
