//! A script for lego's `exec` that passes records on to pebble-challtestsrv, and waits as long as it is held.
//!
//! Called with `present` or `cleanup`, the record's name and its value: <https://go-acme.github.io/lego/dns/exec/>.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use anyhow::Result;

use crate::{Challtestsrv, Place};

/// A script, and the files beside it.
#[derive(Debug)]
pub struct Script {
    script: PathBuf,
    calls: PathBuf,
    hold: PathBuf,
    environ: PathBuf,
}

impl Script {
    /// Writes a script. While it is held, calls for names that contain `slow` wait; an empty `slow` is every name.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn new(place: &Place, dns: &Challtestsrv, slow: &str) -> Result<Self> {
        let script = place.file("exec.sh");
        let calls = place.file("exec.calls");
        let hold = place.file("exec.hold");
        let environ = place.file("exec.environ");
        let management = dns.management();
        let text = format!(
            r#"#!/bin/bash
echo "$1 $2" >> '{calls}'
cat /proc/$$/environ >> '{environ}'
if [[ $2 == *'{slow}'* ]]; then
  while [ -e '{hold}' ]; do sleep 0.05; done
fi
case $1 in
present) path=/set-txt body="{{\"host\": \"$2\", \"value\": \"$3\"}}" ;;
cleanup) path=/clear-txt body="{{\"host\": \"$2\"}}" ;;
esac
exec 3<>/dev/tcp/{ip}/{port}
printf 'POST %s HTTP/1.0\r\nContent-Length: %d\r\n\r\n%s' "$path" ${{#body}} "$body" >&3
read -r version status rest <&3
[ "$status" = 200 ]
"#,
            calls = calls.display(),
            hold = hold.display(),
            environ = environ.display(),
            ip = management.ip(),
            port = management.port(),
        );
        fs::write(&script, text)?;
        fs::set_permissions(&script, fs::Permissions::from_mode(0o700))?;
        Ok(Self { script, calls, hold, environ })
    }

    /// Makes further calls wait.
    ///
    /// # Errors
    /// When that can't be told it.
    pub fn hold(&self) -> Result<()> {
        Ok(fs::write(&self.hold, "")?)
    }

    /// Ends the waiting.
    ///
    /// # Errors
    /// When it was not held.
    pub fn release(&self) -> Result<()> {
        Ok(fs::remove_file(&self.hold)?)
    }

    /// lego's variables for this server.
    pub fn environment(&self) -> Vec<(String, String)> {
        vec![("EXEC_PATH".to_owned(), self.script.display().to_string())]
    }

    /// The environment of all its calls, as `NAME=value`.
    pub fn variables(&self) -> Vec<String> {
        let bytes = fs::read(&self.environ).unwrap_or_default();
        String::from_utf8_lossy(&bytes).split_terminator('\0').map(str::to_owned).collect()
    }

    /// The calls: action and name.
    pub fn calls(&self) -> Vec<String> {
        let text = fs::read_to_string(&self.calls).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }
}
