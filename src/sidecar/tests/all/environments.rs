//! The environment of Envoy, as `run` and `check` start it: a program in Envoy's place records it.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

const BINARY: &str = env!("CARGO_BIN_EXE_envoy-autocert");

/// Variables that a user may have set for this program.
const SECRETS: [&str; 9] = [
    "AWS_SECRET_ACCESS_KEY",
    "CF_DNS_API_TOKEN",
    "CF_DNS_API_TOKEN_FILE",
    "ENVOY_AUTOCERT_CA_BUNDLE",
    "EXEC_PATH",
    "HTTPS_PROXY",
    "LE_CF_DNS_API_TOKEN",
    "LE_EAB_HMAC",
    "TRAEFIK_LOG_LEVEL",
];
/// Variables that Envoy is to get, with one that a flag names.
const PASSED: [&str; 5] = ["ENVOY_UID", "LC_ALL", "MY_OWN", "SSL_CERT_FILE", "TZ"];

/// A directory with a program that stands for Envoy.
struct Scene(TempDir);

impl Scene {
    /// A program that records its arguments and its environment: it prints Envoy's version, and validates; when it is to
    /// serve it ends at once, as an Envoy that refuses its configuration.
    fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let script = format!(
            "#!/bin/sh\nfor n in 1 2 3 4; do [ -e {0}/args.$n ] || break; done\n\
             cp /proc/$$/environ {0}/environ.$n\necho \"$*\" > {0}/args.part && mv {0}/args.part {0}/args.$n\n\
             case \"$*\" in --version) echo 'envoy  version: 0/1.40.0/Clean/RELEASE/BoringSSL'; exit 0;; esac\n\
             case \"$*\" in *validate*) exit 0;; esac\nexit 1\n",
            home.path().display()
        );
        let scene = Self(home);
        fs::write(scene.envoy(), script).unwrap();
        fs::set_permissions(scene.envoy(), fs::Permissions::from_mode(0o700)).unwrap();
        fs::write(scene.path("plugin.wasm"), "").unwrap();
        scene
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn envoy(&self) -> PathBuf {
        self.path("envoy")
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(BINARY);
        command.args(arguments).args(["--envoy-env", "MY_OWN", "--envoy"]).arg(self.envoy());
        command.envs(SECRETS.iter().chain(&PASSED).map(|name| (name, format!("planted-{name}"))));
        let log = fs::File::options().create(true).append(true).open(self.path("log")).unwrap();
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        command
    }

    fn log(&self) -> String {
        fs::read_to_string(self.path("log")).unwrap()
    }

    /// The arguments and environment of the call with this number, once it was made.
    fn call(&self, number: u32) -> Option<(String, BTreeMap<String, String>)> {
        let arguments = fs::read_to_string(self.path(&format!("args.{number}"))).ok()?;
        let environment = fs::read_to_string(self.path(&format!("environ.{number}"))).unwrap();
        let pairs = environment.split_terminator('\0').map(|pair| pair.split_once('=').unwrap());
        Some((arguments, pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()))
    }
}

/// Checks that only the variables meant for Envoy are there, with their values.
fn judge(environment: &BTreeMap<String, String>) {
    for name in PASSED {
        assert_eq!(environment.get(name), Some(&format!("planted-{name}")));
    }
    let meant = |name: &str| {
        matches!(name, "HOME" | "LANG" | "PATH" | "SSL_CERT_DIR") || name.starts_with("LC_") || PASSED.contains(&name)
    };
    let others: Vec<_> = environment.keys().filter(|name| !meant(name)).collect();
    assert!(others.is_empty(), "{others:?}");
}

#[test]
fn check_gives_an_envoy_that_validates_no_credentials() {
    let scene = Scene::new();
    let bootstrap = concat!(env!("CARGO_MANIFEST_DIR"), "/../../envoy/envoy.yaml");
    scene.command(&["check", bootstrap]).status().unwrap();
    let calls = [1, 2].map(|number| scene.call(number).unwrap_or_else(|| panic!("call {number}: {}", scene.log())));
    let [asked, validating] = calls.each_ref().map(|(arguments, _)| arguments);
    assert!(asked.contains("--version") && validating.contains("--mode validate"), "{asked}{validating}");
    calls.iter().for_each(|(_, environment)| judge(environment));
}

#[test]
fn run_gives_no_envoy_of_its_credentials() {
    let scene = Scene::new();
    let storage = scene.path("acme.json").display().to_string();
    let plugin = scene.path("plugin.wasm").display().to_string();
    let mut command =
        scene.command(&["run", "--domain", "a.example", "--upstream", "127.0.0.1:1", "--storage", &storage]);
    // The variable names no file.
    let roots = scene.path("roots.pem");
    fs::write(&roots, "-----BEGIN CERTIFICATE-----\n").unwrap();
    command.args(["--email", "me@example.com", "--plugin", &plugin, "--ca-bundle"]).arg(roots);
    let mut child = command.spawn().unwrap();
    let start = Instant::now();
    // The first says its version, the second is to serve, the third validates what the second has refused.
    let calls = loop {
        match [1, 2, 3].map(|number| scene.call(number)) {
            [Some(first), Some(second), Some(third)] => break Some([first, second, third]),
            _ if start.elapsed() > Duration::from_secs(60) => break None,
            _ => std::thread::sleep(Duration::from_millis(10)),
        }
    };
    // It ends by itself, as its Envoy did.
    let _ = child.kill();
    child.wait().unwrap();
    let [asked, serving, validating] = calls.unwrap_or_else(|| panic!("Envoy was not started: {}", scene.log()));
    assert!(asked.0.contains("--version"), "{}", asked.0);
    assert!(serving.0.contains("bootstrap.json") && !serving.0.contains("validate"), "{}", serving.0);
    assert!(validating.0.contains("--mode validate"), "{}", validating.0);
    for (_, environment) in [asked, serving, validating] {
        judge(&environment);
    }
}
