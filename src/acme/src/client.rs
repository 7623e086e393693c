//! One request to a CA, with all that belongs to it: nonces, signature, retries, bounds.
//!
//! A request is repeated when its nonce was refused, and when the CA or the way to it had a moment of weakness; each
//! within a bound, and all within `clientTimeout`. What a repetition can't cure is returned at once.

use std::cell::RefCell;
use std::time::Duration;

use futures::future::{Either, select};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::directory::Directory;
use crate::error::Error;
use crate::host::{Host, Method, Request, Response, SendError};
use crate::jws::{AccountKey, KeyName};
use crate::origin::{Origin, resolve};
use crate::problem::Problem;

/// How often a refused nonce is replaced. A CA that refuses every second one (Pebble can be told to) still fails only
/// one request in a million.
const MAX_BAD_NONCES: u32 = 20;

/// How often a request is repeated after an answer of 5xx or none at all; with waits of 1, 2 and 4 s.
const MAX_REPEATS: u32 = 3;

/// The first wait before a repetition; it doubles.
const FIRST_REPEAT: Duration = Duration::from_secs(1);

/// How many nonces are kept. One comes with every answer, and no more than this many requests run at once.
const MAX_NONCES: usize = 64;

/// Nonces are base64url (RFC 8555 §6.5.1); those of real CAs have at most a hundred characters.
const MAX_NONCE: usize = 256;

/// How many redirects of a GET are followed (RFC 8555 only hints at them; ten is what browsers were built on).
const MAX_REDIRECTS: u32 = 10;

/// The largest answer that is read, in bytes: a chain of ten large certificates has a tenth of it.
pub const MAX_ANSWER: usize = 1024 * 1024;

/// How a client behaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Bounds one operation with its repetitions.
    pub client_timeout: Duration,
    /// Bounds each request.
    pub request_timeout: Duration,
    /// Bounds the wait from finalize to certificate.
    pub certificate_timeout: Duration,
    /// The profile that orders name (draft-ietf-acme-profiles §4).
    pub profile: Option<String>,
    /// Whether all chains of a certificate are downloaded, or the default one only (RFC 8555 §7.4.2).
    pub alternate_chains: bool,
    /// Origins besides the directory's that the CA may name in its URLs.
    pub other_origins: Vec<Origin>,
}

/// A client of one CA with one account key. It may serve many flows at once.
pub struct Client<H> {
    pub(crate) host: H,
    pub(crate) directory: Directory,
    pub(crate) key: AccountKey,
    pub(crate) options: Options,
    origin: Origin,
    kid: RefCell<Option<String>>,
    nonces: RefCell<Vec<String>>,
}

/// A signed request that is to be made.
#[derive(Clone, Copy)]
pub(crate) struct Call<'a> {
    pub(crate) endpoint: &'static str,
    pub(crate) url: &'a str,
    /// `None` is a POST-as-GET.
    pub(crate) payload: Option<&'a [u8]>,
    pub(crate) signed: Signed,
    pub(crate) on_silence: OnSilence,
}

/// Which key a request names.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signed {
    /// By the account's URL.
    AsAccount,
    /// By the key itself: newAccount.
    ByKey,
}

/// What to do when no answer comes, so that nobody knows whether the CA did what it was asked.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum OnSilence {
    /// Leave it to the flow, which can find out.
    GiveUp,
    /// Ask again: it does no harm twice.
    Repeat,
}

impl<H: Host> Client<H> {
    /// Fetches the directory (RFC 8555 §7.1.1) of a CA and makes a client of it. `kid` is the account's URL, if it is
    /// known already.
    pub async fn connect(
        host: H,
        directory_url: &str,
        key: AccountKey,
        kid: Option<String>,
        options: Options,
    ) -> Result<Self, Error> {
        let foreign = || Error::ForeignUrl { place: "caServer", url: directory_url.to_owned() };
        let origin = Origin::of(directory_url).ok_or_else(foreign)?;
        let allowed = |url: &str| is_allowed(url, &origin, &options);
        let fetch = fetch(&host, directory_url, &options, &allowed);
        let answer = within(&host, options.client_timeout, "the CA's directory", fetch).await?;
        let directory: Directory = parse(directory_url, &answer)?;
        for (place, url) in [
            ("directory.newNonce", &directory.new_nonce),
            ("directory.newAccount", &directory.new_account),
            ("directory.newOrder", &directory.new_order),
        ] {
            if !allowed(url) {
                return Err(Error::ForeignUrl { place, url: url.clone() });
            }
        }
        Ok(Self { host, directory, key, options, origin, kid: RefCell::new(kid), nonces: RefCell::default() })
    }

