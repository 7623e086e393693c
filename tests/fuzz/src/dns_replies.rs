//! Replies of name servers.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use base::clock::Clock;
use dns01::{Exchange, Persistent, Question, Unanswered};
use futures::FutureExt;
use futures::future::{BoxFuture, ready};
use hickory_proto::op::Message;
use protocol::{DnsChecks, DnsPersist01};

/// Messages, one after the other, each after its length in two bytes; then none. The result is one line.
pub fn dns_replies(input: &[u8]) {
    let mut replies = VecDeque::new();
    let mut rest = input;
    while let Some(([high, low], after)) = rest.split_first_chunk() {
        let length = usize::from(u16::from_be_bytes([*high, *low])).min(after.len());
        let (reply, after) = after.split_at(length);
        replies.push_back(reply.to_vec());
        rest = after;
    }
    let exchange = Arc::new(Script(Mutex::new(replies)));
    let challenge = DnsPersist01 {
        resolver: "le".to_owned(),
        domain: "a.example".to_owned(),
        wildcard: false,
        issuer_domain_names: vec!["ca.example".to_owned()],
        account_uri: "https://ca.example/account/1".to_owned(),
        checks: DnsChecks { resolvers: vec!["192.0.2.1:53".to_owned()], ..DnsChecks::default() },
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let check = Persistent::new(exchange, 53, Clock::system());
    if let Err(told) = runtime.expect("a runtime").block_on(check.check(&challenge)) {
        assert!(!told.is_empty() && !told.chars().any(char::is_control), "{told:?}");
    }
}

struct Script(Mutex<VecDeque<Vec<u8>>>);

impl Exchange for Script {
    fn ask<'a>(&'a self, _: SocketAddr, _: &'a Question) -> BoxFuture<'a, Result<Message, Unanswered>> {
        let reply = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        let message = match reply {
            Some(reply) => Message::from_vec(&reply).map_err(|_| Unanswered::Malformed),
            None => Err(Unanswered::Timeout),
        };
        ready(message).boxed()
    }
}
