//! A request to a CA, with nonce, signature, retries and bounds.
//!
//! A request is repeated when its nonce was refused, and when the CA or the connection failed for a moment; each within
//! a bound, and all within `clientTimeout`. An error that a repetition can't cure is returned at once.

use std::cell::RefCell;
use std::time::Duration;

use serde::Serialize;

use crate::directory::{Ca, Directory};
use crate::error::Error;
pub use crate::fetch::MAX_ANSWER;
use crate::fetch::{Repeats, is_allowed, send};
use crate::host::{Host, Method, Request, Response};
use crate::jws::{AccountKey, KeyName};
use crate::options::Options;
use crate::origin::{Origin, resolve};
use crate::patience::Patience;
use crate::problem::Problem;

/// How often a refused nonce is replaced. A CA that refuses every second one (Pebble can be told to) still fails only
/// one request in a million.
const MAX_BAD_NONCES: u32 = 20;

/// The wait when a second nonce in a row was refused; it doubles. One alone is nothing unusual, of a CA that was started
/// anew, say, and the answer has brought another.
const SECOND_BAD_NONCE: Duration = Duration::from_millis(50);

/// The longest such wait: all of them together take half a minute.
const LONGEST_BAD_NONCE: Duration = Duration::from_secs(2);

/// How many nonces are kept. One comes with every answer, and no more than this many requests run at once.
const MAX_NONCES: usize = 64;

/// Nonces are base64url (RFC 8555 §6.5.1); those of real CAs have at most a hundred characters.
const MAX_NONCE: usize = 256;

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
    /// The payload; `None` for POST-as-GET.
    pub(crate) payload: Option<&'a [u8]>,
    pub(crate) signed: Signed,
    pub(crate) on_silence: OnSilence,
}

/// The key that a request is signed with and names.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signed {
    /// By the account's URL.
    AsAccount,
    /// By the key itself: newAccount.
    ByKey,
}

/// The reaction to a lost answer, after which it is not known whether the CA has processed the request.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum OnSilence {
    /// Leave it to the flow, which asks for something else; also when the CA failed.
    AskOtherwise,
    /// Leave it to the flow, which can find out.
    GiveUp,
    /// Ask again: it does no harm twice.
    Repeat,
}

impl<H: Host> Client<H> {
    /// Fetches the directory of a CA and makes a client of it. `kid` is the account's URL, if it is known already.
    pub async fn connect(
        host: H,
        directory_url: &str,
        key: AccountKey,
        kid: Option<String>,
        options: Options,
    ) -> Result<Self, Error> {
        let ca = Ca::find(&host, directory_url, &options).await?;
        Ok(Self::new(host, ca, key, kid, options))
    }

    /// A client of a CA whose directory is known.
    pub fn new(host: H, ca: Ca, key: AccountKey, kid: Option<String>, options: Options) -> Self {
        let Ca { origin, directory } = ca;
        Self { host, directory, key, options, origin, kid: RefCell::new(kid), nonces: RefCell::default() }
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

    /// A URL the CA sent, if it may be asked; `base` is the one that it came from.
    pub(crate) fn trusted(&self, place: &'static str, base: &str, url: String) -> Result<String, Error> {
        let url = resolve(base, &url).unwrap_or(url);
        if is_allowed(&url, &self.origin, &self.options) { Ok(url) } else { Err(Error::ForeignUrl { place, url }) }
    }

    /// A signed POST of a payload that [`payload`] has written.
    pub(crate) async fn post(
        &self,
        endpoint: &'static str,
        url: &str,
        payload: Vec<u8>,
        on_silence: OnSilence,
    ) -> Result<Response, Error> {
        self.call(Call { endpoint, url, payload: Some(&payload), signed: Signed::AsAccount, on_silence }).await
    }

    /// A POST-as-GET (RFC 8555 §6.3).
    pub(crate) async fn post_as_get(&self, endpoint: &'static str, url: &str) -> Result<Response, Error> {
        let (signed, on_silence) = (Signed::AsAccount, OnSilence::Repeat);
        self.call(Call { endpoint, url, payload: None, signed, on_silence }).await
    }

    /// A signed request with its repetitions, within `clientTimeout`. Ends with an answer of 2xx, or an error.
    pub(crate) async fn call(&self, call: Call<'_>) -> Result<Response, Error> {
        let patience = Patience::new(self.options.client_timeout);
        patience.bound(&self.host, call.endpoint, self.repeated(call, &patience)).await
    }

    async fn repeated(&self, call: Call<'_>, patience: &Patience) -> Result<Response, Error> {
        let mut bad_nonces: u32 = 0;
        let mut repeats = Repeats::of(patience);
        loop {
            let error = match self.once(call).await {
                Ok(response) => return Ok(response),
                Err(error) => error,
            };
            log::debug!("asking the CA again, where that may help: {error}");
            match &error {
                Error::Refused { problem, .. }
                    if problem.is("badNonce")
                        && bad_nonces < MAX_BAD_NONCES
                        && repeats.may_wait(problem.retry_after) =>
                {
                    patience.wait(&self.host, after_refused_nonces(bad_nonces), problem.retry_after).await;
                    bad_nonces = bad_nonces.saturating_add(1);
                }
                Error::Send { url, .. } if url == call.url && call.on_silence != OnSilence::Repeat => {
                    return Err(error);
                }
                Error::Refused { endpoint, .. }
                    if *endpoint == call.endpoint && call.on_silence == OnSilence::AskOtherwise =>
                {
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
        // So some CAs say that they have no such account (RFC 8555 §6.2 has a type for it). The key's owner asks for it anew,
        // and is refused again where it was meant otherwise.
        let is_unknown = problem.is("unauthorized") && signed == Signed::AsAccount && endpoint == "newOrder";
        if problem.is("accountDoesNotExist") || is_unknown {
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

/// The payload of a request, in JSON. It is a struct of ours; if one could not be written, the CA would answer
/// `malformed`.
pub(crate) fn payload(content: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(content).unwrap_or_default()
}

/// The wait after a refused nonce, when this many were refused before it in a row.
fn after_refused_nonces(before: u32) -> Duration {
    let Some(doublings) = before.checked_sub(1) else { return Duration::ZERO };
    SECOND_BAD_NONCE.saturating_mul(1_u32.checked_shl(doublings).unwrap_or(u32::MAX)).min(LONGEST_BAD_NONCE)
}

/// The nonce an answer brings; one that is not base64url is ignored (RFC 8555 §6.5.1).
fn nonce_of(response: &Response) -> Option<String> {
    let nonce = response.header("replay-nonce")?;
    let fits = !nonce.is_empty()
        && nonce.len() <= MAX_NONCE
        && nonce.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    fits.then(|| nonce.to_owned())
}
