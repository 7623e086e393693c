//! Callouts: HTTP requests that Envoy makes for us, each awaited by the one who asked.
//!
//! What the host answers to a token that nobody waits for (late, twice, never given out) is dropped. An answer that the
//! host never gives is given up a moment after its timeout. Envoy makes answers up when it has none: a 503 if it can't
//! connect, a 504 after the timeout, one without headers after a reset or beyond its buffer. Only what bears
//! `x-envoy-upstream-service-time` (Envoy adds it to each answer of an upstream) or `replay-nonce` (some strip the
//! former) came from the other side; the rest is a [`CallError`].

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use futures::channel::oneshot;

use crate::proxy::{Buffer, ProxyHandle, Status, Token};
use crate::table::Table;
use crate::timers::Timers;
use acme::one_line;

/// The end of what is told where Envoy gives no reason.
pub(crate) const WITHOUT_REASON: &str = " without a reason";

/// How long after its timeout a callout is given up that the host has not answered.
const GRACE: Duration = Duration::from_secs(2);

/// The longest part of a made-up answer's text that an error shows, in bytes.
const MAX_REASON: usize = 200;

/// The callouts of one root context.
pub(crate) struct Callouts {
    proxy: ProxyHandle,
    timers: Rc<Timers>,
    waiting: RefCell<Table<Token, Waiting>>,
}

/// A caller that waits for an answer.
struct Waiting {
    answer: oneshot::Sender<Result<Answer, CallError>>,
    max_body: usize,
}

/// A request to send, and how long to wait for its answer.
pub(crate) struct Call<'a> {
    /// The Envoy cluster.
    pub(crate) cluster: &'a str,
    /// Pseudo-headers and headers.
    pub(crate) headers: &'a [(&'a str, &'a str)],
    /// The body.
    pub(crate) body: &'a [u8],
    /// The longest it may take.
    pub(crate) timeout: Duration,
    /// The longest body that is read, in bytes.
    pub(crate) max_body: usize,
}

/// An answer of the other side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    /// The HTTP status.
    pub(crate) status: u16,
    /// Headers, names in lower case, without pseudo-headers.
    pub(crate) headers: Vec<(String, String)>,
    /// The whole body.
    pub(crate) body: Vec<u8>,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum CallError {
    /// The connection was reset, or the answer is longer than Envoy buffers.
    CutShort,
    /// Envoy did not take the request.
    Dispatch(Status),
    /// No answer in time.
    TimedOut,
    /// The answer's body has so many bytes, more than is read.
    TooLarge(usize),
    /// Envoy could not reach the other side; its reason, in one line.
    Unreachable(String),
}

impl std::fmt::Display for CallError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::CutShort => f.write_str("the connection was reset, or the answer was larger than Envoy takes"),
            Self::Dispatch(Status::InternalFailure) => {
                f.write_str("Envoy has no healthy host for the request, or its circuit breaker is open")
            }
            Self::Dispatch(status) => write!(f, "Envoy did not send the request ({status})"),
            Self::TimedOut => f.write_str("no answer in time"),
            Self::TooLarge(size) => write!(f, "the answer has {size} bytes, which is more than is read"),
            Self::Unreachable(why) => f.write_str(why),
        }
    }
}

impl Callouts {
    /// An empty list of callouts.
    pub(crate) fn new(proxy: ProxyHandle, timers: Rc<Timers>) -> Self {
        Self { proxy, timers, waiting: RefCell::default() }
    }

    /// Sends, and waits for the whole answer.
    pub(crate) async fn call(&self, call: Call<'_>) -> Result<Answer, CallError> {
        let token =
            self.proxy.call(call.cluster, call.headers, call.body, call.timeout).map_err(CallError::Dispatch)?;
        let (sender, receiver) = oneshot::channel();
        self.waiting.borrow_mut().insert(token, Waiting { answer: sender, max_body: call.max_body });
        let _forget = Forget { callouts: self, token };
        match self.timers.within(call.timeout.saturating_add(GRACE), receiver).await {
            Some(Ok(answer)) => answer,
            // The sender was dropped: the host has given the same token out again, so this one will not be answered.
            Some(Err(oneshot::Canceled)) => Err(CallError::CutShort),
            None => Err(CallError::TimedOut),
        }
    }

    /// Takes the host's answer to a token, while the host delivers it.
    pub(crate) fn answered(&self, token: Token, headers: usize, body_size: usize) {
        let Some(waiting) = self.waiting.borrow_mut().remove(&token) else { return };
        let answer = self.read(headers, body_size, waiting.max_body);
        // Whoever waited may have gone.
        let _ = waiting.answer.send(answer);
    }

    fn read(&self, headers: usize, body_size: usize, max_body: usize) -> Result<Answer, CallError> {
        if headers == 0 {
            return Err(CallError::CutShort);
        }
        if body_size > max_body {
            return Err(CallError::TooLarge(body_size));
        }
        let headers = self.proxy.answer_headers().map_err(|_| CallError::CutShort)?;
        let body = match body_size {
            0 => Vec::new(),
            _ => self.proxy.buffer(Buffer::AnswerBody, body_size).map_err(|_| CallError::CutShort)?,
        };
        if body.len() != body_size {
            return Err(CallError::CutShort);
        }
        judge(headers, body)
    }
}

/// Tells an answer of the other side from one that Envoy made up.
fn judge(mut headers: Vec<(String, String)>, body: Vec<u8>) -> Result<Answer, CallError> {
    let status = headers.iter().find(|(name, _)| name == ":status").and_then(|(_, value)| value.parse::<u16>().ok());
    let Some(status) = status.filter(|status| (100..600).contains(status)) else { return Err(CallError::CutShort) };
    let genuine = headers.iter().any(|(name, _)| name == "x-envoy-upstream-service-time" || name == "replay-nonce");
    if genuine {
        headers.retain(|(name, _)| !name.starts_with(':'));
        return Ok(Answer { status, headers, body });
    }
    if status == 504 {
        return Err(CallError::TimedOut);
    }
    let (text, _) = body.split_at_checked(MAX_REASON).unwrap_or((&body, &[]));
    let text = one_line(String::from_utf8_lossy(text).trim());
    // To a HEAD no reason is told, as it would be the body.
    let why = if text.is_empty() { WITHOUT_REASON.to_owned() } else { format!(": {text}") };
    Err(CallError::Unreachable(format!("Envoy answered {status}{why}")))
}

/// Takes a callout off the list when whoever waits for it goes away.
struct Forget<'a> {
    callouts: &'a Callouts,
    token: Token,
}

impl Drop for Forget<'_> {
    fn drop(&mut self) {
        let mut waiting = self.callouts.waiting.borrow_mut();
        // The host may have given the token to somebody else meanwhile, who does wait.
        if waiting.get(&self.token).is_some_and(|waiting| waiting.answer.is_canceled()) {
            waiting.remove(&self.token);
        }
    }
}
