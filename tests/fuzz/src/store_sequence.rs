//! Sequences of changes to the store, right and wrong ones, with crashes between them.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use arbitrary::{Result, Unstructured};
use base::clock::Clock;
use futures::FutureExt;
use pki::secret::Secret;
use storage::{
    Change, Claim, CommitError, Fence, FileStore, LeaseBounds, PendingKey, Progress, Revision, Storages, Store, Writing,
};

/// Changes, selected by the input. After every reopening the store has exactly the changes that were confirmed.
pub fn store_sequence(input: &[u8]) {
    let memory = Path::new("/dev/shm");
    let directory = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    let directory = directory.expect("a directory");
    // An input that ends early ends the run.
    let _ = sequence(&mut Unstructured::new(input), &directory.path().join("acme.json"));
}

fn sequence(input: &mut Unstructured<'_>, path: &Path) -> Result<()> {
    // A storage without any record can't hold a fence: the clock vouches for it.
    let clock = Arc::new(AtomicI64::new(1));
    let open = |path: &Path| open(path, Clock::showing(clock.clone()));
    let mut store = open(path);
    let mut expected = BTreeMap::new();
    let mut fence = Fence(0);
    let mut epoch = 0;
    let mut highest = 0;
    while !input.is_empty() {
        match input.int_in_range(0..=9)? {
            0 => {
                drop(store);
                store = open(path);
                assert!(everything(&store) == expected, "after a reopening");
                assert_eq!(store.check(fence), Err(CommitError::FenceLost));
            }
            1 => {
                epoch += 1;
                clock.fetch_add(1, Ordering::Relaxed);
                let claim = Claim { holder: "a".to_owned(), epoch, ttl: Duration::from_secs(input.arbitrary()?) };
                let lease = now(store.claim(claim)).expect("it can be read");
                assert!(!lease.granted || lease.fence > highest, "{} after {highest}", lease.fence);
                if lease.granted {
                    (fence, highest) = (Fence(lease.fence), lease.fence);
                }
            }
            _ => commit(input, &store, fence, &mut expected)?,
        }
        assert!(everything(&store) == expected, "after a change");
    }
    Ok(())
}

type Everything = BTreeMap<(String, Vec<String>), Progress>;

fn commit(input: &mut Unstructured<'_>, store: &FileStore, fence: Fence, expected: &mut Everything) -> Result<()> {
    let fence = if input.ratio(1, 10)? { Fence(input.arbitrary()?) } else { fence };
    let mut changes = Vec::new();
    let mut after = expected.clone();
    for _ in 0..input.int_in_range(1..=3)? {
        let progress = progress(input)?;
        let is_same = |change: &Change| match change {
            Change::Progress { progress: other, .. } => other.id == progress.id,
            _ => false,
        };
        // No caller changes a record twice at once.
        if changes.iter().any(is_same) {
            continue;
        }
        let read = now(store.progress(&progress.id)).expect("it can be read");
        let outdated = input.ratio(1, 10)?;
        let revision = if outdated { Revision::ABSENT } else { Revision::of(read.as_ref()) };
        let mut place = (progress.id.resolver.clone(), progress.id.names.clone());
        place.1.sort_unstable();
        if progress.is_empty() {
            after.remove(&place);
        } else {
            after.insert(place, progress.clone());
        }
        changes.push(Change::Progress { expected: revision, progress });
    }
    match now(store.commit(fence, changes)) {
        Ok(()) => *expected = after,
        Err(CommitError::Conflict | CommitError::FenceLost) => {}
        Err(error) => panic!("{error}"),
    }
    Ok(())
}

/// A record in progress of one of a few certificates, each of its texts from the input.
fn progress(input: &mut Unstructured<'_>) -> Result<Progress> {
    let names: &[&[&str]] =
        &[&["a.example"], &["b.example", "a.example"], &["a.example", "b.example"], &["*.c.example"]];
    let id = protocol::CertificateId {
        resolver: (*input.choose(&["le", "other", ""])?).to_owned(),
        names: input.choose(names)?.iter().map(|name| (*name).to_owned()).collect(),
    };
    let mut progress = Progress::none(id.clone());
    if input.arbitrary()? {
        progress.order = Some(protocol::Order {
            certificate: id.clone(),
            url: input.arbitrary()?,
            ca_server: input.arbitrary()?,
            issuer: input.arbitrary()?,
            created: input.arbitrary()?,
            failed_challenges: Vec::new(),
            finalize: input.arbitrary()?,
            expires: input.arbitrary()?,
            ..protocol::Order::default()
        });
    }
    if input.arbitrary()? {
        progress.key = Some(PendingKey {
            order: input.arbitrary()?,
            key_type: "EC256".to_owned(),
            key: Secret::new(input.arbitrary()?),
        });
    }
    if input.arbitrary()? {
        let attempt = serde_json::json!({
            "certificate": id,
            "failures": input.arbitrary::<u32>()?,
            "retryAt": input.arbitrary::<i64>()?,
            "reason": input.arbitrary::<String>()?,
        });
        progress.attempt = serde_json::from_value(attempt).ok();
    }
    Ok(progress)
}

fn open(path: &Path, clock: Clock) -> FileStore {
    let opened = FileStore::open_with(&Storages::from(path), LeaseBounds::default(), clock, Writing::InPlace);
    opened.unwrap_or_else(|error| panic!("what was written can't be opened: {error}"))
}

fn everything(store: &FileStore) -> Everything {
    let all = now(store.all_progress()).expect("it can be read").into_iter();
    all.map(|progress| {
        let mut names = progress.id.names.clone();
        names.sort_unstable();
        ((progress.id.resolver.clone(), names), progress)
    })
    .collect()
}

/// Runs a future that never waits: the file is written in place.
fn now<T>(future: impl Future<Output = T>) -> T {
    future.now_or_never().expect("it does not wait")
}
