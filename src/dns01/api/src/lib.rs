//! What the sidecar calls of the library `dns-update`, in a crate of its own.
//!
//! The library's calls are generic in how names are given, and each holds the APIs of seventy providers: compiled in the
//! sidecar, they took five minutes of every build of it, and of every test's. Here they are compiled once, and with
//! little optimisation, since they wait for the network.

#![forbid(unsafe_code)]

use std::pin::Pin;

use dns_update::{DnsRecord, DnsRecordType, DnsUpdater, Result};

/// A call under way. It may be dropped at any time; what the API does then is not known.
pub type Call<'a, T> = Pin<Box<dyn Future<Output = Result<T>> + 'a>>;

const TXT: DnsRecordType = DnsRecordType::TXT;

/// Adds TXT records to those that the name has in this zone; `ttl` is in seconds.
///
/// # Errors
/// What the API, or the way to it, says.
pub fn add<'a>(
    client: &'a DnsUpdater,
    name: &'a str,
    ttl: u32,
    records: Vec<DnsRecord>,
    zone: &'a str,
) -> Call<'a, ()> {
    Box::pin(async move { client.add_to_rrset(name, TXT, ttl, records, zone).await })
}

/// The TXT records that the name has in this zone.
///
/// # Errors
/// What the API, or the way to it, says.
pub fn list<'a>(client: &'a DnsUpdater, name: &'a str, zone: &'a str) -> Call<'a, Vec<DnsRecord>> {
    Box::pin(async move { client.list_rrset(name, TXT, zone).await })
}

/// Removes these TXT records of the name in this zone, and no others.
///
/// # Errors
/// What the API, or the way to it, says.
pub fn remove<'a>(client: &'a DnsUpdater, name: &'a str, records: Vec<DnsRecord>, zone: &'a str) -> Call<'a, ()> {
    Box::pin(async move { client.remove_from_rrset(name, TXT, records, zone).await })
}

/// Puts these TXT records in the place of all that the name has in this zone; `ttl` is in seconds.
///
/// # Errors
/// What the API, or the way to it, says.
pub fn set<'a>(
    client: &'a DnsUpdater,
    name: &'a str,
    ttl: u32,
    records: Vec<DnsRecord>,
    zone: &'a str,
) -> Call<'a, ()> {
    Box::pin(async move { client.set_rrset(name, TXT, ttl, records, zone).await })
}
