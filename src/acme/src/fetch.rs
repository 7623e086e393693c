//! An exchange with a CA below the signatures: retries, redirects, and the bounds of an answer.

use std::time::Duration;

use crate::error::Error;
use serde_json::{Map, Value};

use crate::host::{Host, Method, Request, Response, SendError};
use crate::lenient::Object;
use crate::options::Options;
use crate::origin::{Origin, resolve};
use crate::patience::Patience;
use crate::problem::Problem;

/// How often a request is repeated after an answer of 5xx or none at all; with waits of 1, 2 and 4 s.
const MAX_REPEATS: u32 = 3;

/// A CA that asks for a longer wait than this is not asked again by the same request: whoever made it decides.
const LONGEST_ASKED: Duration = Duration::from_secs(10);

/// The first wait before a repetition; it doubles.
const FIRST_REPEAT: Duration = Duration::from_secs(1);

/// How many redirects of a GET are followed (RFC 8555 only hints at them; ten is what browsers were built on).
const MAX_REDIRECTS: u32 = 10;

/// The largest answer that is read, in bytes: a chain of ten large certificates has a tenth of it.
pub const MAX_ANSWER: usize = 1024 * 1024;

/// An unsigned GET with redirects and repetitions, within `clientTimeout`. Ends with an answer of 2xx, or an error.
pub(crate) async fn fetch<H: Host>(
    host: &H,
    endpoint: &'static str,
    url: &str,
    origin: &Origin,
    options: &Options,
    waiting_for: &str,
) -> Result<Response, Error> {
    let patience = Patience::new(options.client_timeout);
    patience.bound(host, waiting_for, redirected(host, endpoint, url, origin, options, &patience)).await
}

async fn redirected<H: Host>(
    host: &H,
    endpoint: &'static str,
    url: &str,
    origin: &Origin,
    options: &Options,
    patience: &Patience,
) -> Result<Response, Error> {
    let mut repeats = Repeats::of(patience);
    let mut redirects: u32 = 0;
    let mut url = url.to_owned();
    loop {
        let request = Request {
            method: Method::Get,
            url: url.clone(),
            headers: Vec::new(),
            body: Vec::new(),
            timeout: options.request_timeout,
            endpoint,
        };
        let error = match send(host, request).await {
            Ok(response) if (200..300).contains(&response.status) => return Ok(response),
            Ok(response) if matches!(response.status, 301 | 302 | 303 | 307 | 308) => {
                let target = response.header("location").and_then(|location| resolve(&url, location));
                redirects = redirects.saturating_add(1);
                url = match target {
                    Some(target) if redirects > MAX_REDIRECTS => {
                        return Err(Error::BadAnswer {
                            url: target,
                            what: format!("more than {MAX_REDIRECTS} redirects"),
                        });
                    }
                    Some(target) if is_allowed(&target, origin, options) => target,
                    Some(target) => return Err(Error::ForeignUrl { place: "a redirect's Location", url: target }),
                    None => {
                        return Err(Error::BadAnswer { url, what: "a redirect without a usable Location".to_owned() });
                    }
                };
                continue;
            }
            Ok(response) => Error::Refused { endpoint, problem: Problem::of(&response, host.now_millis()) },
            Err(error) => error,
        };
        repeats.wait_or_give_up(host, error).await?;
    }
}

pub(crate) async fn send<H: Host>(host: &H, request: Request) -> Result<Response, Error> {
    let url = request.url.clone();
    let response = host.send(request).await.map_err(|error| Error::Send { url: url.clone(), error })?;
    if response.body.len() > MAX_ANSWER {
        return Err(Error::BadAnswer { url, what: format!("it is longer than {MAX_ANSWER} bytes") });
    }
    Ok(response)
}

/// True if the CA may send the client to this URL.
pub(crate) fn is_allowed(url: &str, own: &Origin, options: &Options) -> bool {
    Origin::of(url).is_some_and(|origin| origin == *own || options.other_origins.contains(&origin))
}

/// The wait before the next repetition, and how many there were.
pub(crate) struct Repeats<'p> {
    count: u32,
    patience: &'p Patience,
}

impl<'p> Repeats<'p> {
    /// Waits of one operation.
    pub(crate) fn of(patience: &'p Patience) -> Self {
        Self { count: 0, patience }
    }

    /// True when the same request may be made again after what the CA asks to wait.
    pub(crate) fn may_wait(&self, asked: Option<Duration>) -> bool {
        asked.is_none_or(|asked| asked <= LONGEST_ASKED && self.patience.suffices_for(asked))
    }

    /// Waits before a repetition; or gives the error back, when a repetition can't cure it.
    pub(crate) async fn wait_or_give_up<H: Host>(&mut self, host: &H, error: Error) -> Result<(), Error> {
        let asked = match &error {
            Error::Send { error: SendError::TimedOut | SendError::Unreachable(_), .. } | Error::BadAnswer { .. } => {
                None
            }
            Error::Refused { problem, .. } if problem.status >= 500 => problem.retry_after,
            _ => return Err(error),
        };
        if self.count >= MAX_REPEATS || !self.may_wait(asked) {
            return Err(error);
        }
        let wait = FIRST_REPEAT.saturating_mul(1_u32 << self.count.min(MAX_REPEATS));
        self.count = self.count.saturating_add(1);
        self.patience.wait(host, wait, asked).await;
        Ok(())
    }
}

/// Reads a resource out of the JSON object that an answer is.
pub(crate) fn parse<T>(url: &str, response: &Response, read: impl FnOnce(Object<'_>) -> T) -> Result<T, Error> {
    Ok(read(Object(&json(url, response)?)))
}

fn json(url: &str, response: &Response) -> Result<Map<String, Value>, Error> {
    match serde_json::from_slice(&response.body) {
        Ok(Value::Object(members)) => Ok(members),
        Ok(_) => Err(unexpected(url, &"it is no object")),
        Err(error) => Err(unexpected(url, &error)),
    }
}

/// Error of an answer that is something else than what was asked for.
pub(crate) fn unexpected(url: &str, why: &dyn std::fmt::Display) -> Error {
    Error::BadAnswer { url: url.to_owned(), what: format!("it is not what was asked for: {why}") }
}
