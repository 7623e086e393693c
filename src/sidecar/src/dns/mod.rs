//! DNS-01 (RFC 8555 §8.4): TXT records, made with a DNS provider, looked for, and removed again.
//!
//! | folder or file | what it does |
//! |---|---|
//! | `provider/` | DNS providers by lego's codes, with lego's variables: make a record, remove it |

pub mod provider;
