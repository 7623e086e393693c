//! `envoy-autocert export` as a process: its output, and its end.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use crate::harness::{Home, TestCa, id, order, traefik_certificate};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

const BINARY: &str = env!("CARGO_BIN_EXE_envoy-autocert");
/// The time for an operation that takes a moment on an idle machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// The command; it is killed when this is dropped.
struct Export(Child);

impl Export {
    fn end(mut self, signal: Signal) -> (ExitStatus, String) {
        kill_process(Pid::from_child(&self.0), signal).unwrap();
        until("its end", || self.0.try_wait().unwrap().is_some());
        let mut told = String::new();
        std::io::Read::read_to_string(&mut self.0.stdout.take().unwrap(), &mut told).unwrap();
        (self.0.wait().unwrap(), told)
    }
}

impl Drop for Export {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn until(what: &str, mut done: impl FnMut() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < PATIENCE, "{what} does not come");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn command(home: &Home, more: &[&str]) -> Command {
    let mut command = Command::new(BINARY);
    command.arg("export").arg("--storage").arg(home.storage()).args(more).arg(home.path("out"));
    command
}

fn run(home: &Home, more: &[&str]) -> (Output, String) {
    let output = command(home, more).output().unwrap();
    let errors = String::from_utf8(output.stderr.clone()).unwrap();
    (output, errors)
}

fn store(home: &Home, ca: &TestCa, names: &[&str]) {
    let list: Vec<Value> = names
        .iter()
        .map(|name| {
            let (chain, key) = ca.pair(&id(&[name]), 60);
            traefik_certificate(&chain, &key, name, &[])
        })
        .collect();
    home.write_storage(&json!({"le": {"Certificates": list}}).to_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn it_may_start_before_the_sidecar_and_ends_well_when_it_is_told_to() {
    let (home, ca) = (Home::new(), TestCa::new());
    let watching = Export(command(&home, &["--watch", "--json"]).stdout(Stdio::piped()).spawn().unwrap());
    let sidecar = home.start().await;
    let engine = home.engine().await;
    let read = |file: &str| fs::read(home.path("out/a.example").join(file));
    let mut before = None;
    for number in 1..=2 {
        engine.issue(&ca, &id(&["a.example"]), &order(number)).await;
        until("a new pair", || read("combined.pem").ok() != before);
        before = read("combined.pem").ok();
    }
    sidecar.stop().await.unwrap();
    let (status, told) = watching.end(Signal::TERM);
    assert_eq!(status.code(), Some(0));
    let lines: Vec<Value> = told.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let written = lines.iter().flat_map(|line| line["written"].as_array().unwrap());
    assert_eq!(written.filter(|exported| exported["names"] == json!(["a.example"])).count(), 2, "{told}");
    assert!(!told.contains("PRIVATE"));
}

#[test]
fn what_can_not_be_done_is_told_and_is_the_exit_status() {
    let home = Home::new();
    let (output, errors) = run(&home, &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(errors.contains(&format!("can't read {}", home.storage().display())), "{errors}");

    store(&home, &TestCa::new(), &["a.example", "b.example"]);
    let (output, errors) = run(&home, &["--domain", "x.example", "--domain", "a.example"]);
    assert_eq!((output.status.code(), &*errors), (Some(1), "envoy-autocert: there is no certificate for x.example\n"));
    assert!(home.path("out/a.example/privkey.pem").exists() && !home.path("out/b.example").exists());

    fs::write(home.path("out/b.example"), "mine").unwrap();
    let (output, errors) = run(&home, &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(errors.contains("out/b.example is in the way"), "{errors}");
    assert_eq!(fs::read(home.path("out/b.example")).unwrap(), b"mine");
    assert_eq!(run(&home, &["--domain", "a.example"]).0.status.code(), Some(0));
    assert_eq!(run(&home, &["--domain", "no name"]).0.status.code(), Some(2));
}

#[tokio::test]
async fn a_sidecar_serves_what_was_exported_as_certificates_of_its_own() {
    let home = Home::new();
    store(&home, &TestCa::new(), &["a.example", "*.a.example"]);
    assert_eq!(run(&home, &[]).0.status.code(), Some(0));
    fs::remove_file(home.storage()).unwrap();
    let out = home.path("out").display().to_string();
    let _sidecar = home.start_with(&["--cert-dir", &out]).await.unwrap();
    let provided = home.engine().await.state().await.provided;
    let mut names: Vec<_> = provided.into_iter().flat_map(|provided| provided.names).collect();
    names.sort();
    names.dedup();
    assert_eq!(names, ["*.a.example", "a.example"]);
    assert!(Path::new(&out).join("_.a.example/fullchain.pem").exists());
}
