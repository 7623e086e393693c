use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use serde_json::Value;
use tokio::time::sleep;

use super::{A, Fixture, PATIENCE, challenge, failure};
use crate::Need;
use crate::solver::Solver;

/// Ends the solver like a killed process: nothing more is done.
async fn kill(solver: Solver) {
    solver.stop(Duration::ZERO).await;
}

/// A record of a sidecar that was killed after creating it.
async fn killed_with_a_record() -> Fixture {
    let fixture = Fixture::new();
    let solver = fixture.solver().await;
    assert_eq!(solver.put(challenge("a.example", 1), PATIENCE).await, Ok(true));
    kill(solver).await;
    assert_eq!(fixture.texts(A).len(), 1);
    fixture
}

#[tokio::test(start_paused = true)]
async fn a_record_is_on_disk_before_it_is_made() {
    let fixture = Fixture::new();
    fixture.provider.state().takes.insert("fast".into(), Duration::from_secs(60));
    let solver = fixture.solver().await;
    assert!(!fixture.journal().exists());
    assert_eq!(solver.put(challenge("a.example", 1), Duration::from_secs(1)).await, Ok(false));
    assert!(fixture.texts(A).is_empty());
    let text = fs::read_to_string(fixture.journal()).unwrap();
    let document: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((&document["version"], &document["records"][0]["fqdn"]), (&1.into(), &A.into()));
    assert_eq!(fs::metadata(fixture.journal()).unwrap().permissions().mode() & 0o777, 0o600);
    solver.retract(&challenge("a.example", 1).token);
    fixture.until(|| solver.records() == 0 && !fixture.journal().exists()).await;
}

#[tokio::test(start_paused = true)]
async fn what_a_killed_sidecar_has_left_is_removed_after_a_while() {
    let fixture = killed_with_a_record().await;
    let solver = fixture.solver().await;
    sleep(Duration::from_secs(59)).await;
    assert_eq!(fixture.texts(A).len(), 1);
    sleep(Duration::from_secs(2)).await;
    assert!(fixture.texts(A).is_empty() && solver.records() == 0 && !fixture.journal().exists());
}

#[tokio::test(start_paused = true)]
async fn what_is_left_is_removed_at_once_when_it_is_withdrawn() {
    let fixture = killed_with_a_record().await;
    let solver = fixture.solver().await;
    solver.retract(&challenge("a.example", 1).token);
    sleep(Duration::from_secs(1)).await;
    assert!(fixture.texts(A).is_empty() && solver.records() == 0);
}

#[tokio::test(start_paused = true)]
async fn what_is_left_stays_when_it_is_asked_for_again() {
    let fixture = killed_with_a_record().await;
    let solver = fixture.solver().await;
    sleep(Duration::from_secs(30)).await;
    assert_eq!(solver.put(challenge("a.example", 1), PATIENCE).await, Ok(true));
    sleep(Duration::from_secs(600)).await;
    assert_eq!((fixture.texts(A).len(), solver.records(), fixture.provider.clean_ups().len()), (1, 1, 0));
    solver.retract(&challenge("a.example", 1).token);
    fixture.until(|| fixture.texts(A).is_empty() && solver.records() == 0).await;
}

#[tokio::test(start_paused = true)]
async fn what_could_not_be_removed_before_the_end_is_removed_after_the_start() {
    let fixture = Fixture::new();
    let solver = fixture.solver().await;
    assert_eq!(solver.put(challenge("a.example", 1), PATIENCE).await, Ok(true));
    fixture.provider.state().keeps = Some("503".into());
    solver.retract(&challenge("a.example", 1).token);
    sleep(Duration::from_secs(10)).await;
    kill(solver).await;
    fixture.provider.state().keeps = None;
    let solver = fixture.solver().await;
    fixture.until(|| fixture.texts(A).is_empty() && solver.records() == 0).await;
}

#[tokio::test(start_paused = true)]
async fn a_journal_that_can_not_be_read_is_set_aside_and_harms_nobody() {
    for text in ["{", "[]", "{\"version\": 2, \"records\": []}"] {
        let fixture = Fixture::new();
        fs::write(fixture.journal(), text).unwrap();
        let solver = fixture.solver().await;
        assert_eq!(solver.put(challenge("a.example", 1), PATIENCE).await, Ok(true));
        let names = fs::read_dir(fixture.directory.path()).unwrap().map(|entry| entry.unwrap().path());
        let aside: Vec<_> = names.filter(|path| path.to_string_lossy().contains(".unreadable-")).collect();
        assert_eq!(aside.len(), 1);
        assert_eq!(fs::read_to_string(&aside[0]).unwrap(), text);
    }
}

#[tokio::test(start_paused = true)]
async fn without_a_journal_no_record_is_made() {
    let fixture = Fixture::new();
    let solver = fixture.solver().await;
    fs::create_dir(fixture.journal()).unwrap();
    let why = failure(solver.put(challenge("a.example", 1), PATIENCE).await);
    assert!(why.starts_with(&format!("can't write {}: ", fixture.journal().display())), "{why}");
    assert!(fixture.provider.presents().is_empty() && solver.records() == 0);
    fs::remove_dir(fixture.journal()).unwrap();
    assert_eq!(solver.put(challenge("a.example", 1), PATIENCE).await, Ok(true));
}

#[tokio::test(start_paused = true)]
async fn what_an_unfinished_write_has_left_is_no_hindrance() {
    let fixture = Fixture::new();
    let mut temporary = fixture.journal().into_os_string();
    temporary.push(".new");
    fs::write(temporary, "half").unwrap();
    let solver = fixture.solver().await;
    assert_eq!(solver.put(challenge("a.example", 1), PATIENCE).await, Ok(true));
}

#[tokio::test(start_paused = true)]
async fn for_a_certificate_near_its_end_a_record_is_made_that_the_journal_can_not_keep_and_removed() {
    let fixture = Fixture::new();
    let solver = fixture.solver().await;
    fs::create_dir(fixture.journal()).unwrap();
    assert_eq!(solver.put_for(challenge("a.example", 1), PATIENCE, Need::MayBeInMemory).await, Ok(true));
    assert_eq!(fixture.texts(A).len(), 1);
    solver.retract(&challenge("a.example", 1).token);
    fixture.until(|| solver.records() == 0 && fixture.texts(A).is_empty()).await;
}
