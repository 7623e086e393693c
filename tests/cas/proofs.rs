//! The behaviours proved with each CA: an empty file in `target/cas` for each, and the table of them.

use std::fmt::Write;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use harness::{artifacts, network};

/// An ACME server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Authority {
    Acme2certifier,
    Acmeeh,
    Caddy,
    DjangoCa,
    Serles,
}

/// A behaviour that was seen to work with a CA.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Proof {
    AccountsLost,
    CaRestarted,
    Dns01,
    Dns01Plain,
    DnsPersist01,
    ExternalAccount,
    Http01,
    LateDns,
    ProductRestarted,
    Renewal,
    RenewalInfo,
    Revocation,
    TlsAlpn01,
}

/// The rows of the table.
const AUTHORITIES: [Authority; 5] =
    [Authority::Caddy, Authority::Acme2certifier, Authority::Acmeeh, Authority::DjangoCa, Authority::Serles];

/// The columns that every CA has.
const COLUMNS: [(Proof, &str); 8] = [
    (Proof::Http01, "HTTP-01"),
    (Proof::TlsAlpn01, "TLS-ALPN-01"),
    (Proof::Dns01, "DNS-01, wildcard"),
    (Proof::Renewal, "renewal"),
    (Proof::CaRestarted, "CA restarted"),
    (Proof::AccountsLost, "accounts lost"),
    (Proof::ProductRestarted, "restart of ours"),
    (Proof::LateDns, "DNS comes late"),
];

/// The others, which stand in the last column.
const OTHERS: [(Proof, &str); 5] = [
    (Proof::Dns01Plain, "DNS-01 without wildcards"),
    (Proof::DnsPersist01, "dns-persist-01"),
    (Proof::ExternalAccount, "external account binding"),
    (Proof::RenewalInfo, "ARI"),
    (Proof::Revocation, "replaced once its CRL names it"),
];

impl Authority {
    /// The name, and the version where one is pinned.
    fn name(self) -> Result<String> {
        let package = match self {
            Self::Acme2certifier => "acme2certifier",
            Self::Acmeeh => "acmeeh",
            Self::Caddy => return Ok("Caddy's `acme_server` (smallstep's library)".to_owned()),
            Self::DjangoCa => "django-ca",
            Self::Serles => "serles-acme",
        };
        let pins = fs::read_to_string(artifacts::repository().join(format!("tests/tools/{package}.txt")))?;
        let begin = format!("\n{package}==");
        let (_, rest) = pins.split_once(&begin).with_context(|| format!("{package} is not pinned"))?;
        Ok(format!("{package} {}", rest.split_whitespace().next().unwrap_or_default()))
    }
}

/// Runs a test, and records its success. Where no network can be made, the test is skipped with a message, and nothing
/// is recorded.
pub(crate) fn proved(authority: Authority, proof: Proof, prove: impl FnOnce() -> Result<()>) -> Result<()> {
    if !network::is_possible() {
        eprintln!("not run: only root can make networks; `unshare --user --map-root-user` lets others");
        return Ok(());
    }
    let file = file(authority, proof)?;
    let _ = fs::remove_file(&file);
    prove()?;
    fs::create_dir_all(directory()?)?;
    Ok(fs::write(file, "")?)
}

fn directory() -> Result<PathBuf> {
    Ok(artifacts::target()?.join("cas"))
}

fn file(authority: Authority, proof: Proof) -> Result<PathBuf> {
    Ok(directory()?.join(format!("{authority:?}.{proof:?}")))
}

/// The table of recorded proofs, in Markdown.
fn table() -> Result<String> {
    let mut text = "| CA |".to_owned();
    for (_, name) in COLUMNS {
        let _ = write!(text, " {name} |");
    }
    text += " besides |\n|---|";
    text += &"---|".repeat(COLUMNS.len() + 1);
    text += "\n";
    for authority in AUTHORITIES {
        let _ = write!(text, "| {} |", authority.name()?);
        for (proof, _) in COLUMNS {
            text += if file(authority, proof)?.exists() { " ✓ |" } else { " |" };
        }
        let mut others = Vec::new();
        for (proof, name) in OTHERS {
            if file(authority, proof)?.exists() {
                others.push(name);
            }
        }
        let _ = writeln!(text, " {} |", others.join(", "));
    }
    Ok(text.replace("|  |", "| |"))
}

/// `make cas` runs this after all the others.
#[test]
#[ignore = "it is of the tests that ran before"]
fn the_table_in_the_readme_is_what_was_proved() -> Result<()> {
    let table = table()?;
    println!("\n{table}");
    fs::write(directory()?.join("table.md"), &table)?;
    let readme = fs::read_to_string(artifacts::repository().join("README.md"))?;
    ensure!(readme.contains(&table), "README.md has another table");
    Ok(())
}
