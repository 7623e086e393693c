//! ACME servers that are Python programs, in virtual environments of their own.

use std::ffi::OsString;
use std::path::PathBuf;

use anyhow::Result;
use harness::{Place, artifacts};

use crate::ca::Program;

/// A program of the server's environment, run in the place's directory.
pub(crate) fn python(place: &Place, server: &str) -> Result<Program> {
    let program = Program::new(artifacts::acme_server(server)?, place.file(&format!("{server}.log")));
    Ok(program.env("HOME", place.path()).env("PYTHONPATH", place.path()).env("PYTHONDONTWRITEBYTECODE", "1"))
}

/// gunicorn with this WSGI application at this port, with a TLS certificate of the place's authority.
pub(crate) fn gunicorn(place: &Place, server: &str, port: u16, application: &str) -> Result<Program> {
    let authority = &place.authority;
    let file = |path: &PathBuf| path.clone().into_os_string();
    let arguments: Vec<OsString> = vec![
        "-m".into(),
        "gunicorn".into(),
        "--certfile".into(),
        file(&authority.certificate),
        "--keyfile".into(),
        file(&authority.key),
        "--bind".into(),
        format!("127.0.0.1:{port}").into(),
        "--threads=4".into(),
        "--no-control-socket".into(),
        "--worker-tmp-dir".into(),
        place.path().into(),
        application.into(),
    ];
    Ok(python(place, server)?.args(arguments))
}
