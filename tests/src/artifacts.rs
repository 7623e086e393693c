//! Paths of the programs under test and of the tools.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

/// `envoy_autocert.wasm`, or what `AUTOCERT_WASM` names.
///
/// # Errors
/// When the program is not built.
pub fn wasm() -> Result<PathBuf> {
    built("AUTOCERT_WASM", target()?.join("envoy_autocert.wasm"))
}

/// `envoy-autocert`, or what `AUTOCERT` names.
///
/// # Errors
/// When the program is not built.
pub fn sidecar() -> Result<PathBuf> {
    built("AUTOCERT", profile()?.join("envoy-autocert"))
}

/// Envoy, or what `ENVOY` names.
///
/// # Errors
/// When the program has not been fetched.
pub fn envoy() -> Result<PathBuf> {
    tool("ENVOY", "envoy")
}

/// The series of Envoy that the tests know, oldest first.
pub const ENVOYS: [&str; 5] = ["1.36", "1.37", "1.38", "1.39", "1.40"];

/// The Envoy of one of [`ENVOYS`], or what a variable names: `ENVOY_1_37` … for older ones, `ENVOY` for the newest.
///
/// # Errors
/// When the program has not been fetched.
pub fn envoy_of(series: &str) -> Result<PathBuf> {
    if ENVOYS.last() == Some(&series) {
        return envoy();
    }
    tool(&format!("ENVOY_{}", series.replace('.', "_")), &format!("envoy-{series}"))
}

/// Pebble, or what `PEBBLE` names.
///
/// # Errors
/// When the program has not been fetched.
pub fn pebble() -> Result<PathBuf> {
    tool("PEBBLE", "pebble")
}

/// pebble-challtestsrv: what `CHALLTESTSRV` names, else the one beside `PEBBLE`.
///
/// # Errors
/// When the program has not been fetched.
pub fn challtestsrv() -> Result<PathBuf> {
    match (env::var_os("CHALLTESTSRV"), env::var_os("PEBBLE")) {
        (None, Some(pebble)) => Ok(Path::new(&pebble).with_file_name("pebble-challtestsrv")),
        _ => tool("CHALLTESTSRV", "pebble-challtestsrv"),
    }
}

/// lego, or what `LEGO` names.
///
/// # Errors
/// When the program has not been fetched.
pub fn lego() -> Result<PathBuf> {
    tool("LEGO", "lego")
}

/// Caddy, or what `CADDY` names.
///
/// # Errors
/// When the program has not been fetched.
pub fn caddy() -> Result<PathBuf> {
    tool("CADDY", "caddy")
}

/// certbot, or what `CERTBOT` names.
///
/// # Errors
/// When the program has not been fetched.
pub fn certbot() -> Result<PathBuf> {
    tool("CERTBOT", "certbot")
}

/// BIND's named, or what `BIND` names.
///
/// # Errors
/// When the program has not been fetched.
pub fn bind() -> Result<PathBuf> {
    tool("BIND", "named")
}

/// Knot DNS' knotd, or what `KNOT` names.
///
/// # Errors
/// When the program has not been fetched.
pub fn knot() -> Result<PathBuf> {
    tool("KNOT", "knotd")
}

/// PowerDNS' pdns_server, or what `POWERDNS` names.
///
/// # Errors
/// When the program has not been fetched.
pub fn powerdns() -> Result<PathBuf> {
    tool("POWERDNS", "pdns_server")
}

/// wrk, or what `WRK` names.
///
/// # Errors
/// When the program has not been fetched.
pub fn wrk() -> Result<PathBuf> {
    given_or("WRK", fetched("wrk"), "run `tests/tools/wrk.sh` first, as `make bench` does")
}

/// The directory of PostgreSQL's programs, in which `postgresql` runs one of them.
///
/// # Errors
/// When the program has not been fetched.
pub fn postgresql() -> Result<PathBuf> {
    let path = repository().join(".tools/bin/postgresql");
    let path = path.canonicalize().context("run `tests/tools/postgresql.sh` first, as `make cas` does")?;
    Ok(path.parent().context("a file is in a directory")?.to_owned())
}

/// The interpreter of an ACME server that is a Python program.
///
/// # Errors
/// When the server has not been fetched.
pub fn acme_server(name: &str) -> Result<PathBuf> {
    let path = repository().join(".tools/bin").join(format!("{name}-python"));
    if !path.exists() {
        bail!("{} does not exist: run `tests/tools/acme-servers.sh {name}` first, as `make cas` does", path.display());
    }
    Ok(path)
}

/// The target directory that this program was built into.
///
/// # Errors
/// When it runs from elsewhere.
pub fn target() -> Result<PathBuf> {
    let profile = profile()?;
    Ok(profile.parent().context("this program is in no target directory of cargo")?.to_owned())
}

/// The profile's directory in it: programs are there, tests in `deps`.
fn profile() -> Result<PathBuf> {
    let program = env::current_exe()?;
    let directory = program.ancestors().skip(1).find(|path| !path.ends_with("deps"));
    Ok(directory.context("this program is in no target directory of cargo")?.to_owned())
}

/// The top of the repository.
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new(".")).to_owned()
}

fn built(variable: &str, path: PathBuf) -> Result<PathBuf> {
    given_or(variable, path, "run `make build` first")
}

fn tool(variable: &str, name: &str) -> Result<PathBuf> {
    given_or(variable, fetched(name), "run `make tools` first")
}

fn fetched(name: &str) -> PathBuf {
    repository().join(".tools/bin").join(name)
}

fn given_or(variable: &str, default: PathBuf, advice: &str) -> Result<PathBuf> {
    let (path, advice) = match env::var_os(variable).filter(|path| !path.is_empty()) {
        Some(path) => (PathBuf::from(path), format!("it is what {variable} names")),
        None => (default, format!("{advice}, or name it with {variable}=")),
    };
    if !path.exists() {
        bail!("{} does not exist: {advice}", path.display());
    }
    Ok(std::path::absolute(path)?)
}
