//! Files come, change, break and go; the catalog holds what can be served.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::os::unix::fs::symlink;
use std::time::Duration;

use rcgen::{CertificateParams, KeyPair};
use tempfile::TempDir;
use time::OffsetDateTime;

use super::*;
use base::clock::Clock;

/// A chain and a key in PEM.
struct Pem {
    chain: String,
    key: String,
}

fn pem(name: &str) -> Pem {
    pem_until(name, 4_000_000_000)
}

fn pem_until(name: &str, not_after: i64) -> Pem {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    params.not_before = OffsetDateTime::from_unix_timestamp(0).unwrap();
    params.not_after = OffsetDateTime::from_unix_timestamp(not_after).unwrap();
    Pem { chain: params.self_signed(&key).unwrap().pem(), key: key.serialize_pem() }
}

/// A directory of certificates with its reader and catalog.
struct Desk {
    directory: TempDir,
    provided: Provided,
    catalog: Arc<Catalog>,
}

impl Desk {
    fn new() -> Self {
        let directory = TempDir::new().unwrap();
        let sources = Sources { directories: vec![directory.path().to_owned()], ..Sources::default() };
        let catalog = Arc::new(Catalog::new(DefaultCertificate::None));
        Self { directory, provided: Provided::new(sources, Clock::system()), catalog }
    }

    fn path(&self, file: &str) -> PathBuf {
        self.directory.path().join(file)
    }

    fn write(&self, file: &str, content: &str) {
        fs::create_dir_all(self.path(file).parent().unwrap()).unwrap();
        fs::write(self.path(file), content).unwrap();
    }

    fn write_pair(&self, name: &str, pem: &Pem) {
        self.write(&format!("{name}.crt"), &pem.chain);
        self.write(&format!("{name}.key"), &pem.key);
    }

    fn read(&mut self) {
        self.provided.read(&self.catalog);
    }

    fn served(&self, name: &str) -> Option<String> {
        self.catalog.best(name, Clock::system().now_seconds()).map(|pair| pair.chain_pem.replace('\r', ""))
    }

    fn problem(&self, file: &str) -> &str {
        self.provided.problems.get(&self.path(file)).map_or("none", String::as_str)
    }
}

fn same(served: Option<String>, pem: &Pem) -> bool {
    served.is_some_and(|chain| chain.split_whitespace().eq(pem.chain.split_whitespace()))
}

#[test]
fn every_layout_is_found() {
    let mut desk = Desk::new();
    let pems: Vec<Pem> = (0..6).map(|number| pem(&format!("n{number}.test"))).collect();
    desk.write_pair("zero", &pems[0]);
    desk.write("one.pem", &format!("{}{}", pems[1].key, pems[1].chain));
    desk.write("two.pem", &pems[2].chain);
    desk.write("two-key.pem", &pems[2].key);
    desk.write("three/fullchain.pem", &pems[3].chain);
    desk.write("three/cert.pem", &pems[3].chain);
    desk.write("three/chain.pem", &pems[3].chain);
    desk.write("three/privkey.pem", &pems[3].key);
    desk.write("four/tls.crt", &pems[4].chain);
    desk.write("four/tls.key", &pems[4].key);
    desk.write("five.cer", &pems[5].chain);
    desk.write("five.key", &pems[5].key);
    desk.write("zero.issuer.crt", &pems[0].chain);
    desk.read();
    for (number, pem) in pems.iter().enumerate() {
        assert!(same(desk.served(&format!("n{number}.test")), pem), "{number}");
    }
    assert!(desk.provided.problems.is_empty(), "{:?}", desk.provided.problems);
}

#[test]
fn certbots_links_are_followed_and_a_renewal_replaces_them() {
    let mut desk = Desk::new();
    let archive = TempDir::new().unwrap();
    let old = pem("a.test");
    let new = pem("a.test");
    fs::create_dir(desk.path("a.test")).unwrap();
    for (number, pem) in [&old, &new].into_iter().enumerate() {
        for (file, content) in [("fullchain", &pem.chain), ("privkey", &pem.key)] {
            let target = archive.path().join(format!("{file}{number}.pem"));
            fs::write(&target, content).unwrap();
            let link = desk.path(&format!("a.test/{file}.pem"));
            let _ = fs::remove_file(&link);
            symlink(&target, &link).unwrap();
        }
        desk.read();
        assert!(same(desk.served("a.test"), pem), "{number}");
    }
}

#[test]
fn a_mismatched_pair_is_never_served_and_never_evicts() {
    let mut desk = Desk::new();
    let good = pem("a.test");
    let other = pem("a.test");
    desk.write("a.crt", &good.chain);
    desk.write("a.key", &other.key);
    desk.read();
    assert_eq!(desk.served("a.test"), None);
    assert!(desk.problem("a.crt").contains("not the one of the certificate"), "{}", desk.problem("a.crt"));
    desk.write("a.key", &good.key);
    desk.read();
    assert!(same(desk.served("a.test"), &good));
    assert_eq!(desk.problem("a.crt"), "none");
    desk.write("a.key", &other.key);
    desk.read();
    assert!(same(desk.served("a.test"), &good));
    assert!(desk.problem("a.crt").contains("stays in use"), "{}", desk.problem("a.crt"));
}

