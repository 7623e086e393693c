//! `--user` as root: the rights that remain, and the owners of files. Without root, that it is refused.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

const BINARY: &str = env!("CARGO_BIN_EXE_envoy-autocert");

/// A user and a group that no system knows.
const UID: u32 = 3_000_017;
const GID: u32 = 3_000_018;

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// A directory of the user's, in which `sidecar` keeps everything.
struct Home(TempDir);

impl Home {
    fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        fs::set_permissions(home.path(), fs::Permissions::from_mode(0o700)).unwrap();
        if is_root() {
            chown(home.path(), Some(UID), Some(GID)).unwrap();
        }
        Self(home)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn sidecar(&self, user: &str) -> Command {
        let mut command = Command::new(BINARY);
        command.args(["sidecar", "--user", user, "--storage"]).arg(self.path("acme.json"));
        command.arg("--api-socket").arg(self.path("run/api.sock"));
        command.arg("--sds-socket").arg(self.path("run/sds.sock"));
        command.stdin(Stdio::null());
        command
    }
}

/// A running program; it is killed when this is dropped.
struct Program(Child);

impl Program {
    /// Each thread's lines of `/proc/PID/task/TID/status`.
    fn threads(&self) -> Vec<Vec<(String, String)>> {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.0.id())).unwrap();
        let texts = tasks.flatten().filter_map(|task| fs::read_to_string(task.path().join("status")).ok());
        let line = |line: &str| {
            let (name, value) = line.split_once(':').unwrap();
            (name.to_owned(), value.split_whitespace().collect::<Vec<_>>().join(" "))
        };
        texts.map(|text| text.lines().map(line).collect()).collect()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn until(what: &str, is_so: impl Fn() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < Duration::from_secs(60), "{what}: it never became so");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn owner(path: &Path) -> (u32, u32, u32) {
    let metadata = fs::metadata(path).unwrap();
    (metadata.uid(), metadata.gid(), metadata.mode() & 0o777)
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_sidecar_that_became_another_user_has_no_right_of_roots_left() {
    if !is_root() {
        return;
    }
    let home = Home::new();
    let program = Program(home.sidecar(&format!("{UID}:{GID}")).stderr(Stdio::null()).spawn().unwrap());
    until("the socket", || home.path("run/sds.sock").exists());
    let threads = program.threads();
    assert!(threads.len() > 1, "{threads:?}");
    let four = |id: u32| format!("{id} {id} {id} {id}");
    let none = "0".repeat(16);
    for thread in &threads {
        let has = |name: &str, value: &str| {
            let found = thread.iter().find(|(found, _)| found == name).unwrap();
            assert_eq!((name, found.1.as_str()), (name, value));
        };
        has("Uid", &four(UID));
        has("Gid", &four(GID));
        has("Groups", "");
        for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
            has(set, &none);
        }
        has("NoNewPrivs", "1");
    }
    assert_eq!(owner(&home.path("acme.json")), (UID, GID, 0o600));
    assert_eq!(owner(&home.path("run/api.sock")).0, UID);
}

#[test]
fn what_a_sidecar_holds_is_not_to_be_read_by_others_of_its_user() {
    if !is_root() {
        return;
    }
    let home = Home::new();
    let mut command = home.sidecar(&format!("{UID}:{GID}"));
    command.env("CF_DNS_API_TOKEN", "planted").stderr(Stdio::null());
    let program = Program(command.spawn().unwrap());
    until("the socket", || home.path("run/sds.sock").exists());
    let environ = format!("/proc/{}/environ", program.0.id());
    let mut other = Command::new("setpriv");
    other.args(["--reuid", &UID.to_string(), "--regid", &GID.to_string(), "--clear-groups", "cat", &environ]);
    let output = other.output().unwrap();
    assert!(!output.status.success() && output.stdout.is_empty(), "{output:?}");
    assert!(fs::read_to_string(environ).unwrap().contains("planted"), "root can read it");
}

#[test]
fn a_storage_that_is_not_the_users_is_refused_and_left_as_it_is() {
    if !is_root() {
        return;
    }
    let home = Home::new();
    chown(home.0.path(), Some(0), Some(0)).unwrap();
    let output = home.sidecar(&UID.to_string()).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains(&home.0.path().display().to_string()), "{}", said(&output));
    assert!(!home.path("acme.json").exists() && !home.path("run").exists());
}

#[test]
fn only_root_becomes_another_user() {
    let home = Home::new();
    let (mut command, uid) = if is_root() {
        // Where it was built may be a place that root alone may look into.
        let program = home.path("envoy-autocert");
        fs::hard_link(BINARY, &program).or_else(|_| fs::copy(BINARY, &program).map(|_| ())).unwrap();
        let plain = home.sidecar("3000019");
        let mut command = Command::new("setpriv");
        command.args(["--reuid", &UID.to_string(), "--regid", &GID.to_string(), "--clear-groups", "--"]);
        command.arg(program).args(plain.get_args());
        (command, UID)
    } else {
        (home.sidecar("3000019"), rustix::process::geteuid().as_raw())
    };
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    let why = format!("--user: only root can become another user, and this runs as the uid {uid} with the gid");
    assert!(said(&output).contains(&why), "{}", said(&output));
}

#[test]
fn root_is_no_other_user() {
    let home = Home::new();
    let output = home.sidecar("root").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(said(&output).contains("expected a user other than root"), "{}", said(&output));
}
