//! The host: time, randomness and HTTP, as the protocol needs them.

use std::time::Duration;

/// The world as the flows see it. They are generic over it, so that they run in Envoy and on a virtual clock alike.
pub trait Host {
    /// Sends a request and waits for the whole answer.
    ///
    /// MUST end within [`Request::timeout`]. MUST NOT follow redirects and MUST NOT send twice. An answer that some
    /// proxy made up since the server could not be reached MUST come as an error.
    fn send(&self, request: Request) -> impl Future<Output = Result<Response, SendError>>;

    /// Waits for that long, or a little longer.
    fn sleep(&self, duration: Duration) -> impl Future<Output = ()>;

    /// Milliseconds since 1970 by the wall clock. It may jump.
    fn now_millis(&self) -> i64;

    /// A random number for jitter. It need not be fit for keys.
    fn random(&self) -> u64;
}

impl<H: Host> Host for &H {
    fn send(&self, request: Request) -> impl Future<Output = Result<Response, SendError>> {
        (*self).send(request)
    }

    fn sleep(&self, duration: Duration) -> impl Future<Output = ()> {
        (*self).sleep(duration)
    }

    fn now_millis(&self) -> i64 {
        (*self).now_millis()
    }

    fn random(&self) -> u64 {
        (*self).random()
    }
}

/// A request. We make it, so it is well-formed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// GET, HEAD or POST.
    pub method: Method,
    /// An absolute URL.
    pub url: String,
    /// Headers besides `Host`, `User-Agent` and `Content-Length`, which the host adds.
    pub headers: Vec<(&'static str, String)>,
    /// The body; empty for GET and HEAD.
    pub body: Vec<u8>,
    /// The longest it may take.
    pub timeout: Duration,
    /// The request's purpose, for metrics and logs: `directory`, `newNonce`, `newAccount`, `newOrder`, `order`,
    /// `authorization`, `challenge`, `finalize`, `certificate`, `account`, `renewalInfo`.
    pub endpoint: &'static str,
}

/// The methods ACME uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// GET
    Get,
    /// HEAD
    Head,
    /// POST
    Post,
}

impl Method {
    /// The method as it stands in a request line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Post => "POST",
        }
    }
}

/// A response. A peer made it, so nothing about it is certain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// The HTTP status.
    pub status: u16,
    /// Headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The whole body.
    pub body: Vec<u8>,
}

impl Response {
    /// The first header of this name, given in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// Why no answer came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SendError {
    /// The host does not send to this URL: there is no cluster for it, say. The text says what to do.
    Refused(String),
    /// The exchange took longer than [`Request::timeout`].
    TimedOut,
    /// No connection, a reset, or an answer cut short.
    Unreachable(String),
}

impl std::fmt::Display for SendError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Refused(why) => write!(f, "not sent: {why}"),
            Self::TimedOut => f.write_str("no answer in time"),
            Self::Unreachable(why) => write!(f, "no answer: {why}"),
        }
    }
}