#[test]
fn a_half_written_file_never_evicts() {
    let mut desk = Desk::new();
    let good = pem("a.test");
    let new = pem("a.test");
    desk.write_pair("a", &good);
    desk.read();
    for cut in [0, 1, 30, new.chain.len() / 2, new.chain.len() - 2] {
        desk.write("a.key", &new.key);
        desk.write("a.crt", &new.chain[..cut]);
        desk.read();
        assert!(same(desk.served("a.test"), &good), "cut at {cut}");
    }
    desk.write("a.crt", &new.chain);
    desk.read();
    assert!(same(desk.served("a.test"), &new));
}

#[test]
fn an_expired_certificate_is_skipped_and_never_evicts() {
    let mut desk = Desk::new();
    let good = pem("a.test");
    let expired = pem_until("a.test", 1_000_000_000);
    desk.write_pair("a", &expired);
    desk.read();
    assert_eq!(desk.served("a.test"), None);
    assert!(desk.problem("a.crt").contains("expired on 2001-09-09"), "{}", desk.problem("a.crt"));
    desk.write_pair("a", &good);
    desk.read();
    desk.write_pair("a", &expired);
    desk.read();
    assert!(same(desk.served("a.test"), &good));
}

#[test]
fn a_pair_goes_when_both_files_are_gone_and_not_before() {
    let mut desk = Desk::new();
    let good = pem("a.test");
    desk.write_pair("a", &good);
    desk.read();
    fs::remove_file(desk.path("a.key")).unwrap();
    desk.read();
    assert!(same(desk.served("a.test"), &good), "it may be being replaced");
    assert!(desk.problem("a.crt").contains("no key for it"), "{}", desk.problem("a.crt"));
    fs::remove_file(desk.path("a.crt")).unwrap();
    desk.read();
    assert_eq!(desk.served("a.test"), None);
}

#[test]
fn a_directory_that_vanishes_takes_nothing_away() {
    let mut desk = Desk::new();
    let good = pem("a.test");
    desk.write_pair("a", &good);
    desk.read();
    let here = desk.directory.path().to_owned();
    let away = desk.directory.path().with_extension("away");
    fs::rename(&here, &away).unwrap();
    desk.read();
    assert!(same(desk.served("a.test"), &good));
    fs::rename(&away, &here).unwrap();
    desk.read();
    assert!(desk.provided.problems.is_empty());
}

#[test]
fn one_bad_pair_does_not_hold_up_the_others() {
    let mut desk = Desk::new();
    let good = pem("a.test");
    desk.write_pair("a", &good);
    desk.write("b.crt", "no PEM at all");
    desk.write("b.key", "nor here");
    desk.write("huge.pem", &"-----BEGIN PRIVATE KEY-----\n".repeat(60_000));
    desk.read();
    assert!(same(desk.served("a.test"), &good));
    assert!(desk.problem("b.crt").contains("found no certificate"), "{}", desk.problem("b.crt"));
    assert!(desk.problem("huge.pem").contains("bytes"), "{}", desk.problem("huge.pem"));
}

#[test]
fn a_default_in_files_is_read_again_and_a_bad_one_changes_nothing() {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("default.pem");
    let files = Files { certificate: file.clone(), key: file.clone() };
    let one = pem("default.test");
    let other = pem("default.test");
    fs::write(&file, format!("{}{}", one.chain, one.key)).unwrap();
    let catalog = Catalog::new(DefaultCertificate::Pair(Arc::new(files.load().unwrap())));
    let mut provided = Provided::new(Sources { default: Some(files), ..Sources::default() }, Clock::system());
    let served = || catalog.best("any.test", Clock::system().now_seconds()).map(|pair| pair.chain_pem.clone());
    provided.read(&catalog);
    fs::write(&file, format!("{}{}", other.chain, one.key)).unwrap();
    provided.read(&catalog);
    assert!(same(served(), &one));
    fs::write(&file, format!("{}{}", other.chain, other.key)).unwrap();
    provided.read(&catalog);
    assert!(same(served(), &other));
}

#[tokio::test]
async fn a_change_is_picked_up_by_itself() {
    let desk = Desk::new();
    desk.write_pair("first", &pem("first.test"));
    let Desk { directory, provided, catalog } = desk;
    let mut changes = catalog.changes();
    let keeper = tokio::spawn(provided.keep_current(catalog.clone()));
    let mut change = async || {
        // Less than the interval at which it would be read anyway.
        tokio::time::timeout(Duration::from_secs(30), changes.changed()).await.unwrap().unwrap();
    };
    change().await;
    let new = pem("a.test");
    let sub_directory = directory.path().join("sub");
    fs::create_dir(&sub_directory).unwrap();
    fs::write(sub_directory.join("a.crt"), &new.chain).unwrap();
    fs::write(sub_directory.join("a.key"), &new.key).unwrap();
    change().await;
    assert!(same(catalog.best("a.test", Clock::system().now_seconds()).map(|pair| pair.chain_pem.clone()), &new));
    keeper.abort();
}
