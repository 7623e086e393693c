//! Behaviours tested with every CA.

use std::time::Duration;

use anyhow::{Result, ensure};

use crate::ca::Ca;
use crate::proofs::{Authority, Proof, proved};
use crate::scene::{PATIENCE, play};

/// Time limit of a retry: the backoff after a failure, and the attempt.
pub(crate) const RETRY: Duration = Duration::from_secs(240);

/// Starts a server in its place.
pub(crate) type Start = fn(&harness::Place) -> Result<Ca>;

/// Declares a test for each of these behaviours.
macro_rules! behaviours {
    ($authority:expr, $start:expr, $($behaviour:ident),* $(,)?) => {
        $(
            #[test]
            fn $behaviour() -> anyhow::Result<()> {
                crate::behaviours::$behaviour($authority, $start)
            }
        )*
    };
}
pub(crate) use behaviours;

pub(crate) fn http_01(authority: Authority, start: Start) -> Result<()> {
    proved(authority, Proof::Http01, || {
        let names = ["www.http.example", "http.example"];
        play("http-01", start, &[("http", &names)], |scene| {
            let served = scene.served("http.example")?;
            ensure!(served.names == ["http.example", "www.http.example"], "{:?}", served.names);
            scene.line(&["issued by", "by http-01"]).map(drop)
        })
    })
}

pub(crate) fn tls_alpn_01(authority: Authority, start: Start) -> Result<()> {
    proved(authority, Proof::TlsAlpn01, || {
        play("tls-alpn-01", start, &[("tls", &["alpn.example"])], |scene| {
            ensure!(scene.served("alpn.example")?.names == ["alpn.example"]);
            scene.line(&["issued by", "by tls-alpn-01"]).map(drop)
        })
    })
}

pub(crate) fn dns_01_with_a_wildcard(authority: Authority, start: Start) -> Result<()> {
    proved(authority, Proof::Dns01, || {
        play("dns-01", start, &[("dns", &["dns.example", "*.dns.example"])], |scene| {
            let served = scene.served("dns.example")?;
            ensure!(served.names == ["*.dns.example", "dns.example"], "{:?}", served.names);
            scene.line(&["issued by", "by dns-01"]).map(drop)
        })
    })
}

/// For a CA that does not know how wildcards are validated.
pub(crate) fn dns_01_without_a_wildcard(authority: Authority, start: Start) -> Result<()> {
    proved(authority, Proof::Dns01Plain, || {
        play("dns-01", start, &[("dns", &["dns.example"])], |scene| {
            ensure!(scene.served("dns.example")?.names == ["dns.example"]);
            scene.line(&["issued by", "by dns-01"]).map(drop)
        })
    })
}

pub(crate) fn a_renewal(authority: Authority, start: Start) -> Result<()> {
    proved(authority, Proof::Renewal, || {
        play("renewal", start, &[("http", &["renewed.example"])], |scene| {
            let first = scene.served("renewed.example")?;
            let life = Duration::try_from(first.not_after - first.not_before)?;
            let next = scene.renewed("renewed.example", &first, life + PATIENCE)?;
            ensure!(next.not_before < first.not_after, "there was a gap");
            ensure!(next.not_after > first.not_after, "it ends no later");
            Ok(())
        })
    })
}

pub(crate) fn the_ca_restarted(authority: Authority, start: Start) -> Result<()> {
    proved(authority, Proof::CaRestarted, || {
        play("ca-restarted", start, &[("http", &["before.example"])], |scene| {
            scene.served("before.example")?;
            scene.ca.stop()?;
            scene.want(&[("http", &["before.example"]), ("http", &["after.example"])])?;
            scene.line(&["after.example", "failed (transient"])?;
            scene.ca.resume()?;
            scene.served_within("after.example", RETRY).map(drop)
        })
    })
}

pub(crate) fn its_accounts_lost(authority: Authority, start: Start) -> Result<()> {
    proved(authority, Proof::AccountsLost, || {
        play("accounts-lost", start, &[("http", &["before.example"])], |scene| {
            scene.served("before.example")?;
            scene.ca.stop()?;
            scene.ca.forget()?;
            scene.ca.resume()?;
            scene.want(&[("http", &["before.example"]), ("http", &["after.example"])])?;
            scene.served_within("after.example", RETRY)?;
            let log = scene.log();
            let mut accounts: Vec<&str> =
                log.lines().filter_map(|line| line.split_once(": the account ")).map(|(_, rest)| rest).collect();
            accounts.dedup();
            ensure!(accounts.len() == 2, "the accounts were {accounts:?}");
            Ok(())
        })
    })
}

pub(crate) fn a_name_whose_dns_comes_late(authority: Authority, start: Start) -> Result<()> {
    proved(authority, Proof::LateDns, || {
        let start = |place: &harness::Place| start(place);
        play("late-dns", start, &[], |scene| {
            scene.dns.fail("late.example")?;
            scene.want(&[("http", &["late.example"])])?;
            scene.line_of(&[&["late.example", "retrying the challenge in"], &["late.example", "failed ("]])?;
            scene.dns.heal("late.example")?;
            scene.served_within("late.example", RETRY).map(drop)
        })
    })
}

pub(crate) fn a_restart_of_ours(authority: Authority, start: Start) -> Result<()> {
    proved(authority, Proof::ProductRestarted, || {
        play("restarted", start, &[("http", &["before.example"])], |scene| {
            let before = scene.served("before.example")?;
            scene.restart()?;
            let after = scene.served("before.example")?;
            ensure!(after.serial == before.serial, "another order");
            scene.want(&[("http", &["before.example"]), ("http", &["after.example"])])?;
            scene.served("after.example").map(drop)
        })
    })
}
