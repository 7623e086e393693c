//! The sink of the `log` crate: Envoy's log, always one bounded line an entry, whatever text of a peer's is in it.
//!
//! Several plugins may run in one process (a simulation), each with a host of its own. So an entry goes to the host that
//! called in: [`enter`] says which one that is, for as long as its guard lives. What is logged outside is lost.

use std::cell::RefCell;
use std::fmt::{self, Write};
use std::rc::Rc;

use acme::OneLine;
use log::{LevelFilter, Log, Metadata, Record};

use crate::proxy::ProxyHandle;

/// The longest line, in bytes: a hostile peer's text must not fill the disk.
const MAX_LINE: usize = 4096;

/// The start of every line, so that `grep envoy-autocert` finds them all.
const PREFIX: &str = "envoy-autocert: ";

thread_local! {
    static HOST: RefCell<Option<ProxyHandle>> = const { RefCell::new(None) };
}

/// A call of the host's; dropping this ends it.
pub(crate) struct Entered(Option<ProxyHandle>);

/// Logs to this host from now on.
pub(crate) fn enter(host: &ProxyHandle) -> Entered {
    // Refused where this logger is set already, or another one.
    if log::set_logger(&Sink).is_ok() {
        log::set_max_level(LevelFilter::Debug);
    }
    Entered(HOST.replace(Some(Rc::clone(host))))
}

impl Drop for Entered {
    fn drop(&mut self) {
        HOST.set(self.0.take());
    }
}

struct Sink;

impl Log for Sink {
    fn enabled(&self, _metadata: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        HOST.with_borrow(|host| {
            if let Some(host) = host {
                host.log(record.level(), &line(*record.args()));
            }
        });
    }

    fn flush(&self) {}
}

fn line(text: fmt::Arguments<'_>) -> String {
    let mut line = OneLine::new(PREFIX.to_owned(), MAX_LINE);
    // Fails where the text is too long.
    let is_cut = line.write_fmt(text).is_err();
    let mut text = line.into_text();
    if is_cut {
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proxy::fake::FakeProxy;

    #[test]
    fn line_ends_and_terminal_escapes_are_shown_and_not_obeyed() {
        let line = |text: &str| line(format_args!("{text}"));
        assert_eq!(line("a\r\nb\u{1b}[31mc\u{202e}\u{85}"), "envoy-autocert: a\\r\\nb\\u{1b}[31mc\\u{202e}\\u{85}");
        assert_eq!(line("déjà 例え"), "envoy-autocert: déjà 例え");
    }

    #[test]
    fn a_line_ends_at_its_limit() {
        let line = line(format_args!("{}", "é".repeat(5_000)));
        assert!((MAX_LINE - 1..=MAX_LINE + '…'.len_utf8()).contains(&line.len()), "{} bytes", line.len());
        assert!(line.starts_with("envoy-autocert: é") && line.ends_with("é…"));
    }

    #[test]
    fn an_entry_goes_to_the_host_that_called_in_last() {
        let (outer, inner) = (Rc::new(FakeProxy::default()), Rc::new(FakeProxy::default()));
        let handles: [ProxyHandle; 2] = [outer.clone(), inner.clone()];
        let of_outer = enter(&handles[0]);
        log::info!("one");
        let of_inner = enter(&handles[1]);
        log::warn!("two\n");
        drop(of_inner);
        log::error!("three");
        drop(of_outer);
        log::error!("four");
        let line = |level, text: &str| (level, format!("envoy-autocert: {text}"));
        assert_eq!(outer.lines(), [line(log::Level::Info, "one"), line(log::Level::Error, "three")]);
        assert_eq!(inner.lines(), [line(log::Level::Warn, "two\\n")]);
    }
}
