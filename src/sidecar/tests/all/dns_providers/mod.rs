//! DNS providers against servers of the tests' own: what is asked, and what becomes of it.
//!
//! The APIs of hosters are asked at their real names, through a proxy that plays them: see `stub`.

mod acme_dns;
mod apis;
mod bridges;
mod dns_server;
mod document;
mod failures;
mod harness;
mod http_server;
mod rfc2136;
mod stub;
mod values;
