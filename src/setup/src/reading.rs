//! Reads the user's configuration into a [`Setup`].

use crate::assemble;
use crate::closed_router::ClosedRouter;
use crate::input::{Flags, InputReport, Mistake, Sources, Words, merged};
use crate::model::Setup;

/// The result of reading the sources.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reading {
    /// The setup.
    pub setup: Setup,
    /// Warnings for the user, each on one line.
    pub warnings: Vec<String>,
    /// The routers that are closed because their guards are not supported, sorted by name. They are in the setup too.
    pub closed: Vec<ClosedRouter>,
    /// The values of the setup that come from our own flags, for mistakes that are found later.
    pub flags: Flags,
}

/// Reads all sources, or reports every mistake in them.
///
/// # Errors
/// Returns some hundred mistakes at most, if anything is wrong in any source.
pub fn read(sources: &Sources) -> Result<Reading, Vec<Mistake>> {
    let mut report = InputReport::default();
    let Some((whole, layers)) = merged(sources, &mut report) else { return Err(report.into_mistakes()) };
    let setup = assemble::setup(whole, &layers, sources, &mut report);
    match setup {
        Some(setup) if report.mistakes.is_empty() => {
            let flags = Words::new(sources.quick.as_ref(), &layers).kept();
            Ok(Reading { setup, warnings: report.warnings, closed: report.closed, flags })
        }
        _ => Err(report.into_mistakes()),
    }
}
