//! The program as a process: killed, told to end, out of disk.

use std::io::Write;
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use crate::harness::{Client, Home, TestCa, id, order};
use futures::StreamExt;
use protocol::{Csr, Published, problem};
use rustix::process::{Pid, Resource, Rlimit, Signal, kill_process, prlimit};

const BINARY: &str = env!("CARGO_BIN_EXE_envoy-autocert");

/// The program; it is killed when this is dropped.
struct Program(Child);

impl Program {
    fn start(home: &Home) -> Self {
        Self::run(Command::new(BINARY).args(home.arguments()))
    }

    fn run(command: &mut Command) -> Self {
        Self(command.stderr(Stdio::null()).spawn().unwrap())
    }

    fn pid(&self) -> Pid {
        Pid::from_child(&self.0)
    }

    fn kill(mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }

    fn end(&mut self, signal: Signal) -> ExitStatus {
        kill_process(self.pid(), signal).unwrap();
        let start = Instant::now();
        loop {
            match self.0.try_wait().unwrap() {
                Some(status) => return status,
                None if start.elapsed() > Duration::from_secs(15) => panic!("it does not end"),
                None => std::thread::sleep(Duration::from_millis(5)),
            }
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Waits until the path answers with this status.
async fn until(client: &Client, path: &str, status: u16) {
    let start = Instant::now();
    while client.try_send("GET", path, "").await.is_none_or(|answer| answer.status != status) {
        assert!(start.elapsed() < Duration::from_secs(60), "{path} never answers {status}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn engine(home: &Home) -> Client {
    until(&Client::unix(&home.api_socket()), "/healthz", 200).await;
    home.engine().await
}

/// R7: whenever it is killed, the file is whole, and has everything that was answered.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_was_answered_is_lost_when_it_is_killed_during_a_thousand_saves() {
    let home = Home::new();
    let mut stored: Vec<u64> = Vec::new();
    let mut next = 0;
    while next < 1000 {
        let program = Program::start(&home);
        let engine = engine(&home).await;
        let orders = next..next + 70;
        next = orders.end;
        let engine = &engine;
        let put = |number: u64| async move {
            let id = id(&[&format!("n{number}.example")]);
            let body = serde_json::json!({"certificate": id, "url": order(number), "caServer": crate::harness::CA, "created": 1});
            let answer = engine.try_send("PUT", protocol::path::ORDERS, body.to_string()).await;
            answer.filter(|answer| answer.status == 204).map(|_| number)
        };
        let mut answers = futures::stream::iter(orders).map(put).buffer_unordered(4);
        let mut left = 50;
        while let Some(answer) = answers.next().await {
            stored.extend(answer);
            left -= 1;
            if left == 0 {
                break;
            }
        }
        program.kill();
        let text = std::fs::read(home.storage()).unwrap();
        let file: serde_json::Value = serde_json::from_slice(&text).unwrap();
        let progress = file["le"]["EnvoyAutocert"]["progress"].as_array().unwrap();
        let urls: std::collections::HashSet<_> = progress.iter().map(|entry| entry["order"]["url"].as_str()).collect();
        for number in &stored {
            assert!(urls.contains(&Some(order(*number).as_str())), "order {number} is lost");
        }
    }
    assert!(stored.len() >= 500, "only {} orders were stored", stored.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_full_disk_a_certificate_is_served_and_saved_when_there_is_room() {
    let (home, ca) = (Home::new(), TestCa::new());
    // The shell's unit is 512 bytes: room for the order and its key, and none for the certificate.
    let script = "trap '' XFSZ; ulimit -S -f 3; exec \"$0\" \"$@\"";
    let program = Program::run(Command::new("sh").args(["-c", script, BINARY]).args(home.arguments()));
    let engine = engine(&home).await;
    let first = id(&["a.example"]);
    engine.order(&first, &order(1)).await.no_content();
    let csr: Csr = engine.csr(&first, &order(1), "EC256").await.json();
    let published: Published = engine.publish(&first, &order(1), &ca.issue(&csr, &first)).await.json();
    assert!(!published.durable);
    assert_eq!(engine.state().await.certificates, std::slice::from_ref(&published.certificate));
    assert_eq!(engine.get("/readyz").await.problem().status, 503);
    let second = id(&["b.example"]);
    for refused in [engine.order(&second, &order(2)).await, engine.csr(&second, &order(2), "EC256").await] {
        assert_eq!((refused.status, refused.problem().kind.as_str()), (507, problem::STORAGE));
    }
    assert!(home.stored()["le"]["Certificates"].as_array().unwrap().is_empty());

    let unlimited = Rlimit { current: None, maximum: None };
    prlimit(Some(program.pid()), Resource::Fsize, unlimited).unwrap();
    until(&engine, "/readyz", 200).await;
    assert_eq!(home.stored()["le"]["Certificates"].as_array().unwrap().len(), 1);
    program.kill();
    let _sidecar = home.start().await;
    assert_eq!(home.engine().await.state().await.certificates, [published.certificate]);
}

#[tokio::test(flavor = "multi_thread")]
async fn it_tells_systemd_and_ends_well_on_either_signal() {
    for signal in [Signal::TERM, Signal::INT] {
        let home = Home::new();
        let systemd = UnixDatagram::bind(home.path("notify")).unwrap();
        systemd.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        let mut command = Command::new(BINARY);
        command.args(home.arguments()).env("NOTIFY_SOCKET", home.path("notify"));
        let mut program = Program::run(&mut command);
        let mut buffer = [0; 64];
        let length = systemd.recv(&mut buffer).unwrap();
        assert_eq!(&buffer[..length], b"READY=1\n");
        home.engine().await.order(&id(&["a.example"]), &order(1)).await.no_content();
        assert_eq!(program.end(signal).code(), Some(0));
        let length = systemd.recv(&mut buffer).unwrap();
        assert_eq!(&buffer[..length], b"STOPPING=1\n");
        assert!(!home.api_socket().exists());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unfinished_key_does_not_hold_up_the_end() {
    let home = Home::new();
    let mut program = Program::start(&home);
    let engine = engine(&home).await;
    let (wanted, order) = (id(&["a.example"]), order(1));
    let asked = engine.csr(&wanted, &order, "RSA8192");
    // Whether it is done by now or not.
    let _ = tokio::time::timeout(Duration::from_millis(300), asked).await;
    assert_eq!(program.end(Signal::TERM).code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_that_stay_connected_do_not_hold_up_the_end() {
    let home = Home::new();
    let mut program = Program::start(&home);
    engine(&home).await;
    let api = UnixStream::connect(home.api_socket()).unwrap();
    let mut half_a_request = UnixStream::connect(home.api_socket()).unwrap();
    half_a_request.write_all(b"POST /v1/lease HTTP/1.1\r\nhost: x\r\ncontent-length: 50\r\n\r\n{").unwrap();
    let sds = UnixStream::connect(home.path("run/sds.sock")).unwrap();
    assert_eq!(program.end(Signal::TERM).code(), Some(0));
    drop((api, half_a_request, sds));
}

#[tokio::test(flavor = "multi_thread")]
async fn its_memory_is_never_dumped() {
    let home = Home::new();
    let program = Program::start(&home);
    engine(&home).await;
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", program.0.id())).unwrap();
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    assert_eq!(core.split_whitespace().skip(4).take(2).collect::<Vec<_>>(), ["0", "0"]);
}

#[test]
fn a_start_that_fails_says_why_and_exits_with_1() {
    let home = Home::new();
    home.write_storage("not JSON");
    let output = Command::new(BINARY).args(home.arguments()).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.starts_with("envoy-autocert: storage ") && told.contains("expected JSON"), "{told}");
}
