use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use serde_json::Value;
use tokio::time::sleep;

use super::{A, PATIENCE, World, challenge, failure};
use crate::Need;
use crate::solver::Solver;

/// Ends the solver like a killed process: nothing more is done.
async fn kill(solver: Solver) {
    solver.stop(Duration::ZERO).await;
}

/// A record of a sidecar that was killed after creating it.
async fn killed_with_a_record() -> World {
    let world = World::new();
    let solver = world.solver().await;
    assert_eq!(solver.put(challenge("a.example", 1), PATIENCE).await, Ok(true));
    kill(solver).await;
    assert_eq!(world.texts(A).len(), 1);
    world
}

#[tokio::test(start_paused = true)]
async fn a_record_is_on_disk_before_it_is_made() {
    let world = World::new();
    world.provider.state().takes.insert("fast".into(), Duration::from_secs(60));
    let solver = world.solver().await;
    assert!(!world.journal().exists());
    assert_eq!(solver.put(challenge("a.example", 1), Duration::from_secs(1)).await, Ok(false));
    assert!(world.texts(A).is_empty());
    let text = fs::read_to_string(world.journal()).unwrap();
    let document: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((&document["version"], &document["records"][0]["fqdn"]), (&1.into(), &A.into()));
    assert_eq!(fs::metadata(world.journal()).unwrap().permissions().mode() & 0o777, 0o600);
    solver.retract(&challenge("a.example", 1).token);
    world.until(|| solver.records() == 0 && !world.journal().exists()).await;
}

#[tokio::test(start_paused = true)]
async fn what_a_killed_sidecar_has_left_is_removed_after_a_while() {
    let world = killed_with_a_record().await;
    let solver = world.solver().await;
    sleep(Duration::from_secs(59)).await;
    assert_eq!(world.texts(A).len(), 1);
    sleep(Duration::from_secs(2)).await;
    assert!(world.texts(A).is_empty() && solver.records() == 0 && !world.journal().exists());
}

#[tokio::test(start_paused = true)]
async fn what_is_left_is_removed_at_once_when_it_is_withdrawn() {
    let world = killed_with_a_record().await;
    let solver = world.solver().await;
    solver.retract(&challenge("a.example", 1).token);
    sleep(Duration::from_secs(1)).await;
    assert!(world.texts(A).is_empty() && solver.records() == 0);
}

#[tokio::test(start_paused = true)]
async fn what_is_left_stays_when_it_is_asked_for_again() {
    let world = killed_with_a_record().await;
    let solver = world.solver().await;
    sleep(Duration::from_secs(30)).await;
    assert_eq!(solver.put(challenge("a.example", 1), PATIENCE).await, Ok(true));
    sleep(Duration::from_secs(600)).await;
    assert_eq!((world.texts(A).len(), solver.records(), world.provider.clean_ups().len()), (1, 1, 0));
    solver.retract(&challenge("a.example", 1).token);
    world.until(|| world.texts(A).is_empty() && solver.records() == 0).await;
}

#[tokio::test(start_paused = true)]
async fn what_could_not_be_removed_before_the_end_is_removed_after_the_start() {
    let world = World::new();
    let solver = world.solver().await;
    assert_eq!(solver.put(challenge("a.example", 1), PATIENCE).await, Ok(true));
    world.provider.state().keeps = Some("503".into());
    solver.retract(&challenge("a.example", 1).token);
    sleep(Duration::from_secs(10)).await;
    kill(solver).await;
    world.provider.state().keeps = None;
    let solver = world.solver().await;
    world.until(|| world.texts(A).is_empty() && solver.records() == 0).await;
}

#[tokio::test(start_paused = true)]
async fn a_journal_that_can_not_be_read_is_set_aside_and_harms_nobody() {
    for text in ["{", "[]", "{\"version\": 2, \"records\": []}"] {
        let world = World::new();
        fs::write(world.journal(), text).unwrap();
        let solver = world.solver().await;
        assert_eq!(solver.put(challenge("a.example", 1), PATIENCE).await, Ok(true));
        let names = fs::read_dir(world.directory.path()).unwrap().map(|entry| entry.unwrap().path());
        let aside: Vec<_> = names.filter(|path| path.to_string_lossy().contains(".unreadable-")).collect();
        assert_eq!(aside.len(), 1);
        assert_eq!(fs::read_to_string(&aside[0]).unwrap(), text);
    }
}

#[tokio::test(start_paused = true)]
async fn without_a_journal_no_record_is_made() {
    let world = World::new();
    let solver = world.solver().await;
    fs::create_dir(world.journal()).unwrap();
    let why = failure(solver.put(challenge("a.example", 1), PATIENCE).await);
    assert!(why.starts_with(&format!("can't write {}: ", world.journal().display())), "{why}");
    assert!(world.provider.presents().is_empty() && solver.records() == 0);
    fs::remove_dir(world.journal()).unwrap();
    assert_eq!(solver.put(challenge("a.example", 1), PATIENCE).await, Ok(true));
}

#[tokio::test(start_paused = true)]
async fn what_an_unfinished_write_has_left_is_no_hindrance() {
    let world = World::new();
    let mut temporary = world.journal().into_os_string();
    temporary.push(".new");
    fs::write(temporary, "half").unwrap();
    let solver = world.solver().await;
    assert_eq!(solver.put(challenge("a.example", 1), PATIENCE).await, Ok(true));
}

#[tokio::test(start_paused = true)]
async fn for_a_certificate_near_its_end_a_record_is_made_that_the_journal_can_not_keep_and_removed() {
    let world = World::new();
    let solver = world.solver().await;
    fs::create_dir(world.journal()).unwrap();
    assert_eq!(solver.put_for(challenge("a.example", 1), PATIENCE, Need::MayBeInMemory).await, Ok(true));
    assert_eq!(world.texts(A).len(), 1);
    solver.retract(&challenge("a.example", 1).token);
    world.until(|| solver.records() == 0 && world.texts(A).is_empty()).await;
}
