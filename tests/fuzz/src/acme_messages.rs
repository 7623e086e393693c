//! Responses of a CA: directory, orders, authorizations, problems, links, waits, renewal windows, chains.

use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::time::Duration;

use acme::delegate::OrderDelegate;
use acme::directory::Ca;
use acme::issuance::{Beginning, issue};
use acme::order::Order;
use acme::problem::Problem;
use acme::{
    AccountKey, Challenge, ChallengeChoice, ChallengeType, Client, Host, Identifier, Options, Request, Response,
    SendError, account, renewal_info,
};
use futures::executor::block_on;

const DIRECTORY: &str = "https://ca.example/directory";

/// PKCS#8 of a P-256 key, whose scalar is 1.
const KEY: &[u8] = b"\x30\x41\x02\x01\x00\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\
    \x01\x07\x04\x27\x30\x25\x02\x01\x01\x04\x20\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01";

/// A conversation: one response after the other, with an empty line between them. A response's first line is its status
/// and its headers, `200 retry-after: 5; location: x`, and the rest its body. No error has more than a line, and no
/// request leaves the CA's origin.
pub fn acme_messages(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let host = Script { answers: RefCell::new(text.split("\n\n").map(answer).collect()), now: Cell::new(0) };
    let options = Options {
        client_timeout: Duration::from_secs(120),
        request_timeout: Duration::from_secs(30),
        certificate_timeout: Duration::from_secs(30),
        profile: None,
        alternate_chains: true,
        other_origins: Vec::new(),
    };
    let told = block_on(async {
        let ca = Ca::find(&host, DIRECTORY, &options).await.map_err(|error| error.to_string())?;
        let window = renewal_info::ask(&host, &ca, &options, "aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE").await;
        if let Ok(Some(info)) = &window {
            assert!(info.start < info.end, "{info:?}");
        }
        let key = AccountKey::from_pkcs8(KEY).expect("the key is one");
        let client = Client::new(&host, ca, key, None, options);
        account::register(&client, &["mailto:a@b.example".to_owned()], None)
            .await
            .map_err(|error| error.to_string())?;
        let names = [Identifier::of("a.example"), Identifier::of("*.b.example")];
        issue(&client, &Nobody, &names, Beginning::New(Some("x.y"))).await.map_err(|error| error.to_string()).map(drop)
    });
    if let Err(told) = told {
        assert!(!told.is_empty() && !told.chars().any(char::is_control), "{told:?}");
    }
}

fn answer(text: &str) -> Response {
    let (head, body) = text.split_once('\n').unwrap_or((text, ""));
    let (status, headers) = head.split_once(' ').unwrap_or((head, ""));
    let header = |pair: &str| {
        let (name, value) = pair.split_once(": ")?;
        Some((name.to_owned(), value.to_owned()))
    };
    let headers = headers.split("; ").filter_map(header).collect();
    Response { status: status.parse().unwrap_or(200), headers, body: body.as_bytes().to_vec() }
}

/// A transport that gives these responses, and then none.
struct Script {
    answers: RefCell<std::collections::VecDeque<Response>>,
    now: Cell<i64>,
}

impl Host for Script {
    async fn send(&self, request: Request) -> Result<Response, SendError> {
        // Scheme and host are case-insensitive (RFC 3986 §6.2.2.1).
        let is_the_cas = request.url.to_ascii_lowercase().starts_with("https://ca.example/");
        assert!(is_the_cas, "{} is asked", request.url);
        self.answers.borrow_mut().pop_front().ok_or(SendError::Unreachable("the end".to_owned()))
    }

    async fn sleep(&self, duration: Duration) {
        let millis = i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        self.now.set(self.now.get().saturating_add(millis));
    }

    fn now_millis(&self) -> i64 {
        self.now.get()
    }

    fn random(&self) -> u64 {
        7
    }
}

/// A solver that accepts every challenge and has every key.
struct Nobody;

impl OrderDelegate for Nobody {
    type Error = Infallible;

    async fn ordered(&self, _: &Order) -> Result<(), Infallible> {
        Ok(())
    }

    async fn complained(&self, _: &Challenge, problem: &Problem, _: Duration) {
        assert!(!problem.to_string().chars().any(char::is_control));
    }

    fn choose(&self, _: &str, offered: &[ChallengeType], _: Option<ChallengeType>) -> Option<ChallengeChoice> {
        offered.first().map(|kind| ChallengeChoice { kind: *kind, delay: Duration::ZERO })
    }

    async fn publish(&self, challenge: &Challenge) -> Result<(), Infallible> {
        let is_safe = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        assert!(challenge.token.bytes().all(is_safe), "{:?}", challenge.token);
        Ok(())
    }

    async fn retract(&self, _: &Challenge) {}

    async fn csr(&self, _: &str) -> Result<Vec<u8>, Infallible> {
        Ok(b"csr".to_vec())
    }
}
