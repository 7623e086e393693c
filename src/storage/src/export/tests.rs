#![allow(clippy::unwrap_used)]

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rcgen::{CertificateParams, KeyPair};
use tempfile::TempDir;

use super::*;
use crate::lease::LeaseBounds;
use crate::store::{Change, Revision, Store};
use crate::{Claim, Fence, FileStore};
use base::clock::Clock;
use pki::{Name, Pair, chain};

/// A storage in use, and a directory.
struct Fixture {
    home: TempDir,
    store: FileStore,
    fence: Fence,
}

impl Fixture {
    async fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let store = FileStore::open(&storages(&home), LeaseBounds::default(), Clock::system()).unwrap();
        let claim = Claim { holder: "a".into(), epoch: 1, ttl: Duration::from_secs(10) };
        let fence = Fence(store.claim(claim).await.unwrap().fence);
        Self { home, store, fence }
    }

    async fn with(certificates: &[&Certificate]) -> Self {
        let fixture = Self::new().await;
        for certificate in certificates {
            fixture.put(certificate).await;
        }
        fixture
    }

    async fn put(&self, certificate: &Certificate) {
        let key = certificate.facts.id();
        let expected = Revision::of(self.store.certificate(&key).await.unwrap().as_ref());
        let change = Change::Certificate { expected, certificate: certificate.clone() };
        self.store.commit(self.fence, vec![change]).await.unwrap();
    }

    fn at(&self, path: &str) -> PathBuf {
        self.home.path().join("out").join(path)
    }

    fn export(&self) -> Export {
        self.export_selected(Selection::default())
    }

    fn export_selected(&self, selection: Selection) -> Export {
        Export::new(storages(&self.home), selection, self.at(""))
    }

    fn run(&self) -> Report {
        self.export().run().unwrap()
    }

    /// The state of the directory, with times and inodes that show every write.
    fn state(&self) -> Vec<(PathBuf, u64, i64, i64)> {
        let mut state = Vec::new();
        let mut left = vec![self.at("")];
        while let Some(directory) = left.pop() {
            for path in fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().path()) {
                if path == self.at(LOCK) {
                    continue;
                }
                let metadata = fs::symlink_metadata(&path).unwrap();
                if metadata.is_dir() {
                    left.push(path.clone());
                }
                state.push((path, metadata.ino(), metadata.mtime(), metadata.mtime_nsec()));
            }
        }
        state.sort();
        state
    }
}

fn storages(home: &TempDir) -> Storages {
    Storages::from(home.path().join("acme.json").as_path())
}

/// A self-signed certificate as its own chain, for those of the names that are valid.
fn certificate(resolver: &str, names: &[&str]) -> Certificate {
    let key = KeyPair::generate().unwrap();
    let honest: Vec<String> =
        names.iter().filter_map(|name| Name::parse(name)).map(|name| name.as_str().into()).collect();
    let honest = if honest.is_empty() { vec!["honest.example".into()] } else { honest };
    let params = CertificateParams::new(honest).unwrap();
    let chain = params.self_signed(&key).unwrap().pem().repeat(2);
    let pair = Pair::parse(&chain, &key.serialize_pem()).unwrap();
    let id =
        protocol::CertificateId { resolver: resolver.into(), names: names.iter().map(|&name| name.into()).collect() };
    Certificate { facts: chain::facts(id, &pair).unwrap(), pair: Arc::new(pair) }
}

