//! `render --into` on bootstraps in published shapes: each is extended, or refused with advice; Envoy accepts it before
//! and after, and the user's parts stay.

mod cases;
mod kept;
mod rooted;
mod served;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Mutex;

use anyhow::{Context, Result, bail, ensure};
use harness::{Place, artifacts};
use rcgen::{CertificateParams, KeyPair, PKCS_RSA_SHA256, RsaKeySize};

use cases::{Bootstrap, Expected, Run, Written};
use rooted::{Pair, Pairs, Rooted};

/// Number of Envoys at once: as many as a small machine has cores.
const AT_ONCE: usize = 2;

/// The only error that Envoy may have about a bootstrap whose certificates were removed.
const LACKING: &str = "No TLS certificates found for server context";

/// Flags that leave nothing to do to a second run.
const ONCE: [&str; 2] = ["--add-https", "--redirect"];

#[test]
fn each_of_the_corpus_is_added_to_or_refused_with_what_to_do_about_it() -> Result<()> {
    let place = Place::new("corpus")?;
    let pairs = pairs(&place)?;
    let left = Mutex::new(cases::all());
    let failed = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(bootstrap) = left.lock().ok().and_then(|mut left| left.next()) {
                    if let (Err(error), Ok(mut failed)) = (look_at(&bootstrap, &place, &pairs), failed.lock()) {
                        failed.push(format!("{}: {error:#}", bootstrap.file));
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap_or_default();
    ensure!(failed.is_empty(), "{} of the corpus:\n{}", failed.len(), failed.join("\n"));
    Ok(())
}

#[test]
fn each_file_of_the_corpus_has_an_expectation() -> Result<()> {
    let names = fs::read_dir(directory())?.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()));
    let names = names.collect::<Result<BTreeSet<String>>>()?;
    let is_numbered = |name: &String| name.starts_with(|c: char| c.is_ascii_digit()) && name.contains('.');
    let files: BTreeSet<String> = names.into_iter().filter(is_numbered).collect();
    assert_eq!(files, cases::all().map(|bootstrap| bootstrap.file.to_owned()).collect());
    Ok(())
}

fn directory() -> PathBuf {
    artifacts::repository().join("tests/e2e/into/corpus")
}

fn pairs(place: &Place) -> Result<Pairs> {
    let authority = &place.authority;
    let read = |path: &Path| fs::read_to_string(path).with_context(|| path.display().to_string());
    let ecdsa = Pair { certificate: read(&authority.certificate)?, key: read(&authority.key)? };
    let key = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048)?;
    let certificate = CertificateParams::new(["example.com".to_owned()])?.self_signed(&key)?.pem();
    Ok(Pairs { ecdsa, rsa: Pair { certificate, key: key.serialize_pem() } })
}

fn look_at(bootstrap: &Bootstrap, place: &Place, pairs: &Pairs) -> Result<()> {
    let path = directory().join(bootstrap.file);
    let text = fs::read_to_string(&path)?;
    let rooted = Rooted::new(place.path(), &path, pairs)?;
    let said = said(&rooted.validate(&format!("before-{}", bootstrap.file), &text)?);
    match (bootstrap.is_whole, said) {
        (true, Err(said)) => bail!("Envoy refuses the corpus' own: {said}"),
        (false, Err(said)) if said.contains(LACKING) => {}
        (false, said) => bail!("found {said:?}, expected Envoy to miss certificates"),
        (true, Ok(_)) => {}
    }
    for run in bootstrap.runs {
        tried(bootstrap, run, &path, &text, &rooted).with_context(|| format!("render {}", run.flags.join(" ")))?;
    }
    Ok(())
}

fn tried(bootstrap: &Bootstrap, run: &Run, path: &Path, text: &str, rooted: &Rooted<'_>) -> Result<()> {
    let once = rooted.file("once.yaml");
    let answer = said(&render(path, &once, run.flags, rooted)?);
    let lacking = |text: &str, parts: &[&str]| -> Vec<String> {
        parts.iter().filter(|part| !text.contains(**part)).map(|part| (*part).to_owned()).collect()
    };
    let Written { says, has, lacks, gone } = match (&run.expected, &answer) {
        (Expected::Refused(says), Err(said)) => {
            ensure!(lacking(said, says).is_empty(), "nothing of {:?} is said: {said}", lacking(said, says));
            ensure!(!once.exists(), "it is refused and written");
            return Ok(());
        }
        (Expected::Refused(_), Ok(said)) => bail!("written, expected a refusal: {said}"),
        (Expected::Written(_), Err(said)) => bail!("refused: {said}"),
        (Expected::Written(written), Ok(_)) => written,
    };
    let said_of_it = answer.unwrap_or_default();
    ensure!(lacking(&said_of_it, says).is_empty(), "nothing of {:?} is said: {said_of_it}", lacking(&said_of_it, says));
    let edited = fs::read_to_string(&once)?;
    kept::check(text, &edited, bootstrap.layout, *gone)?;
    ensure!(lacking(&edited, has).is_empty(), "it has nothing of {:?}", lacking(&edited, has));
    if let Some(part) = lacks.iter().find(|part| edited.contains(**part)) {
        bail!("it has {part:?}");
    }
    if let Err(mistakes) = said(&rooted.check(&format!("after-{}", bootstrap.file), &edited)?) {
        bail!("check finds mistakes in what was written: {mistakes}");
    }
    let twice = rooted.file("twice.yaml");
    // The bootstrap has its HTTPS now.
    let flags: Vec<&str> = run.flags.iter().copied().filter(|flag| !ONCE.contains(flag)).collect();
    if let Err(said) = said(&render(&once, &twice, &flags, rooted)?) {
        bail!("rendered again: {said}");
    }
    ensure!(fs::read_to_string(&twice)? == edited, "rendered again it is another one");
    fs::remove_file(&once)?;
    Ok(fs::remove_file(&twice)?)
}

fn render(bootstrap: &Path, output: &Path, flags: &[&str], rooted: &Rooted<'_>) -> Result<Output> {
    let beside = format!("{}/", directory().display());
    let mut command = Command::new(artifacts::sidecar()?);
    command.args(["render", "--into"]).arg(bootstrap).arg("--output").arg(output).arg("--plugin").arg(rooted.plugin()?);
    if !flags.iter().any(|flag| flag.starts_with("--config")) {
        command.args(["--email", "ops@example.com", "--key-type", "EC256"]);
    }
    command.args(flags.iter().map(|flag| flag.replace('@', &beside)));
    command.output().context("envoy-autocert render --into")
}

/// All output of a program, as a success or as an error.
fn said(output: &Output) -> std::result::Result<String, String> {
    let said = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    if output.status.success() { Ok(said) } else { Err(said) }
}
