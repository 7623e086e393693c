//! Sequences of events against both sessions, without a network or a clock.

#![allow(clippy::unwrap_used)]

mod arbitrary;
mod delta;
mod property;
mod sotw;

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use envoy_types::pb::envoy::config::core::v3::data_source::Specifier;
use envoy_types::pb::envoy::extensions::transport_sockets::tls::v3::{Secret, secret};
use prost::Message;

use super::{ResourceName, Source};
use crate::messages::{Any, Status};
use pki::Pair;

/// Certificates by name; the content of each is its version.
#[derive(Default)]
struct Contents {
    best: RefCell<HashMap<String, Arc<Pair>>>,
    default: Option<Arc<Pair>>,
}

impl Contents {
    fn of(names: &[(&str, &str)]) -> Self {
        let contents = Self::default();
        names.iter().for_each(|(name, version)| contents.put(name, version));
        contents
    }

    fn put(&self, name: &str, version: &str) {
        self.best.borrow_mut().insert(name.to_owned(), pair(version));
    }

    fn remove(&self, name: &str) {
        self.best.borrow_mut().remove(name);
    }
}

impl Source for Contents {
    fn best(&self, _: &str, name: &ResourceName) -> Option<Arc<Pair>> {
        let best = self.best.borrow();
        name.certificate().and_then(|name| best.get(name.as_str()).or(self.default.as_ref())).cloned()
    }
}

fn pair(version: &str) -> Arc<Pair> {
    padded_pair(version, 0)
}

fn padded_pair(version: &str, padding: usize) -> Arc<Pair> {
    Arc::new(Pair {
        is_of_test_system: false,
        chain: Vec::new(),
        chain_pem: format!("{version}{}", " ".repeat(padding)),
        key_pem: String::new(),
        names: Vec::new(),
        not_before: 0,
        not_after: 0,
        version: version.to_owned(),
    })
}

/// The name and the content of an encoded secret.
fn content(secret: &Any) -> (String, String) {
    let decoded = Secret::decode(secret.value.as_slice()).unwrap();
    let Some(secret::Type::TlsCertificate(certificate)) = decoded.r#type else { panic!("not a certificate") };
    let Some(Specifier::InlineBytes(chain)) = certificate.certificate_chain.unwrap().specifier else {
        panic!("not inline")
    };
    (decoded.name, String::from_utf8(chain).unwrap().trim().to_owned())
}

fn strings(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

fn error(text: &str) -> Option<Status> {
    Some(Status { code: 13, message: text.to_owned() })
}
