//! Faults between a client and its CA.

use crate::host::{Request, Response};

/// A fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// An intermediary answers; the CA never sees the request.
    Answer(Response),
    /// The CA does what it was asked, and its answer is lost.
    LostAnswer,
    /// The request is lost.
    LostRequest,
    /// The CA does what it was asked, and its answer comes too late.
    Stall,
}

type Decide = dyn FnMut(&Request, u64) -> Option<Fault>;

/// Decides for each request what goes wrong with it; it gets a random number to decide by.
pub struct Faults(Box<Decide>);

impl Faults {
    /// A network without faults.
    pub fn none() -> Self {
        Self::by(|_, _| None)
    }

    /// As the function says.
    pub fn by(decide: impl FnMut(&Request, u64) -> Option<Fault> + 'static) -> Self {
        Self(Box::new(decide))
    }

    /// Each request meets some fault with this probability, in percent.
    pub fn some(percent: u64) -> Self {
        Self::by(move |_, random| {
            let fault = match (random >> 32) % 5 {
                0 => Fault::LostRequest,
                1 => Fault::LostAnswer,
                2 => Fault::Stall,
                3 => Fault::answer(503, "<html>no backend</html>"),
                _ => Fault::answer(500, r#"{"type":"urn:ietf:params:acme:error:serverInternal","detail":"oops"}"#),
            };
            (random % 100 < percent).then_some(fault)
        })
    }

    /// Once: the first request to this endpoint meets this fault.
    pub fn once(endpoint: &'static str, fault: Fault) -> Self {
        let mut fault = Some(fault);
        Self::by(move |request, _| if request.endpoint == endpoint { fault.take() } else { None })
    }

    pub(super) fn next(&mut self, request: &Request, random: u64) -> Option<Fault> {
        (self.0)(request, random)
    }
}

impl Fault {
    /// An answer of this status and body, without headers.
    pub fn answer(status: u16, body: &str) -> Self {
        Self::Answer(Response { status, headers: Vec::new(), body: body.into() })
    }
}
