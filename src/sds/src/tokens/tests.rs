//! Tokens of files that change.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::os::unix::fs::PermissionsExt;

use tempfile::TempDir;

use super::error::Unfit;
use super::*;
use pki::Name;

const ONE: &str = "0123456789abcdef-one";
const TWO: &str = "0123456789abcdef-two";

fn file(kind: Kind, text: &str) -> (TempDir, TokenFile) {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("tokens");
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    (directory, TokenFile::new(kind, path))
}

fn opened(kind: Kind, text: &str) -> Tokens {
    let (_directory, file) = file(kind, text);
    Followed::open(file).ok().unwrap().1
}

fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

#[test]
fn only_a_whole_token_is_granted_anything() {
    let tokens = opened(Kind::Api, &format!("# ours\n\n{ONE}\r\n{TWO}\n"));
    assert!(tokens.grant(ONE.as_bytes()).is_some());
    assert!(tokens.grant(TWO.as_bytes()).is_some());
    for wrong in ["", "# ours", &ONE[1..], &ONE[..ONE.len() - 1], &format!("{ONE} "), &format!("{ONE}\n{TWO}")] {
        assert!(tokens.grant(wrong.as_bytes()).is_none(), "{wrong:?}");
    }
}

#[test]
fn a_token_with_names_is_for_these_alone() {
    let tokens = opened(Kind::Sds, &format!("{ONE} Shop.example *.dev.example 192.0.2.1\n{TWO}"));
    let scope = tokens.grant(ONE.as_bytes()).unwrap().scope().clone();
    for there in ["shop.example", "a.dev.example", "*.dev.example", "192.0.2.1"] {
        assert!(scope.has(&name(there)), "{there}");
    }
    for absent in ["www.shop.example", "dev.example", "a.b.dev.example", "192.0.2.2", "default", "*.example"] {
        assert!(!scope.has(&name(absent)), "{absent}");
    }
    assert_eq!(tokens.grant(TWO.as_bytes()).unwrap().scope(), &Scope::All);
}

#[test]
fn what_is_no_file_of_tokens_is_refused_by_its_line() {
    let missing = TokenFile::new(Kind::Api, "/nonexistent/tokens".into());
    assert!(matches!(missing.read(), Err(TokenError::File(_))));
    let unfit = |kind, text: &str| {
        let (_directory, file) = file(kind, text);
        match file.read() {
            Err(TokenError::Line { number, why }) => (number, why),
            other => panic!("{}", other.err().map(|error| error.to_string()).unwrap_or_default()),
        }
    };
    assert_eq!(unfit(Kind::Sds, &format!("{ONE}\nshort")), (2, Unfit::Token));
    assert_eq!(unfit(Kind::Sds, &"x".repeat(5000)), (1, Unfit::Token));
    assert_eq!(unfit(Kind::Sds, "0123456789abcdé\u{7f}ffff"), (1, Unfit::Token));
    assert_eq!(unfit(Kind::Api, "${ENVOY_AUTOCERT_API_TOKEN}"), (1, Unfit::Placeholder));
    assert_eq!(unfit(Kind::Sds, &format!("{ONE} a..example")), (1, Unfit::Name));
    assert_eq!(unfit(Kind::Api, &format!("{ONE} a.example")), (1, Unfit::Names));
    for empty in ["", "\n\n", "# 0123456789abcdef\n"] {
        let (_directory, file) = file(Kind::Sds, empty);
        assert!(matches!(file.read(), Err(TokenError::Empty)), "{empty:?}");
    }
    let (_directory, long) = file(Kind::Sds, &format!("{ONE}\n").repeat(1001));
    assert!(matches!(long.read(), Err(TokenError::TooMany)));
}

#[test]
fn a_file_that_could_be_sent_as_a_header_gets_a_warning() {
    let warned = |text: &str| {
        let (_directory, file) = file(Kind::Sds, text);
        file.warning().unwrap().is_some()
    };
    assert!(warned(ONE));
    assert!(!warned(&format!("{ONE}\n")) && !warned(&format!("{ONE}\n{TWO}")));
}

#[test]
fn a_file_that_everybody_reads_is_refused() {
    let (_directory, file) = file(Kind::Sds, ONE);
    fs::set_permissions(file.path(), fs::Permissions::from_mode(0o644)).unwrap();
    assert!(matches!(file.read(), Err(TokenError::File(_))));
}

#[test]
fn a_file_of_our_own_is_made_once_and_kept() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("acme.json.sds-token");
    let made = TokenFile::own(Kind::Sds, path.clone()).unwrap().first().ok().unwrap();
    assert_eq!(made.expose().len(), 64);
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(fs::read(&path).unwrap().ends_with(b"\n"));
    assert!(TokenFile::own(Kind::Sds, path).unwrap().first().ok().unwrap() == made);
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
}

#[tokio::test]
async fn a_token_is_good_from_when_it_is_added_to_when_it_is_removed() {
    let (_directory, file) = file(Kind::Sds, ONE);
    let path = file.path().to_owned();
    let (followed, mut tokens) = Followed::open(file).ok().unwrap();
    let grant = tokens.grant(ONE.as_bytes()).unwrap();

    fs::write(&path, format!("{ONE}\n{TWO}\n")).unwrap();
    followed.follow();
    assert!(tokens.grant(ONE.as_bytes()).is_some() && tokens.grant(TWO.as_bytes()).is_some());
    assert!(futures::poll!(Box::pin(tokens.clone().withdrawn(&grant))).is_pending());

    fs::write(&path, "short").unwrap();
    followed.follow();
    assert!(tokens.grant(ONE.as_bytes()).is_some(), "a broken file changes nothing");

    fs::write(&path, format!("{TWO}\n")).unwrap();
    followed.follow();
    assert!(tokens.grant(ONE.as_bytes()).is_none());
    tokens.withdrawn(&grant).await;
}

#[tokio::test]
async fn a_grant_for_other_secrets_is_another_grant() {
    let (_directory, file) = file(Kind::Sds, ONE);
    let path = file.path().to_owned();
    let (followed, mut tokens) = Followed::open(file).ok().unwrap();
    let grant = tokens.grant(ONE.as_bytes()).unwrap();
    fs::write(&path, format!("{ONE} a.example\n")).unwrap();
    followed.follow();
    tokens.withdrawn(&grant).await;
    assert!(tokens.grant(ONE.as_bytes()).unwrap() != grant);
}

#[test]
fn random_tokens_differ() {
    assert!(random().ok().unwrap() != random().ok().unwrap());
}