    /// The account's URL, when it is known.
    pub fn kid(&self) -> Option<String> {
        self.kid.borrow().clone()
    }

    /// The account's key.
    pub fn key(&self) -> &AccountKey {
        &self.key
    }

    pub(crate) fn set_kid(&self, kid: Option<String>) {
        self.kid.replace(kid);
    }

    /// A URL the CA sent, if it may be asked.
    pub(crate) fn trusted(&self, place: &'static str, url: String) -> Result<String, Error> {
        if is_allowed(&url, &self.origin, &self.options) { Ok(url) } else { Err(Error::ForeignUrl { place, url }) }
    }

    /// A signed POST of a JSON payload.
    pub(crate) async fn post<T: Serialize>(
        &self,
        endpoint: &'static str,
        url: &str,
        payload: &T,
        on_silence: OnSilence,
    ) -> Result<Response, Error> {
        // The payloads are structs of ours; if one could not be written, the CA would answer `malformed`.
        let payload = serde_json::to_vec(payload).unwrap_or_default();
        self.call(Call { endpoint, url, payload: Some(&payload), signed: Signed::AsAccount, on_silence }).await
    }

    /// A POST-as-GET (RFC 8555 §6.3).
    pub(crate) async fn post_as_get(&self, endpoint: &'static str, url: &str) -> Result<Response, Error> {
        let (signed, on_silence) = (Signed::AsAccount, OnSilence::Repeat);
        self.call(Call { endpoint, url, payload: None, signed, on_silence }).await
    }

    /// A signed request with its repetitions, within `clientTimeout`. Ends with an answer of 2xx, or an error.
    pub(crate) async fn call(&self, call: Call<'_>) -> Result<Response, Error> {
        within(&self.host, self.options.client_timeout, call.endpoint, self.repeated(call)).await
    }

    async fn repeated(&self, call: Call<'_>) -> Result<Response, Error> {
        let mut bad_nonces: u32 = 0;
        let mut repeats = Repeats::default();
        loop {
            let error = match self.once(call).await {
                Ok(response) => return Ok(response),
                Err(error) => error,
            };
            match &error {
                Error::Refused { problem, .. } if problem.is("badNonce") && bad_nonces < MAX_BAD_NONCES => {
                    bad_nonces = bad_nonces.saturating_add(1);
                }
                Error::Send { url, .. } if url == call.url && call.on_silence == OnSilence::GiveUp => {
                    return Err(error);
                }
                _ => repeats.wait_or_give_up(&self.host, error).await?,
            }
        }
    }

    /// Sends one request, signed afresh: its nonce is never used again, whatever comes of it.
    async fn once(&self, call: Call<'_>) -> Result<Response, Error> {
        let Call { endpoint, url, payload, signed, .. } = call;
        let kept = self.nonces.borrow_mut().pop();
        let nonce = match kept {
            Some(nonce) => nonce,
            None => self.new_nonce().await?,
        };
        let kid = self.kid().unwrap_or_default();
        let name = if signed == Signed::ByKey { KeyName::Jwk } else { KeyName::Kid(&kid) };
        let request = Request {
            method: Method::Post,
            url: url.to_owned(),
            headers: vec![("content-type", "application/jose+json".to_owned())],
            body: self.key.sign(name, &nonce, url, payload),
            timeout: self.options.request_timeout,
            endpoint,
        };
        let response = send(&self.host, request).await?;
        self.keep_nonce(&response);
        if (200..300).contains(&response.status) {
            return Ok(response);
        }
        let problem = Problem::of(&response, self.host.now_millis());
        if problem.is("accountDoesNotExist") {
            Err(Error::AccountLost(problem))
        } else {
            Err(Error::Refused { endpoint, problem })
        }
    }

    /// A fresh nonce (RFC 8555 §7.2).
    async fn new_nonce(&self) -> Result<String, Error> {
        let url = &self.directory.new_nonce;
        let request = Request {
            method: Method::Head,
            url: url.clone(),
            headers: Vec::new(),
            body: Vec::new(),
            timeout: self.options.request_timeout,
            endpoint: "newNonce",
        };
        let response = send(&self.host, request).await?;
        if !(200..300).contains(&response.status) {
            let problem = Problem::of(&response, self.host.now_millis());
            return Err(Error::Refused { endpoint: "newNonce", problem });
        }
        nonce_of(&response).ok_or_else(|| Error::BadAnswer {
            url: url.clone(),
            what: "it has no usable Replay-Nonce header".to_owned(),
        })
    }

