//! A DNS in memory: servers with records, which may be slow, silent or broken.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use futures::future::BoxFuture;
use hickory_resolver::proto::op::{Message, MessageType, OpCode, ResponseCode};
use hickory_resolver::proto::rr::rdata::{A, AAAA, CNAME, NS, SOA, TXT};
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};
use tokio::time::sleep;

pub(crate) use super::exchange::Unanswered;
use super::exchange::{Exchange, Question};

/// The address of the recursive server.
pub(crate) const RECURSIVE: &str = "198.51.100.53:53";
/// The addresses of ns1.example. and ns2.example.
pub(crate) const NS1: &str = "192.0.2.1:53";
pub(crate) const NS2: &str = "192.0.2.2:53";

/// All name servers.
#[derive(Clone, Default)]
pub(crate) struct FakeDns(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    servers: HashMap<SocketAddr, Server>,
    asked: Vec<(SocketAddr, Question)>,
}

#[derive(Default)]
struct Server {
    records: Vec<(Name, RData)>,
    fault: Option<Fault>,
}

/// A server's misbehaviour.
#[derive(Clone, Debug)]
pub(crate) enum Fault {
    /// Answers every query with this code.
    Code(ResponseCode),
    /// Answers that it does not have the zone.
    Lame,
    /// Gives no response, but this failure after this time.
    Silent(Duration, Unanswered),
}

impl FakeDns {
    /// `example.` with two servers, and a recursive one that knows them.
    pub(crate) fn new() -> Self {
        let dns = Self::default();
        dns.add(RECURSIVE, "example.", soa());
        for (host, address) in [("ns1.example.", NS1), ("ns2.example.", NS2)] {
            dns.add(RECURSIVE, "example.", RData::NS(NS(name(host))));
            dns.add(RECURSIVE, host, a(address));
            dns.add(address, "example.", soa());
        }
        dns
    }

    pub(crate) fn add(&self, server: &str, at: &str, data: RData) {
        self.server(server, |server| server.records.push((name(at), data)));
    }

    pub(crate) fn remove(&self, server: &str, at: &str, data: &RData) {
        self.server(server, |server| server.records.retain(|(name_, there)| *name_ != name(at) || there != data));
    }

    pub(crate) fn fault(&self, server: &str, fault: Fault) {
        self.server(server, |server| server.fault = Some(fault));
    }

    /// The TXT records of a name at a server, in order.
    pub(crate) fn texts(&self, server: &str, at: &str) -> Vec<String> {
        self.server(server, |server| {
            let at_name = server.records.iter().filter(|(there, _)| *there == name(at));
            let mut texts: Vec<String> = at_name.filter_map(|(_, data)| text_of(data)).collect();
            texts.sort();
            texts
        })
    }

    /// Number of queries for this type at a server.
    pub(crate) fn asked(&self, server: &str, kind: RecordType) -> usize {
        let asked = &self.state().asked;
        asked.iter().filter(|(at, question)| *at == server.parse().unwrap() && question.kind == kind).count()
    }

    fn server<T>(&self, server: &str, change: impl FnOnce(&mut Server) -> T) -> T {
        change(self.state().servers.entry(server.parse().unwrap()).or_default())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }
}

impl Exchange for FakeDns {
    fn ask<'a>(&'a self, server: SocketAddr, question: &'a Question) -> BoxFuture<'a, Result<Message, Unanswered>> {
        self.state().asked.push((server, question.clone()));
        Box::pin(async move {
            let fault = match self.state().servers.get(&server) {
                Some(server) => server.fault.clone(),
                None => Some(Fault::Silent(Duration::from_secs(5), Unanswered::Timeout)),
            };
            if let Some(Fault::Silent(after, unanswered)) = fault {
                sleep(after).await;
                return Err(unanswered);
            }
            let mut answer = self.answer(server, question);
            match fault {
                Some(Fault::Code(code)) => {
                    answer.answers.clear();
                    answer.metadata.response_code = code;
                }
                Some(Fault::Lame) => {
                    answer.answers.clear();
                    answer.metadata.authoritative = false;
                }
                Some(Fault::Silent(..)) | None => {}
            }
            Ok(answer)
        })
    }
}

impl FakeDns {
    fn answer(&self, server: SocketAddr, question: &Question) -> Message {
        let mut answer = Message::new(1, MessageType::Response, OpCode::Query);
        answer.metadata.authoritative = !question.recursive;
        let state = self.state();
        let records = &state.servers[&server].records;
        let at_name =
            records.iter().filter(|(name, data)| *name == question.name && data.record_type() == question.kind);
        answer.add_answers(at_name.map(|(name, data)| Record::from_rdata(name.clone(), 60, data.clone())));
        if !records.iter().any(|(name, _)| question.name.zone_of(name)) {
            answer.metadata.response_code = ResponseCode::NXDomain;
        }
        answer
    }
}

fn name(text: &str) -> Name {
    Name::from_ascii(text).unwrap()
}

fn text_of(data: &RData) -> Option<String> {
    match data {
        RData::TXT(text) => Some(String::from_utf8(text.txt_data.concat()).unwrap()),
        _ => None,
    }
}

pub(crate) fn a(address: &str) -> RData {
    match address.parse().unwrap() {
        SocketAddr::V4(address) => RData::A(A(*address.ip())),
        SocketAddr::V6(address) => RData::AAAA(AAAA(*address.ip())),
    }
}

pub(crate) fn cname(target: &str) -> RData {
    RData::CNAME(CNAME(name(target)))
}

pub(crate) fn ns(host: &str) -> RData {
    RData::NS(NS(name(host)))
}

pub(crate) fn soa() -> RData {
    RData::SOA(SOA::new(name("ns1.example."), name("hostmaster.example."), 1, 60, 60, 60, 60))
}

/// A TXT record of several strings, as long ones must be.
pub(crate) fn txt(text: &str) -> RData {
    let (start, end) = text.split_at(text.len() / 2);
    RData::TXT(TXT::new(vec![start.to_owned(), end.to_owned()]))
}