fn directories(exported: &[Exported]) -> Vec<String> {
    let name = |exported: &Exported| exported.directory.file_name().unwrap().to_str().unwrap().to_owned();
    exported.iter().map(name).collect()
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

#[tokio::test]
async fn a_pair_is_written_as_certbot_and_haproxy_have_it_and_its_key_is_private() {
    let certificate = certificate("le", &["a.example", "b.example"]);
    let fixture = Fixture::with(&[&certificate]).await;
    let report = fixture.run();
    assert_eq!((directories(&report.written), &report.problems), (vec!["a.example".to_owned()], &vec![]));
    assert_eq!(report.written[0].names, ["a.example", "b.example"]);

    let read = |name: &str| fs::read_to_string(fixture.at("a.example").join(name)).unwrap();
    let pair = &certificate.pair;
    assert_eq!(format!("{}{}", read("cert.pem"), read("chain.pem")), pair.chain_pem);
    assert_eq!(read("cert.pem").matches("BEGIN CERTIFICATE").count(), 1);
    assert_eq!(read("chain.pem").matches("BEGIN CERTIFICATE").count(), 1);
    assert_eq!((read("fullchain.pem"), read("privkey.pem")), (pair.chain_pem.clone(), pair.key_pem.clone()));
    assert_eq!(Pair::parse(&read("combined.pem"), &read("combined.pem")).unwrap().version, pair.version);
    for (name, expected) in [
        ("", 0o700),
        (".current/", 0o700),
        ("cert.pem", 0o644),
        ("chain.pem", 0o644),
        ("fullchain.pem", 0o644),
        ("privkey.pem", 0o600),
        ("combined.pem", 0o600),
    ] {
        assert_eq!(mode(&fixture.at("a.example").join(name)), expected, "{name}");
    }
    assert_eq!(mode(&fixture.at("")), 0o700);
}

#[tokio::test]
async fn a_second_run_touches_nothing() {
    let fixture = Fixture::with(&[&certificate("le", &["a.example"]), &certificate("le", &["*.a.example"])]).await;
    assert_eq!(directories(&fixture.run().written), ["_.a.example", "a.example"]);
    let before = fixture.state();
    let report = fixture.run();
    assert_eq!((report.written.len(), report.unchanged.len(), report.problems.len()), (0, 2, 0));
    assert_eq!(fixture.state(), before);
}

#[tokio::test]
async fn who_reads_during_renewals_never_sees_a_certificate_with_another_key() {
    let fixture = Fixture::with(&[&certificate("le", &["a.example"])]).await;
    let mut export = fixture.export();
    export.run().unwrap();
    let over = Arc::new(AtomicBool::new(false));
    let directory = fixture.at("a.example");
    let reader = std::thread::spawn({
        let over = over.clone();
        move || {
            let mut seen = BTreeSet::new();
            while !over.load(Ordering::Relaxed) {
                let combined = fs::read_to_string(directory.join("combined.pem")).unwrap();
                seen.insert(Pair::parse(&combined, &combined).unwrap().version);
                // A program that resolves the link once reads a whole pair.
                let current = fs::canonicalize(directory.join(".current")).unwrap();
                let read = |name: &str| fs::read_to_string(current.join(name));
                if let (Ok(chain), Ok(key)) = (read("fullchain.pem"), read("privkey.pem")) {
                    assert!(Pair::parse(&chain, &key).is_ok());
                }
            }
            seen.len()
        }
    });
    for _ in 0..30 {
        fixture.put(&certificate("le", &["a.example"])).await;
        assert_eq!(export.run().unwrap().written.len(), 1);
    }
    over.store(true, Ordering::Relaxed);
    assert!(reader.join().unwrap() > 2);
    let entries = fs::read_dir(fixture.at("a.example")).unwrap().map(|entry| entry.unwrap().file_name());
    let pairs = entries.filter(|name| name.to_str().unwrap().starts_with(".pair-")).count();
    assert_eq!(pairs, 2, "the current one, and the one before for who reads it");
}

#[tokio::test]
async fn what_is_not_ours_is_never_touched_and_holds_up_nothing_else() {
    let names = ["file.example", "link.example", "certbot.example", "current.example", "good.example"];
    let certificates = names.map(|name| certificate("le", &[name]));
    let fixture = Fixture::with(&certificates.each_ref()).await;
    fs::create_dir_all(fixture.at("certbot.example")).unwrap();
    fs::create_dir_all(fixture.at("current.example/.current")).unwrap();
    fs::create_dir_all(fixture.at("elsewhere")).unwrap();
    fs::write(fixture.at("file.example"), "mine").unwrap();
    fs::write(fixture.at("certbot.example/cert.pem"), "mine").unwrap();
    symlink(fixture.at("elsewhere"), fixture.at("link.example")).unwrap();
    let before = fixture.state();

    let report = fixture.run();
    assert_eq!(directories(&report.written), ["good.example"]);
    assert_eq!(report.problems.len(), 4);
    for path in ["file.example", "link.example", "certbot.example/cert.pem", "current.example/.current"] {
        let told = format!("{} is in the way", fixture.at(path).display());
        assert!(report.problems.iter().any(|problem| problem.starts_with(&told)), "{told}: {:?}", report.problems);
    }
    let mut after = fixture.state();
    after.retain(|(path, ..)| !path.starts_with(fixture.at("good.example")));
    assert_eq!(after, before);
}

#[tokio::test]
async fn what_a_crash_or_somebodys_hand_left_is_mended() {
    let wanted = certificate("le", &["a.example"]);
    let fixture = Fixture::with(&[&wanted]).await;
    fs::create_dir_all(fixture.at(".envoy-autocert.new/junk")).unwrap();
    fixture.run();
    assert!(!fixture.at(".envoy-autocert.new").exists());

    fs::create_dir(fixture.at("a.example/.new-pair")).unwrap();
    fs::write(fixture.at("a.example/.new-pair/cert.pem"), "half").unwrap();
    symlink("nowhere", fixture.at("a.example/.new-link")).unwrap();
    fs::remove_file(fixture.at("a.example/chain.pem")).unwrap();
    fs::write(fixture.at("a.example/privkey.pem"), "edited").unwrap();
    assert_eq!(fixture.run().written.len(), 1);
    let read = |name: &str| fs::read_to_string(fixture.at("a.example").join(name)).unwrap();
    assert_eq!(read("privkey.pem"), wanted.pair.key_pem);
    assert!(read("chain.pem").starts_with("-----BEGIN CERTIFICATE"));
    assert_eq!(fixture.run().unchanged.len(), 1);
}

#[tokio::test]
async fn no_name_leads_out_of_the_directory() {
    let hostile = ["../../out-of-it", "/tmp/out-of-it", "..", "a/b", ".current", "\u{1b}[2J"];
    let certificates = hostile.map(|name| certificate("le", &[name]));
    let fixture = Fixture::with(&certificates.each_ref()).await;
    let report = fixture.run();
    assert_eq!((report.written.len(), report.problems.len()), (0, hostile.len()));
    assert!(report.problems.iter().all(|problem| !problem.contains('\u{1b}')));
    assert_eq!(fixture.state(), []);
    assert!(!fixture.home.path().join("out-of-it").exists());
}

#[tokio::test]
async fn certificates_with_one_main_name_have_directories_that_stay_theirs() {
    let small = certificate("le", &["a.example"]);
    let large = certificate("le", &["a.example", "b.example"]);
    let other = certificate("zero", &["a.example"]);
    let fixture = Fixture::with(&[&small, &large, &other]).await;
    let names = |report: &Report| -> Vec<(String, String, usize)> {
        let all = report.written.iter().chain(&report.unchanged);
        let named = |exported: &Exported| {
            (directories(std::slice::from_ref(exported))[0].clone(), exported.resolver.clone(), exported.names.len())
        };
        let mut names: Vec<_> = all.map(named).collect();
        names.sort();
        names
    };
    let before = names(&fixture.run());
    assert_eq!(before[0], ("a.example".into(), "le".into(), 2));
    assert!(before.iter().skip(1).all(|(name, ..)| name.starts_with("a.example+") && name.len() == 18));
    fixture.put(&certificate("le", &["a.example"])).await;
    let report = fixture.run();
    assert_eq!((report.written.len(), names(&report)), (1, before));
    assert_eq!(report.left, Vec::<PathBuf>::new());
}

#[tokio::test]
async fn a_selection_is_by_resolver_and_by_name() {
    let fixture = Fixture::with(&[
        &certificate("le", &["a.example"]),
        &certificate("le", &["b.example", "c.example"]),
        &certificate("zero", &["*.a.example"]),
    ])
    .await;
    let run = |resolver: Option<&str>, domains: &[&str]| {
        let domains = domains.iter().map(|name| Name::parse(name).unwrap()).collect();
        let report =
            fixture.export_selected(Selection { resolver: resolver.map(str::to_owned), domains }).run().unwrap();
        let mut all = directories(&[report.written, report.unchanged].concat());
        all.sort();
        (all.join(" "), report.problems.join(" "), report.left.len())
    };
    assert_eq!(run(Some("zero"), &[]), ("_.a.example".into(), String::new(), 0));
    assert_eq!(run(None, &["c.example"]), ("b.example".into(), String::new(), 0));
    assert_eq!(run(None, &["WWW.a.example.", "a.example"]), ("_.a.example a.example".into(), String::new(), 0));
    assert_eq!(run(Some("le"), &["x.example"]), (String::new(), "there is no certificate for x.example".into(), 0));
}

#[tokio::test]
async fn a_certificate_that_is_no_longer_stored_is_left_and_reported() {
    let fixture = Fixture::with(&[&certificate("le", &["a.example"])]).await;
    fixture.run();
    let emptied = fixture.home.path().join("empty.json");
    fs::write(&emptied, "").unwrap();
    let mut export = Export::new(Storages::from(emptied.as_path()), Selection::default(), fixture.at(""));
    let before = fixture.state();
    let report = export.run().unwrap();
    assert_eq!((report.left.clone(), report.unchanged.len()), (vec![fixture.at("a.example")], 0));
    assert_eq!(fixture.state(), before);
    let mut out = Vec::new();
    let mut errors = Vec::new();
    report.write_text(&Report::default(), &mut out, &mut errors).unwrap();
    assert!(String::from_utf8(out).unwrap().contains("a.example: left as it is"));
    let mut again = Vec::new();
    report.write_text(&report, &mut again, &mut errors).unwrap();
    assert_eq!((again.len(), errors.len()), (0, 0));
}

#[tokio::test]
async fn a_report_has_nothing_of_a_key() {
    let fixture = Fixture::with(&[&certificate("le", &["a.example"])]).await;
    let report = fixture.run();
    let mut json = Vec::new();
    let mut text = Vec::new();
    report.write_json(&mut json).unwrap();
    report.write_text(&Report::default(), &mut text, &mut Vec::new()).unwrap();
    let parsed: serde_json::Value = serde_json::from_slice(&json).unwrap();
    let members: Vec<_> = parsed["written"][0].as_object().unwrap().keys().cloned().collect();
    assert_eq!(members, ["directory", "names", "notAfter", "resolver"]);
    assert_eq!((json.last(), json.iter().filter(|byte| **byte == b'\n').count()), (Some(&b'\n'), 1));
    let text = String::from_utf8(text).unwrap();
    assert!(text.contains("(le: a.example; valid until ") && !text.contains("PRIVATE"), "{text}");
}

#[tokio::test]
async fn of_several_storages_each_resolvers_own_one_counts() {
    let fixture = Fixture::with(&[&certificate("le", &["a.example"]), &certificate("zero", &["z.example"])]).await;
    let own = fixture.home.path().join("le.json");
    let both = Storages { default: fixture.home.path().join("acme.json"), own: [("le".into(), own)].into() };
    let mut export = Export::new(both.clone(), Selection::default(), fixture.at(""));
    assert_eq!(directories(&export.run().unwrap().written), ["a.example", "z.example"]);

    fixture.store.close().await.unwrap();
    drop(fixture.store);
    let store = FileStore::open(&both, LeaseBounds::default(), Clock::system()).unwrap();
    let fence = Fence(store.claim(Claim { holder: "a".into(), epoch: 2, ttl: Duration::ZERO }).await.unwrap().fence);
    let renewed = certificate("le", &["a.example"]);
    let key = renewed.facts.id();
    let expected = Revision::of(store.certificate(&key).await.unwrap().as_ref());
    store.commit(fence, vec![Change::Certificate { expected, certificate: renewed.clone() }]).await.unwrap();
    assert_eq!(directories(&export.run().unwrap().written), ["a.example"]);
    let written = fs::read_to_string(fixture.home.path().join("out/a.example/fullchain.pem")).unwrap();
    assert_eq!(written, renewed.pair.chain_pem);
}

/// L1: a user who may only read a directory may lock it, too.
#[tokio::test]
async fn a_user_who_can_only_read_the_directory_holds_up_nothing() {
    let fixture = Fixture::with(&[&certificate("le", &["a.example"])]).await;
    fs::create_dir(fixture.at("")).unwrap();
    let strangers = fs::File::open(fixture.at("")).unwrap();
    strangers.lock().unwrap();
    assert_eq!(directories(&fixture.run().written), ["a.example"]);
    assert_eq!(mode(&fixture.at(LOCK)), 0o600);
}

#[test]
fn a_storage_that_is_missing_or_broken_is_named_and_nothing_is_made() {
    let home = tempfile::tempdir().unwrap();
    let out = home.path().join("out");
    let run = || Export::new(storages(&home), Selection::default(), out.clone()).run().unwrap_err();
    assert!(run().is_missing_storage());
    fs::write(home.path().join("acme.json"), "not JSON").unwrap();
    let error = run();
    assert!(!error.is_missing_storage() && error.to_string().contains("acme.json: at line 1"), "{error}");
    assert!(!out.exists());
}
