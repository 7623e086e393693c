//! A disk that is really full: a small tmpfs in a mount namespace of the sidecar's own.
//!
//! Without the rights for a mount (neither root nor user namespaces), the tests are skipped.

use std::fs::{self, Permissions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::harness::{CA, Client, Home, TestCa, id, order};
use protocol::{CertificateId, Csr, Permit, Published, path};
use serde_json::{Value, json};
use time::OffsetDateTime;

const BINARY: &str = env!("CARGO_BIN_EXE_envoy-autocert");
const TOKEN: &str = "0123456789abcdef";
/// How long something may take that takes a few seconds on an idle machine.
const PATIENCE: Duration = Duration::from_secs(120);
/// Mounts the disk, and becomes the program.
const SCRIPT: &str = "mount -t tmpfs -o size=256k,mode=700 tmpfs \"$DISK\" || exit 77; exec \"$0\" \"$@\"";

/// A sidecar whose storage is on a disk of its own. Killed when this is dropped, and its disk is gone with it.
struct Scene {
    home: Home,
    program: Child,
}

impl Scene {
    /// Starts the sidecar; `None` if mounting is not permitted.
    async fn start() -> Option<Self> {
        let home = Home::new();
        fs::create_dir(home.path("disk")).unwrap();
        fs::write(home.path("token"), format!("{TOKEN}\n")).unwrap();
        fs::set_permissions(home.path("token"), Permissions::from_mode(0o600)).unwrap();
        let user = if rustix::process::geteuid().is_root() { "-m" } else { "-rm" };
        let mut command = Command::new("unshare");
        command.args([user, "sh", "-c", SCRIPT, BINARY, "sidecar", "--storage"]).arg(home.path("disk/acme.json"));
        command.arg("--api-socket").arg(home.api_socket()).arg("--sds-socket").arg(home.path("run/sds.sock"));
        command.arg("--api-token-file").arg(home.path("token")).env("DISK", home.path("disk"));
        let mut program = command.stderr(Stdio::null()).spawn().ok()?;
        let client = Client::unix(&home.api_socket());
        let start = Instant::now();
        while client.try_send("GET", "/healthz", "").await.is_none() {
            if let Some(status) = program.try_wait().unwrap() {
                eprintln!("no file system can be mounted here: {status}");
                return None;
            }
            assert!(start.elapsed() < PATIENCE, "it does not begin");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Some(Self { home, program })
    }

    async fn engine(&self) -> Client {
        let mut client = Client::unix(&self.home.api_socket());
        client.token = Some(TOKEN.into());
        client.lease("engine", 1).await;
        client
    }

    /// The path as the sidecar sees it.
    fn on_disk(&self, name: &str) -> PathBuf {
        let disk = self.home.path("disk");
        PathBuf::from(format!("/proc/{}/root{}", self.program.id(), disk.join(name).display()))
    }

    fn fill(&self) {
        let mut filler = fs::File::create(self.on_disk("filler")).unwrap();
        while filler.write_all(&[0; 512]).is_ok() {}
    }

    fn empty(&self) {
        fs::remove_file(self.on_disk("filler")).unwrap();
    }

    fn stored(&self) -> Value {
        serde_json::from_slice(&fs::read(self.on_disk("acme.json")).unwrap()).unwrap()
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        let _ = self.program.kill();
        let _ = self.program.wait();
    }
}

/// Obtains a certificate issued so many seconds ago, which lasts for so many more.
async fn issued(engine: &Client, ca: &TestCa, of: &CertificateId, order: &str, seconds: [i64; 2]) {
    engine.order(of, order).await.no_content();
    let csr: Csr = engine.csr(of, order, "EC256").await.json();
    let [ago, left] = seconds.map(time::Duration::seconds);
    let chain = ca.issue_with(&csr, of, |params| {
        params.not_before = OffsetDateTime::now_utc() - ago;
        params.not_after = OffsetDateTime::now_utc() + left;
    });
    let published: Published = engine.publish(of, order, &chain).await.json();
    assert!(published.durable);
}

async fn permit(engine: &Client, of: &CertificateId) -> Permit {
    let asked = json!({
        "certificate": of, "issuer": "le", "caServer": CA, "placesOrder": true, "renews": true, "replaces": false, "limits": {},
    });
    engine.post(path::PERMITS, &asked).await.json()
}

async fn granted(engine: &Client, of: &CertificateId) {
    let start = Instant::now();
    loop {
        let permit = permit(engine, of).await;
        if permit.granted {
            return;
        }
        assert!(start.elapsed() < PATIENCE, "{permit:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn near_its_end_a_certificate_is_renewed_though_the_disk_is_full_and_no_other_one() {
    let Some(scene) = Scene::start().await else { return };
    let (engine, ca) = (scene.engine().await, TestCa::new());
    let (far, near, first) = (id(&["far.example"]), id(&["near.example"]), id(&["first.example"]));
    issued(&engine, &ca, &far, &order(1), [60, 90 * 24 * 60 * 60]).await;
    issued(&engine, &ca, &near, &order(2), [185, 15]).await;
    scene.fill();

    let refused = permit(&engine, &far).await;
    assert!(!refused.granted && !refused.whole_account, "{refused:?}");
    for part in ["acme.json can't be written", "No space left", "a tenth of the certificate's lifetime"] {
        assert!(refused.why.contains(part), "{refused:?}");
    }
    assert!(!permit(&engine, &first).await.granted, "nor is a new one begun");
    // No sooner than after a while, so that no crash loop gets there.
    granted(&engine, &near).await;
    let kept = engine.order(&near, &order(3)).await;
    assert_eq!((kept.status, kept.headers.contains_key(protocol::UNSAVED_HEADER)), (204, true));
    assert_eq!(engine.order(&far, &order(4)).await.status, 507);
    let csr: Csr = engine.csr(&near, &order(3), "EC256").await.json();
    let published: Published = engine.publish(&near, &order(3), &ca.issue(&csr, &near)).await.json();
    assert!(!published.durable);
    let state = engine.state().await;
    assert!(state.certificates.contains(&published.certificate), "it is served from memory");

    let status = engine.status().await;
    let certificates = &status["certificates"];
    assert_eq!(
        (&certificates["counts"]["unsaved"], &certificates["unsaved"][0]["names"]),
        (&json!(1), &json!(["near.example"]))
    );
    let text = async |path: &str| String::from_utf8(engine.get(path).await.body.to_vec()).unwrap();
    assert!(text("/readyz").await.contains("renewed in memory alone"), "{}", text("/readyz").await);
    let metrics = text("/metrics").await;
    assert!(metrics.contains("envoy_autocert_certificates_unsaved 1\n"), "{metrics}");
    let count = |stored: &Value| stored["le"]["Certificates"].as_array().unwrap().len();
    let before = scene.stored();
    assert_eq!(count(&before), 2, "the old file is whole");

    scene.empty();
    granted(&engine, &far).await;
    assert_eq!(engine.status().await["certificates"]["counts"]["unsaved"], 0);
    let after = scene.stored();
    assert_eq!(count(&after), 2);
    assert_ne!(
        after["le"]["Certificates"][1]["certificate"], before["le"]["Certificates"][1]["certificate"],
        "it is saved"
    );
}
