//! When the CA suggests that a certificate is renewed (RFC 9773): asked for without an account.

use std::time::Duration;

use crate::directory::Ca;
use crate::error::Error;
use crate::fetch::parse;
use crate::fetch::{fetch, is_allowed};
use crate::host::Host;
use crate::lenient::Object;
use crate::options::Options;
use crate::retry_after;

/// The bounds of the wait before the CA is asked again (RFC 9773 §4.3.2 leaves them to the client): a CA that revokes
/// in bulk must be heard within a day, and none needs to be asked more often than once a minute.
const SOONEST: Duration = Duration::from_secs(60);
const LATEST: Duration = Duration::from_secs(24 * 60 * 60);

/// The wait where the CA names none (RFC 9773 §4.3.3: "every 6 hours").
pub const USUAL: Duration = Duration::from_secs(6 * 60 * 60);

/// The longest explanation URL that is shown.
const MAX_URL: usize = 2048;

/// A renewal window (RFC 9773 §4.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RenewalInfo {
    /// `suggestedWindow.start`, seconds since 1970.
    pub start: i64,
    /// `suggestedWindow.end`, seconds since 1970; after the start.
    pub end: i64,
    /// `explanationURL`: a page for a person. Never fetched; shown only escaped.
    pub explanation: Option<String>,
    /// When to ask again: from a minute to a day.
    pub ask_again_in: Duration,
}

/// Asks for the certificate with this identifier (RFC 9773 §4.1). `None` when the CA tells no such thing at all.
///
/// # Errors
/// Also when the answer can't be read, or its window ends before it starts: then it says nothing.
pub async fn ask<H: Host>(host: &H, ca: &Ca, options: &Options, id: &str) -> Result<Option<RenewalInfo>, Error> {
    let Some(base) = &ca.directory.renewal_info else { return Ok(None) };
    if !is_allowed(base, &ca.origin, options) {
        return Err(Error::ForeignUrl { place: "directory.renewalInfo", url: base.clone() });
    }
    let url = format!("{}/{id}", base.trim_end_matches('/'));
    let answer = fetch(host, "renewalInfo", &url, &ca.origin, options, "the CA's renewal information").await?;
    let resource = parse(&url, &answer, Resource::of)?;
    let bad = |what: &str| Error::BadAnswer { url: url.clone(), what: what.to_owned() };
    let window = resource.suggested_window.unwrap_or_default();
    let (Some(start), Some(end)) = (window.start, window.end) else {
        return Err(bad("suggestedWindow is not made of two RFC 3339 times"));
    };
    if start >= end {
        return Err(bad("suggestedWindow ends before it starts"));
    }
    let asked = answer.header("retry-after").and_then(|value| retry_after::parse(value, host.now_millis()));
    Ok(Some(RenewalInfo {
        start,
        end,
        explanation: resource.explanation_url.filter(|url| url.len() <= MAX_URL),
        ask_again_in: asked.unwrap_or(USUAL).clamp(SOONEST, LATEST),
    }))
}

/// The answer as it stands in JSON (RFC 9773 §4.2).
struct Resource {
    suggested_window: Option<Window>,
    explanation_url: Option<String>,
}

#[derive(Default)]
struct Window {
    start: Option<i64>,
    end: Option<i64>,
}

impl Resource {
    fn of(object: Object<'_>) -> Self {
        Self {
            suggested_window: object.object("suggestedWindow").map(Window::of),
            explanation_url: object.text("explanationURL"),
        }
    }
}

impl Window {
    fn of(object: Object<'_>) -> Self {
        Self { start: object.moment("start"), end: object.moment("end") }
    }
}
