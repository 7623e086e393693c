//! Child processes with bounds: on time, output, and lifetime.
//!
//! Promises: when the future is dropped, the child and its descendants are killed; output is read to the end, so that
//! the child never blocks on it, and kept only up to a bound.

use std::fmt;
use std::pin::pin;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use futures::FutureExt;
use futures::future::FusedFuture;
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};

/// Maximum size of each kept output, in bytes: enough for an error.
const MAX_SAID: usize = 64 * 1024;
/// Time to wait for outputs after the child has ended: a descendant may hold them open.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// The result of a child process.
pub(super) struct Ended {
    pub(super) status: ExitStatus,
    pub(super) stdout: Vec<u8>,
    pub(super) stderr: Vec<u8>,
}

/// Runs a child to its end. It gets `input`, or nothing, and is killed after `limit`.
pub(super) async fn run(mut command: Command, input: &[u8], limit: Duration) -> Result<Ended, ChildError> {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.process_group(0).kill_on_drop(true);
    let mut child = command.spawn().map_err(ChildError::Start)?;
    let mut group = Group::of(&child);
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());

    let (mut said, mut complained) = (Vec::new(), Vec::new());
    let status = {
        let mut listening = pin!(async { tokio::join!(keep(stdout, &mut said), keep(stderr, &mut complained)) }.fuse());
        let running = async {
            let telling = async {
                if let Some(mut stdin) = stdin {
                    // The child need not read its input.
                    let _ = stdin.write_all(input).await;
                }
            };
            tokio::join!(telling, child.wait()).1
        };
        let mut running = pin!(tokio::time::timeout(limit, running));
        let status = loop {
            tokio::select! {
                status = &mut running => break status,
                _ = &mut listening, if !listening.is_terminated() => {}
            }
        };
        let status = status.map_err(|_| ChildError::TooSlow(limit))?.map_err(ChildError::Start)?;
        group.let_go();
        if !listening.is_terminated() {
            // The output kept by then is returned.
            let _ = tokio::time::timeout(LAST_WORDS, listening).await;
        }
        status
    };
    Ok(Ended { status, stdout: said, stderr: complained })
}

async fn keep(output: Option<impl AsyncRead + Unpin>, kept: &mut Vec<u8>) {
    let Some(mut output) = output else { return };
    let mut piece = vec![0; 8 * 1024];
    while let Ok(length @ 1..) = output.read(&mut piece).await {
        let room = MAX_SAID.saturating_sub(kept.len());
        kept.extend(piece.iter().take(length.min(room)));
    }
}

/// A process group, killed on drop.
struct Group(Option<Pid>);

impl Group {
    fn of(child: &Child) -> Self {
        Self(child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw))
    }

    /// Disarms the kill: the process has ended, and its number may soon be another's.
    fn let_go(&mut self) {
        self.0 = None;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(pid) = self.0 {
            // The group may have ended meanwhile.
            let _ = kill_process_group(pid, Signal::KILL);
        }
    }
}

/// The reason why a child did not end by itself.
#[derive(Debug)]
pub(super) enum ChildError {
    Start(std::io::Error),
    TooSlow(Duration),
}

impl fmt::Display for ChildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Start(error) => write!(f, "it can't be run: {error}"),
            Self::TooSlow(limit) => write!(f, "it was not done within {} s and was killed", limit.as_secs()),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]);
        command
    }

    const LONG: Duration = Duration::from_secs(60);

    #[tokio::test]
    async fn what_it_says_is_kept_up_to_a_bound_and_read_to_the_end() {
        let ended = run(shell("cat; head -c 1000000 /dev/zero >&2"), b"hello", LONG).await.unwrap();
        assert!(ended.status.success());
        assert_eq!((ended.stdout.as_slice(), ended.stderr.len()), (b"hello".as_slice(), MAX_SAID));
    }

    #[tokio::test]
    async fn what_it_leaves_running_does_not_keep_us() {
        let ended = run(shell("echo done; sleep 600 & echo $!"), b"", LONG).await.unwrap();
        let said = String::from_utf8(ended.stdout).unwrap();
        let left = said.strip_prefix("done\n").unwrap().trim().parse().unwrap();
        rustix::process::kill_process(Pid::from_raw(left).unwrap(), Signal::KILL).unwrap();
    }

    #[tokio::test]
    async fn it_is_killed_with_all_that_it_started_when_it_is_too_slow() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("pid");
        let script = format!("sleep 600 & echo $! > {}; wait", file.display());
        let error = run(shell(&script), b"", Duration::from_secs(1)).await.err().unwrap();
        assert_eq!(error.to_string(), "it was not done within 1 s and was killed");
        let pid = std::fs::read_to_string(file).unwrap();
        let stat = format!("/proc/{}/stat", pid.trim());
        // Until init reaps it, a killed process is a zombie.
        while std::fs::read_to_string(&stat).is_ok_and(|stat| !stat.contains(") Z ")) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    #[tokio::test]
    async fn a_program_that_is_not_there_is_an_error() {
        let error = run(Command::new("/no/such/program"), b"", LONG).await.err().unwrap().to_string();
        assert!(error.starts_with("it can't be run: No such file"), "{error}");
    }
}
