//! The routers that are closed because middlewares guarding them are not supported: for the log, for people, and for
//! `/status`.

use std::sync::{Mutex, PoisonError};

use serde::Serialize;
use setup::ClosedRouter;

/// A closed router as `/status` shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Closed {
    /// `http.routers.NAME` or `tcp.routers.NAME`.
    pub router: String,
    /// The missing features, each with the path of the field.
    pub why: Vec<String>,
}

/// The closed routers of the configuration in force. Empty without `run`: then Envoy's configuration is not ours.
#[derive(Debug, Default)]
pub struct ClosedRouters(Mutex<Vec<Closed>>);

impl ClosedRouters {
    /// Replaces all closed routers.
    pub fn set(&self, closed: &[ClosedRouter]) {
        let closed = closed.iter().map(|one| Closed { router: one.router.clone(), why: one.why.clone() });
        // A panic while the lock is held would be our bug; the list goes on with its present content.
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = closed.collect();
    }

    /// The first closed routers, at most this many.
    pub fn first(&self, most: usize) -> Vec<Closed> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().take(most).cloned().collect()
    }
}

/// Lines for a person about closed routers: one for all, and one for each; empty if there are none.
pub fn lines(closed: &[ClosedRouter]) -> Vec<String> {
    let how_many = match closed.len() {
        0 => return Vec::new(),
        1 => "1 router is CLOSED, as it".to_owned(),
        several => format!("{several} routers are CLOSED, as each"),
    };
    let first = format!("{how_many} lacks what is not built here. Requests get 503, connections of TCP routers end:");
    std::iter::once(first).chain(closed.iter().map(|one| format!("CLOSED {}", line(one)))).collect()
}

/// A closed router, the reason, and the remedy.
fn line(closed: &ClosedRouter) -> String {
    let source = closed.source.as_ref().map(|source| format!(" ({source})")).unwrap_or_default();
    format!("{}{source}: {}; {}", closed.path(), closed.why.join("; "), closed.advice())
}

/// Logs the closed routers as errors: whoever reads nothing else of the log must see them.
pub(crate) fn report(closed: &[ClosedRouter]) {
    lines(closed).iter().for_each(|line| tracing::error!("configuration: {line}"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_router_has_a_line_with_what_it_lacks_and_what_to_do() {
        let router = |name: &str, can_open| ClosedRouter {
            router: format!("http.routers.{name}"),
            source: Some("dyn.yml".into()),
            why: vec!["a: b".into(), "c: d".into()],
            can_open,
        };
        let told = lines(&[router("a\nb", true), router("c", false)]);
        assert_eq!(told.len(), 3);
        assert!(told[0].starts_with("2 routers are CLOSED"), "{}", told[0]);
        assert!(told[1].starts_with(r"CLOSED http.routers.a\nb (dyn.yml): a: b; c: d; "), "{}", told[1]);
        assert!(told[1].ends_with(r"--open http.routers.a\nb") && !told[2].contains("--open"), "{told:?}");
        assert_eq!(lines(&[]), [""; 0]);
    }
}
