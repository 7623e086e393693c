#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use rcgen::{CertificateParams, KeyPair};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::super::contract;
use super::disk::Disk;
use super::*;
use base::clock::Clock;
use pki::{Pair, chain};

/// Files for the resolvers `le` and `zero`, and one for all others.
struct Fixture {
    directory: TempDir,
    own: Vec<&'static str>,
}

impl Fixture {
    fn new(own: &[&'static str]) -> Self {
        Self { directory: tempfile::tempdir().unwrap(), own: own.to_vec() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        let (mut disk, _) = Disk::open(&self.path(name), Clock::system()).unwrap();
        disk.replace(|out| out.write_all(text.as_bytes())).unwrap();
    }

    fn read(&self, name: &str) -> Value {
        serde_json::from_slice(&fs::read(self.path(name)).unwrap()).unwrap()
    }

    fn resolvers(&self, name: &str) -> Vec<String> {
        self.read(name).as_object().unwrap().keys().cloned().collect()
    }

    fn try_open(&self) -> Result<FileStore, OpenError> {
        let own = self.own.iter().map(|name| ((*name).to_owned(), self.path(name))).collect();
        FileStore::open(&Storages { default: self.path("acme.json"), own }, LeaseBounds::default(), Clock::system())
    }

    fn open(&self) -> FileStore {
        self.try_open().unwrap()
    }

    /// Makes the next write of this file fail.
    fn block(&self, name: &str) {
        fs::create_dir(self.path(&format!(".{name}.new"))).unwrap();
    }

    fn unblock(&self, name: &str) {
        fs::remove_dir(self.path(&format!(".{name}.new"))).unwrap();
    }
}

async fn hold(store: &FileStore) -> Fence {
    let claim = Claim { holder: "a".into(), epoch: 1, ttl: Duration::from_secs(10) };
    Fence(store.claim(claim).await.unwrap().fence)
}

fn order(resolver: &str, name: &str) -> Change {
    let id = protocol::CertificateId { resolver: resolver.into(), names: vec![name.into()] };
    let url = format!("https://ca.example/order/{name}");
    let order = protocol::Order {
        certificate: id.clone(),
        url,
        ca_server: "https://ca.example".into(),
        created: 1,
        ..protocol::Order::default()
    };
    Change::Progress { expected: Revision::ABSENT, progress: Progress { order: Some(order), ..Progress::none(id) } }
}

fn certificate(resolver: &str, name: &str) -> Certificate {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    let pair = Pair::parse(&params.self_signed(&key).unwrap().pem(), &key.serialize_pem()).unwrap();
    let id = protocol::CertificateId { resolver: resolver.into(), names: vec![name.to_owned()] };
    Certificate { facts: chain::facts(id, &pair).unwrap(), pair: Arc::new(pair) }
}

fn new(certificate: &Certificate) -> Change {
    Change::Certificate { expected: Revision::ABSENT, certificate: certificate.clone() }
}

async fn listed(store: &FileStore) -> Vec<(String, String)> {
    let certificates = store.certificates().await.unwrap().into_iter();
    let mut listed: Vec<_> = certificates
        .map(|certificate| (certificate.facts.resolver.clone(), certificate.facts.names[0].clone()))
        .collect();
    listed.sort();
    listed
}

fn names(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(resolver, name)| ((*resolver).to_owned(), (*name).to_owned())).collect()
}

#[tokio::test]
async fn it_keeps_the_contract_also_with_what_another_tool_left() {
    for text in ["", r#"{"le": {"Account": {"PrivateKey": "x"}, "Certificates": [null]}}"#] {
        for own in [&[][..], &["le"], &["another"], &["le", "another"]] {
            let fixture = Fixture::new(own);
            fixture.write("acme.json", text);
            contract::check(&fixture.open()).await;
        }
    }
}

#[tokio::test]
async fn what_is_closed_is_saved_and_takes_no_more() {
    for own in [&[][..], &["le"]] {
        let fixture = Fixture::new(own);
        let store = fixture.open();
        contract::check(&store).await;
        store.close().await.unwrap();
        assert!(matches!(store.commit(Fence(0), Vec::new()).await, Err(CommitError::Unavailable(_))));

        let before = store.all_progress().await.unwrap();
        let after = fixture.open().all_progress().await.unwrap();
        assert!(!after.is_empty() && after == before);
    }
}

#[tokio::test]
async fn a_failed_try_keeps_what_it_was_made_with_and_an_older_one_remembers_nothing() {
    let fixture = Fixture::new(&[]);
    let progress = |name: &str, attempt: Value| json!({"names": [name], "attempt": attempt});
    let old = progress("a.example", json!({"failures": 1, "retryAt": 77, "reason": "no"}));
    let new = progress(
        "b.example",
        json!({"failures": 1, "retryAt": 77, "reason": "no", "madeWith": u32::MAX, "permanent": {"since": 7, "hurries": 2}}),
    );
    fixture.write("acme.json", &json!({"le": {"EnvoyAutocert": {"progress": [&old, &new]}}}).to_string());

    let store = fixture.open();
    let read = store.all_progress().await.unwrap();
    let mut made_with: Vec<_> = read.iter().map(|progress| progress.attempt.as_ref().unwrap().fingerprint).collect();
    made_with.sort();
    assert_eq!(made_with, [None, Some(u32::MAX)]);

    let fence = hold(&store).await;
    store.commit(fence, vec![order("le", "c.example")]).await.unwrap();
    assert_eq!(fixture.read("acme.json")["le"]["EnvoyAutocert"]["progress"].as_array().unwrap()[..2], [old, new]);
}

#[tokio::test]
async fn each_resolver_is_written_to_its_own_file() {
    let fixture = Fixture::new(&["le", "zero"]);
    let store = fixture.open();
    let fence = hold(&store).await;
    let changes = vec![order("le", "a.example"), order("zero", "a.example"), order("other", "a.example")];
    store.commit(fence, changes).await.unwrap();
    assert_eq!(fixture.resolvers("le"), ["le"]);
    assert_eq!(fixture.resolvers("zero"), ["zero"]);
    assert_eq!(fixture.resolvers("acme.json"), ["other"]);
    assert_eq!(store.all_progress().await.unwrap().len(), 3);
}

#[tokio::test]
async fn two_resolvers_with_one_path_share_the_file() {
    let fixture = Fixture::new(&[]);
    let own = ["le", "zero"].map(|resolver| (resolver.to_owned(), fixture.path("both.json"))).into();
    let storages = Storages { default: fixture.path("acme.json"), own };
    let store = FileStore::open(&storages, LeaseBounds::default(), Clock::system()).unwrap();
    let fence = hold(&store).await;
    store.commit(fence, vec![order("le", "a.example"), order("zero", "b.example")]).await.unwrap();
    assert_eq!(fixture.resolvers("both.json"), ["le", "zero"]);
    let resolvers: Vec<_> = store.storages().into_iter().map(|storage| storage.resolvers).collect();
    assert_eq!(resolvers, [vec![], vec!["le".to_owned(), "zero".to_owned()]]);
}

#[tokio::test]
async fn a_fence_is_checked_for_every_file_and_higher_than_any_stored_in_one() {
    let fixture = Fixture::new(&["le"]);
    let stored = u64::MAX / 2;
    fixture.write("le", &json!({"le": {"EnvoyAutocert": {"leaseFence": stored}}}).to_string());
    let store = fixture.open();
    let old = hold(&store).await;
    assert!(old.0 > stored);
    let next = store.claim(Claim { holder: "a".into(), epoch: 2, ttl: Duration::ZERO }).await.unwrap();
    for resolver in ["le", "other"] {
        let late = store.commit(old, vec![order(resolver, "late.example")]).await;
        assert_eq!(late, Err(CommitError::FenceLost), "{resolver}");
    }
    store.commit(Fence(next.fence), vec![order("le", "a.example")]).await.unwrap();
    assert_eq!(fixture.read("le")["le"]["EnvoyAutocert"]["leaseFence"], next.fence);
}

#[tokio::test]
async fn a_file_that_can_not_be_written_holds_up_only_its_own_resolvers() {
    let fixture = Fixture::new(&["le"]);
    let store = fixture.open();
    fixture.block("le");
    let fence = hold(&store).await;
    let unsaved = store.commit(fence, vec![order("le", "a.example")]).await;
    let place = fixture.path("le").display().to_string();
    assert!(matches!(&unsaved, Err(CommitError::Unsaved(why)) if why.starts_with(&place)), "{unsaved:?}");
    assert_eq!(store.commit(fence, vec![order("other", "a.example")]).await, Ok(()));
    assert_eq!(store.all_progress().await.unwrap().len(), 2);
    let failing = |store: &FileStore| {
        let failing = store.storages().into_iter().filter(|storage| storage.disk.error.is_some());
        failing.map(|storage| (storage.place, storage.resolvers)).collect::<Vec<_>>()
    };
    assert_eq!(failing(&store), [(place, vec!["le".to_owned()])]);

    fixture.unblock("le");
    store.commit(fence, vec![order("le", "b.example")]).await.unwrap();
    assert_eq!(failing(&store), []);
    assert_eq!(fixture.read("le")["le"]["EnvoyAutocert"]["progress"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn who_watches_learns_of_changes_in_every_file() {
    let fixture = Fixture::new(&["le"]);
    let store = fixture.open();
    let mut changes = store.watch();
    let fence = hold(&store).await;
    for resolver in ["le", "other"] {
        store.commit(fence, vec![new(&certificate(resolver, "a.example"))]).await.unwrap();
        assert_eq!(changes.recv().await.unwrap().resolver, resolver);
    }
}

#[tokio::test]
async fn a_resolver_that_gets_a_file_of_its_own_takes_along_what_it_has() {
    let mut fixture = Fixture::new(&[]);
    let store = fixture.open();
    let fence = hold(&store).await;
    let changes =
        vec![order("le", "b.example"), new(&certificate("le", "a.example")), new(&certificate("x", "a.example"))];
    store.commit(fence, changes).await.unwrap();
    store.close().await.unwrap();
    let before = fixture.read("acme.json");

    fixture.own = vec!["le"];
    let store = fixture.open();
    assert_eq!(fixture.read("le")["le"]["Certificates"], before["le"]["Certificates"]);
    assert_eq!(fixture.read("acme.json"), before);
    assert_eq!(listed(&store).await, names(&[("le", "a.example"), ("x", "a.example")]));
    assert_eq!(store.all_progress().await.unwrap().len(), 1);

    let key = certificate("le", "a.example").facts.id();
    let expected = Revision::of(store.certificate(&key).await.unwrap().as_ref());
    let renewed = certificate("le", "a.example");
    let change = Change::Certificate { expected, certificate: renewed.clone() };
    store.commit(hold(&store).await, vec![change]).await.unwrap();
    store.close().await.unwrap();
    assert_eq!(fixture.read("acme.json")["le"]["Certificates"], before["le"]["Certificates"]);

    // The file has records now, so nothing is copied a second time.
    let store = fixture.open();
    assert!(store.certificate(&key).await.unwrap().unwrap().value.is_same(&renewed));
    assert_eq!(listed(&store).await, names(&[("le", "a.example"), ("x", "a.example")]));
}

#[tokio::test]
async fn a_certificate_in_a_file_of_others_is_served_and_renewed_where_it_belongs() {
    let mut fixture = Fixture::new(&[]);
    let store = fixture.open();
    let fence = hold(&store).await;
    let old = certificate("le", "a.example");
    store.commit(fence, vec![new(&old)]).await.unwrap();
    store.close().await.unwrap();
    fixture.write("le", &json!({"le": {"kept": true}}).to_string());

    fixture.own = vec!["le"];
    let store = fixture.open();
    let key = old.facts.id();
    let found = store.certificate(&key).await.unwrap().unwrap();
    assert!(found.value.is_same(&old) && found.revision == Revision::ABSENT);
    assert_eq!(listed(&store).await, names(&[("le", "a.example")]));

    let renewed = certificate("le", "a.example");
    let change = Change::Certificate { expected: found.revision, certificate: renewed.clone() };
    store.commit(hold(&store).await, vec![change]).await.unwrap();
    assert_eq!(fixture.read("le")["le"]["Certificates"].as_array().unwrap().len(), 1);
    assert_eq!(listed(&store).await, names(&[("le", "a.example")]));
    assert!(store.certificate(&key).await.unwrap().unwrap().value.is_same(&renewed));
}

#[test]
fn an_unusable_file_is_named_with_the_resolvers_whose_it_is_and_nothing_is_made() {
    let fixture = Fixture::new(&[]);
    fixture.write("own.json", "not JSON");
    let own = ["le", "zero"].map(|resolver| (resolver.to_owned(), fixture.path("own.json"))).into();
    let storages = Storages { default: fixture.path("acme.json"), own };
    let error = FileStore::open(&storages, LeaseBounds::default(), Clock::system()).err().unwrap().to_string();
    let expected = format!("resolvers le, zero: storage {}: at line 1", fixture.path("own.json").display());
    assert!(error.starts_with(&expected), "{error}");
    assert!(!fixture.path("acme.json").exists());
}

#[test]
fn a_file_that_root_changes_stays_its_owners() {
    use std::os::unix::fs::{MetadataExt, chown};

    /// Some user and group; they needn't exist.
    const SOMEBODY: u32 = 54321;
    if !rustix::process::geteuid().is_root() {
        // Other users can't change a file that only its owner may read.
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("acme.json");
    drop(FileStore::open(&Storages::from(path.as_path()), LeaseBounds::default(), Clock::system()).unwrap());
    let lock = directory.path().join("acme.json.lock");
    fs::remove_file(&lock).unwrap();
    chown(&path, Some(SOMEBODY), Some(SOMEBODY)).unwrap();
    chown(directory.path(), Some(SOMEBODY), Some(SOMEBODY)).unwrap();
    let mut offline = Offline::open(&Storages::from(path.as_path()), &Clock::system()).unwrap();
    offline.make(vec![new(&certificate("le", "a.example"))]).unwrap();
    assert_eq!(offline.save().unwrap().len(), 1);
    for path in [path, lock] {
        let metadata = fs::metadata(path).unwrap();
        assert_eq!((metadata.uid(), metadata.gid(), metadata.mode() & 0o777), (SOMEBODY, SOMEBODY, 0o600));
    }
}

/// Every field of the records in progress, as versions with records of their own wrote them.
#[tokio::test]
async fn every_field_of_an_earlier_versions_file_is_read_and_written_again() {
    let fixture = Fixture::new(&[]);
    let under_way = json!({
        "url": "https://ca.example/order/1",
        "caServer": "https://ca.example/directory",
        "issuer": "other",
        "created": 1,
        "failedWays": [{"name": "a.example", "challenge": "tls-alpn-01"}, {"name": "a.example", "challenge": "of-a-newer-version"}],
        "finalize": "https://ca.example/order/1/finalize",
        "authorizations": ["https://ca.example/authz/1"],
        "expires": 2,
        "notAfter": 3,
        "reached": 4,
        "resumptions": 5,
        "refusals": 6,
        "waits": 7,
        "complaint": "a.example: http-01: no route",
    });
    let permanent = json!({"since": 7, "hurries": 2});
    let attempt = json!({
        "failures": 1,
        "retryAt": 77,
        "reason": "no",
        "madeWith": u32::MAX,
        "hasNamedReplaced": true,
        "permanent": permanent,
        "failedWays": [{"name": "a.example", "challenge": "http-01"}],
        "elsewhere": [{"resolver": "other", "failures": 3, "retryAt": 78, "permanent": permanent}],
    });
    let begun = json!({
        "count": 1,
        "since": 1000,
        "fence": 9,
        "permitted": {
            "issuer": "other",
            "caServer": "https://ca.example/directory",
            "placesOrder": true,
            "renews": true,
            "replaces": true,
            "insteadOf": "https://ca.example/order/0",
        },
        "failures": "5/1h",
    });
    let pending_key = json!({"order": "https://ca.example/order/1", "keyType": "EC256", "key": "AQID"});
    let entry = json!({
        "names": ["b.example", "a.example"],
        "order": under_way,
        "pendingKey": pending_key,
        "attempt": attempt,
        "begun": begun,
    });
    let certificate = certificate("le", "a.example");
    let renewal = json!({
        "serial": certificate.facts.serial,
        "issuedBy": "other",
        "caServer": "https://ca.example/directory",
        "otherCa": {"caServer": "https://other.example/directory", "atOnce": true},
        "suggestion": {"start": 1, "end": 3, "renewAt": 2, "explanation": "https://ca.example/why"},
        "askAt": 4,
        "hurries": 5,
        "restUntil": 6,
    });
    let of_stored = json!({"names": ["a.example"], "renewal": renewal, "unwanted": {"since": 7, "said": true}});
    let limits = json!({"orders": "300/3h", "certificates": "50/7d", "duplicates": "5/7d", "failures": "5/1h"});
    let ledger = json!({"orders": i64::MAX, "limits": limits});
    let stored = json!({
        "domain": {"main": "a.example"},
        "certificate": BASE64.encode(certificate.pair.chain_pem.as_bytes()),
        "key": BASE64.encode(certificate.pair.key_pem.as_bytes()),
        "Store": "default",
    });
    let ours = json!({"leaseFence": 3, "progress": [of_stored, entry], "ledgers": {"ca.example": ledger}, "x": 1});
    fixture.write("acme.json", &json!({"le": {"Certificates": [stored], "EnvoyAutocert": ours}}).to_string());

    let store = fixture.open();
    let fence = hold(&store).await;
    store.commit(fence, vec![order("le", "new.example")]).await.unwrap();
    let written = fixture.read("acme.json")["le"]["EnvoyAutocert"].clone();
    for expected in [&entry, &of_stored] {
        let found = written["progress"].as_array().unwrap().iter().find(|found| found["names"] == expected["names"]);
        assert_eq!(found, Some(expected));
    }
    assert_eq!((&written["ledgers"]["ca.example"], &written["x"]), (&ledger, &json!(1)));
}
