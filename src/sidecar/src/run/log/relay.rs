//! Relays lines from the pipe that Envoy writes to, into our log.

use std::io::{self, BufRead, BufReader, PipeReader, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread;
use std::time::Duration;

use protocol::SecretText;
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::line::Line;
use crate::logging::ENVOY;
use crate::privileges;

/// The most bytes of a line; the rest is cut off. A plugin's have 4 KiB at most.
const MAX_LINE: usize = 16 * 1024;
/// The most lines that wait for the reader of our log. Further lines are dropped, so that Envoy does not wait.
const MAX_WAITING: usize = 4096;
/// The time for the last lines of an Envoy that has ended.
const LAST_LINES: Duration = Duration::from_secs(1);

/// The relay of one Envoy's lines.
pub(in crate::run) struct Relay {
    /// True once Envoy was told to end.
    is_ending: Arc<AtomicBool>,
    /// Completes, or is dropped, when the last line is written.
    done: Option<oneshot::Receiver<()>>,
}

/// A line or a gap to be written.
enum Said {
    Line(String),
    /// This many lines were dropped.
    Lost(u64),
}

impl Relay {
    /// Relays lines from this pipe until all its writers are gone. No token is shown.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub(in crate::run) fn start(pipe: PipeReader, hidden: Vec<SecretText>) -> io::Result<Self> {
        let (said, hear) = sync_channel(MAX_WAITING);
        let (tell, done) = oneshot::channel();
        // Two threads, as both may block for long: one on Envoy, the other on the reader of our log.
        spawn("envoy-log-in", move || listen(BufReader::new(pipe), &said))?;
        let is_ending = Arc::new(AtomicBool::new(false));
        let ending = Arc::clone(&is_ending);
        spawn("envoy-log-out", move || {
            write(&hear, &ending, &hidden);
            // The receiver may be gone.
            let _ = tell.send(());
        })?;
        Ok(Self { is_ending, done: Some(done) })
    }

    /// Drops warnings from now on: an Envoy that is told to end warns of that, and of servers it misses meanwhile.
    pub(in crate::run) fn end(&self) {
        self.is_ending.store(true, Ordering::Relaxed);
    }

    /// Waits, but not for long, until all lines of an Envoy that has ended are written. Cancel safe.
    pub(in crate::run) async fn done(&mut self) {
        if let Some(done) = &mut self.done {
            let _ = timeout(LAST_LINES, done).await;
            self.done = None;
        }
    }
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    let work = move || {
        privileges::on_thread_start();
        work();
    };
    thread::Builder::new().name(name.to_owned()).spawn(work).map(drop)
}

/// Reads lines to the end. Never waits for the writer.
fn listen(mut pipe: impl BufRead, said: &SyncSender<Said>) {
    let mut lost = 0_u64;
    // A pipe that can't be read has no more lines.
    while let Ok(Some(line)) = next(&mut pipe) {
        let is_told = lost == 0 || said.try_send(Said::Lost(lost)).is_ok();
        if is_told {
            lost = 0;
        }
        match said.try_send(Said::Line(line)) {
            Ok(()) => {}
            Err(TrySendError::Full(_)) => lost = lost.saturating_add(1),
            Err(TrySendError::Disconnected(_)) => return,
        }
    }
    if lost > 0 {
        let _ = said.send(Said::Lost(lost));
    }
}

/// The next line without its end, cut to [`MAX_LINE`]; `None` at the end.
fn next(pipe: &mut impl BufRead) -> io::Result<Option<String>> {
    let mut line = Vec::new();
    let most = u64::try_from(MAX_LINE).unwrap_or(u64::MAX);
    if pipe.by_ref().take(most).read_until(b'\n', &mut line)? == 0 {
        return Ok(None);
    }
    if line.last() == Some(&b'\n') {
        line.pop();
    } else if line.len() >= MAX_LINE {
        pipe.skip_until(b'\n')?;
        line.extend("…".as_bytes());
    }
    Ok(Some(String::from_utf8_lossy(&line).into_owned()))
}

fn write(hear: &Receiver<Said>, is_ending: &AtomicBool, hidden: &[SecretText]) {
    while let Ok(said) = hear.recv() {
        match said {
            Said::Line(line) => {
                let line = Line::parse(&line);
                if !(line.is_warning() && is_ending.load(Ordering::Relaxed)) {
                    line.write(hidden);
                }
            }
            Said::Lost(lost) => {
                tracing::warn!(target: ENVOY, lost, "lines of Envoy's log were dropped: our log was not read in time");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn lines(bytes: &[u8]) -> Vec<String> {
        let mut pipe = BufReader::with_capacity(7, bytes);
        std::iter::from_fn(|| next(&mut pipe).unwrap()).collect()
    }

    #[test]
    fn lines_are_taken_whole_and_long_ones_are_cut() {
        assert_eq!(lines(b"a\n\nb\xff\nc"), ["a", "", "b\u{fffd}", "c"]);
        let long = [&vec![b'x'; MAX_LINE * 3][..], b"\nnext\n"].concat();
        let found = lines(&long);
        assert_eq!((found.len(), found[1].as_str()), (2, "next"));
        assert!(found[0].ends_with("x…") && found[0].len() < MAX_LINE + 4);
        assert_eq!(lines(b""), [""; 0]);
    }

    /// Envoy's threads write the log themselves, so they would wait.
    #[test]
    fn who_does_not_take_the_lines_keeps_nobody_waiting() {
        let (mut envoy, (said, hear)) = (io::pipe().unwrap(), sync_channel(2));
        let text = "0123456789abcdef\n".repeat(64 * 1024);
        let reader = thread::spawn(move || listen(BufReader::new(envoy.0), &said));
        // Sixteen times a pipe's capacity: writing ends only if the pipe is read.
        io::Write::write_all(&mut envoy.1, text.as_bytes()).unwrap();
        drop(envoy.1);
        let heard: Vec<Said> = hear.iter().collect();
        reader.join().unwrap();
        let lost: u64 = heard.iter().map(|said| if let Said::Lost(lost) = said { *lost } else { 0 }).sum();
        let lines = heard.iter().filter(|said| matches!(said, Said::Line(_))).count() as u64;
        assert_eq!(lines + lost, 64 * 1024, "each is written or counted");
    }
}
