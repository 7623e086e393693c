//! The sidecar's calls of the library `dns-update`, in a crate of their own.
//!
//! The library's functions are generic over the form of names, and each contains the APIs of seventy providers:
//! compiled as part of the sidecar, they took five minutes of every build, and of every test's. Here they are compiled
//! once, and with little optimisation, since they wait for the network.

#![forbid(unsafe_code)]

use std::pin::Pin;

use dns_update::{DnsRecord, DnsRecordType, DnsUpdater, Result};

/// A pending call. It may be dropped at any time; the API's state is then unknown.
pub type Call<'a, T> = Pin<Box<dyn Future<Output = Result<T>> + 'a>>;

const TXT: DnsRecordType = DnsRecordType::TXT;

/// Adds TXT records to the existing ones of the name in this zone; `ttl` is in seconds.
///
/// # Errors
/// The error of the API, or of the connection to it.
pub fn add<'a>(
    client: &'a DnsUpdater,
    name: &'a str,
    ttl: u32,
    records: Vec<DnsRecord>,
    zone: &'a str,
) -> Call<'a, ()> {
    Box::pin(async move { client.add_to_rrset(name, TXT, ttl, records, zone).await })
}

/// Lists the TXT records of the name in this zone.
///
/// # Errors
/// The error of the API, or of the connection to it.
pub fn list<'a>(client: &'a DnsUpdater, name: &'a str, zone: &'a str) -> Call<'a, Vec<DnsRecord>> {
    Box::pin(async move { client.list_rrset(name, TXT, zone).await })
}

/// Removes these TXT records of the name in this zone, and no others.
///
/// # Errors
/// The error of the API, or of the connection to it.
pub fn remove<'a>(client: &'a DnsUpdater, name: &'a str, records: Vec<DnsRecord>, zone: &'a str) -> Call<'a, ()> {
    Box::pin(async move { client.remove_from_rrset(name, TXT, records, zone).await })
}

/// Replaces all TXT records of the name in this zone by these; `ttl` is in seconds.
///
/// # Errors
/// The error of the API, or of the connection to it.
pub fn set<'a>(
    client: &'a DnsUpdater,
    name: &'a str,
    ttl: u32,
    records: Vec<DnsRecord>,
    zone: &'a str,
) -> Call<'a, ()> {
    Box::pin(async move { client.set_rrset(name, TXT, ttl, records, zone).await })
}