    fn keep_nonce(&self, response: &Response) {
        let Some(nonce) = nonce_of(response) else { return };
        let mut nonces = self.nonces.borrow_mut();
        if nonces.len() >= MAX_NONCES {
            // The oldest is the one that is most likely stale.
            nonces.remove(0);
        }
        nonces.push(nonce);
    }
}

/// The wait before the next repetition, and how many there were.
#[derive(Default)]
struct Repeats(u32);

impl Repeats {
    /// Waits before a repetition; or gives the error back, when a repetition can't cure it.
    async fn wait_or_give_up<H: Host>(&mut self, host: &H, error: Error) -> Result<(), Error> {
        let asked = match &error {
            Error::Send { error: SendError::TimedOut | SendError::Unreachable(_), .. } | Error::BadAnswer { .. } => {
                None
            }
            Error::Refused { problem, .. } if problem.status >= 500 => problem.retry_after,
            _ => return Err(error),
        };
        if self.0 >= MAX_REPEATS {
            return Err(error);
        }
        let wait = FIRST_REPEAT.saturating_mul(1_u32 << self.0.min(MAX_REPEATS));
        self.0 = self.0.saturating_add(1);
        host.sleep(asked.map_or(wait, |asked| asked.max(wait))).await;
        Ok(())
    }
}

/// Reads JSON out of an answer.
pub(crate) fn parse<T: DeserializeOwned>(url: &str, response: &Response) -> Result<T, Error> {
    serde_json::from_slice(&response.body).map_err(|error| Error::BadAnswer {
        url: url.to_owned(),
        what: format!("it is not what was asked for: {error}"),
    })
}

/// Ends a future with an error when it takes longer.
pub(crate) async fn within<H: Host, T>(
    host: &H,
    timeout: Duration,
    waiting_for: &str,
    future: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    let future = std::pin::pin!(future);
    let alarm = std::pin::pin!(host.sleep(timeout));
    match select(future, alarm).await {
        Either::Left((result, _)) => result,
        Either::Right(_) => Err(Error::TimedOut { waiting_for: waiting_for.to_owned(), after: timeout }),
    }
}

/// An unsigned GET with redirects and repetitions.
async fn fetch<H: Host>(
    host: &H,
    url: &str,
    options: &Options,
    allowed: &impl Fn(&str) -> bool,
) -> Result<Response, Error> {
    let mut repeats = Repeats::default();
    let mut redirects: u32 = 0;
    let mut url = url.to_owned();
    loop {
        let request = Request {
            method: Method::Get,
            url: url.clone(),
            headers: Vec::new(),
            body: Vec::new(),
            timeout: options.request_timeout,
            endpoint: "directory",
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
                    Some(target) if allowed(&target) => target,
                    Some(target) => return Err(Error::ForeignUrl { place: "a redirect's Location", url: target }),
                    None => {
                        return Err(Error::BadAnswer { url, what: "a redirect without a usable Location".to_owned() });
                    }
                };
                continue;
            }
            Ok(response) => {
                Error::Refused { endpoint: "directory", problem: Problem::of(&response, host.now_millis()) }
            }
            Err(error) => error,
        };
        repeats.wait_or_give_up(host, error).await?;
    }
}

async fn send<H: Host>(host: &H, request: Request) -> Result<Response, Error> {
    let url = request.url.clone();
    let response = host.send(request).await.map_err(|error| Error::Send { url: url.clone(), error })?;
    if response.body.len() > MAX_ANSWER {
        return Err(Error::BadAnswer { url, what: format!("it is longer than {MAX_ANSWER} bytes") });
    }
    Ok(response)
}

fn is_allowed(url: &str, own: &Origin, options: &Options) -> bool {
    Origin::of(url).is_some_and(|origin| origin == *own || options.other_origins.contains(&origin))
}

/// The nonce an answer brings; one that is not base64url is ignored (RFC 8555 §6.5.1).
fn nonce_of(response: &Response) -> Option<String> {
    let nonce = response.header("replay-nonce")?;
    let fits = !nonce.is_empty()
        && nonce.len() <= MAX_NONCE
        && nonce.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    fits.then(|| nonce.to_owned())
}
