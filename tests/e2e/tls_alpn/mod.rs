//! TLS-ALPN-01 (RFC 8737): the filter chain for `acme-tls/1` next to ordinary TLS.
//!
//! | file | what it shows |
//! |---|---|
//! | `challenges.rs` | Envoy's answers to live challenges, without a CA |
//! | `silence.rs` | connections that stall are closed and hold up nobody |
//! | `issuance.rs` | certificates of a CA that validates in this way |
//! | `passthrough.rs` | servers behind Envoy that have ACME of their own |
//! | `tools.rs` | `run`, `render` and `check` |

mod challenges;
mod issuance;
mod passthrough;
mod scene;
mod silence;
mod tools;
