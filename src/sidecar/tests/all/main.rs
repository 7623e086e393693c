//! The sidecar from outside: its API, its files, its process. One program: each further one would be linked anew.

#![allow(clippy::disallowed_methods, reason = "what is tested runs by the clock of the machine, and so does the test")]
#![allow(clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

mod api;
mod deployment;
mod dns_providers;
mod eab;
mod environments;
mod export;
mod files;
mod full_disk;
mod harness;
mod options;
mod privileges;
mod process;
mod publication;
mod revocation;
mod sockets;
mod status;
mod storage;
mod tls_alpn01;
