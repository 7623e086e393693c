//! Fingerprints of options. A backoff is lifted when the options that the failed attempt depended on have changed.
//!
//! A wait that the engine chose itself holds while the options are the same, over any number of restarts; with others
//! the try is worth making. A wait that the CA asked for holds whatever the user changes, but for the CA itself.
//! Failures keep counting either way.

use std::time::Duration;

use acme::Class;

use config::{CaTrust, Config, DnsChallenge, Propagation, Resolver};
use protocol::{State, fnv};

/// No UTF-8 text has this byte, so it ends a text.
const END: [u8; 1] = [0xff];

/// The fingerprint of what the wait after a failure of this class depends on.
pub(crate) fn fingerprint(config: &Config, resolver: &Resolver, class: Class) -> u32 {
    match class {
        Class::RateLimited(_) | Class::Transient(Some(_)) => of_ca(resolver),
        Class::Permanent | Class::Transient(None) | Class::Validation => of_options(config, resolver),
    }
}

/// Lifts the waits of attempts that were made with other options than the configuration has now.
pub(crate) fn lift_waits(state: &mut State, config: &Config) {
    // Resolvers are few.
    for resolver in &config.resolvers {
        let known = [of_ca(resolver), of_options(config, resolver)];
        let of_resolver = state.attempts.iter_mut().filter(|attempt| attempt.certificate.resolver == resolver.name);
        for attempt in of_resolver {
            if attempt.fingerprint.is_some_and(|fingerprint| !known.contains(&fingerprint)) {
                attempt.retry_at = 0;
                attempt.fallback_attempts.iter_mut().for_each(|fallback| fallback.retry_at = 0);
            }
        }
    }
}

fn of_ca(resolver: &Resolver) -> u32 {
    folded(fnv::hash(resolver.ca_server.as_bytes()))
}

/// Fingerprint of every option whose change may cure a failure.
fn of_options(config: &Config, resolver: &Resolver) -> u32 {
    let Resolver {
        email,
        ca_server,
        key_type,
        eab,
        preferred_chain,
        profile,
        email_addresses,
        disable_common_name,
        client_timeout,
        client_response_header_timeout,
        certificate_timeout,
        ca_trust: CaTrust { certificates, system_cert_pool, server_name },
        http_challenge,
        tls_challenge,
        dns_challenge,
        dns_persist_challenge,
        // What is ordered does not depend on these.
        name: _,
        certificates_duration: _,
        storage: _,
        fallback: _,
        limits: _,
        staging_server,
    } = resolver;
    let (eab, http) = (eab.as_ref(), http_challenge.as_ref());
    let delay = http.map(|http| http.delay).unwrap_or_default();
    let mut hash = fnv::START;
    for time in [delay, *client_timeout, *client_response_header_timeout, *certificate_timeout] {
        hash = with_time(hash, time);
    }
    hash = with_flags(hash, [*disable_common_name, *system_cert_pool]);
    for text in [
        email.as_deref().unwrap_or_default(),
        ca_server,
        key_type.as_str(),
        eab.map_or("", |eab| &eab.kid),
        // Earlier versions knew the MAC key; what they remember stays good where there is none.
        "",
        preferred_chain.as_deref().unwrap_or_default(),
        profile.as_deref().unwrap_or_default(),
        server_name.as_deref().unwrap_or_default(),
        http.map_or("", |http| &http.entry_point),
    ] {
        hash = with(hash, text);
    }
    hash = with_list(with_list(hash, email_addresses), certificates);
    for known in &config.ca_clusters {
        hash = with(with(hash, &known.origin.authority()), &known.cluster);
    }
    if let Some(tls) = tls_challenge {
        hash = with_time(with(hash, "tls"), tls.delay);
    }
    if let Some(DnsChallenge { provider, resolvers, propagation }) = dns_challenge {
        let Propagation { delay_before_checks, disable_checks, require_all_rns, disable_ans_checks } = propagation;
        hash = with_list(with(with(hash, "dns"), provider), resolvers);
        hash = with_time(hash, *delay_before_checks);
        hash = with_flags(hash, [*disable_checks, *require_all_rns, *disable_ans_checks]);
    }
    if let Some(persist) = dns_persist_challenge {
        hash = with_list(with(hash, "dns-persist"), &persist.resolvers);
    }
    if let Some(staging_server) = staging_server {
        hash = with(with(hash, "staging"), staging_server);
    }
    folded(hash)
}

fn with_time(hash: u64, time: Duration) -> u64 {
    fnv::extended(fnv::extended(hash, &time.as_secs().to_le_bytes()), &time.subsec_nanos().to_le_bytes())
}

fn with_flags<const N: usize>(hash: u64, flags: [bool; N]) -> u64 {
    fnv::extended(hash, &flags.map(u8::from))
}

fn with_list(hash: u64, list: &[String]) -> u64 {
    with(list.iter().fold(hash, |hash, text| with(hash, text)), "")
}

/// A hash, and a text with its end.
fn with(hash: u64, text: &str) -> u64 {
    fnv::extended(fnv::extended(hash, text.as_bytes()), &END)
}

/// Half of a hash says nothing of the secret in it, and any reader of JSON takes it for the number it is. Should two
/// be the same by chance, a wait is not lifted.
fn folded(hash: u64) -> u32 {
    u32::try_from((hash ^ (hash >> 32)) & u64::from(u32::MAX)).unwrap_or_default()
}

#[cfg(test)]
mod tests;
