//! CNAME delegation: the names to which a CNAME may lead a challenge's record.
//!
//! The owner of a domain in our certificates chooses the target of its `_acme-challenge` CNAME. With a provider that
//! replaces existing records, the owner could have any TXT record removed that the provider's credentials reach: a mail
//! policy, a proof of ownership.

use std::str::FromStr;

use hickory_resolver::proto::rr::Name;

use super::lookup;

/// First label of names that exist for challenges only.
const LABEL: &[u8] = b"_acme-challenge";

/// Rules for records whose challenge name is a CNAME.
#[derive(Clone, Debug, Default)]
pub struct Delegation {
    /// True if CNAMEs are followed at all.
    pub is_followed: bool,
    /// The zones that the user has dedicated to challenges.
    pub zones: Vec<DelegationZone>,
}

impl Delegation {
    /// True if only a challenge's record can be at this name.
    pub(super) fn takes(&self, name: &Name) -> bool {
        name.iter().next().is_some_and(|label| label.eq_ignore_ascii_case(LABEL))
            || self.zones.iter().any(|zone| zone.0.zone_of(name))
    }
}

/// The error for a name that is refused.
pub(super) fn refusal(provider: &str, own: &Name, at: &Name) -> String {
    format!(
        "{own} leads by CNAME to {at}, and the DNS provider {provider} may replace the TXT records there: only names that \
         start with _acme-challenge are taken, and those in a zone that --delegation-zone names. Lead it to such a name, \
         or name the zone if nothing but challenges is in it"
    )
}

/// A zone, or a name with all below it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DelegationZone(Name);

impl FromStr for DelegationZone {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match lookup::name(text) {
            Ok(zone) if !zone.is_root() => Ok(Self(zone)),
            Ok(_) | Err(_) => Err("expected the name of a zone, as in acme.example.com".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn takes(zones: &[&str], name: &str) -> bool {
        let zones = zones.iter().map(|zone| zone.parse().unwrap()).collect();
        Delegation { is_followed: true, zones }.takes(&lookup::name(name).unwrap())
    }

    #[test]
    fn a_name_for_challenges_is_taken_and_no_other() {
        assert!(takes(&[], "_acme-challenge.a.example."));
        assert!(takes(&[], "_ACME-Challenge.a.example."));
        for other in
            ["a.example.", "_dmarc.a.example.", "_acme-challenge-x.a.example.", "x._acme-challenge.a.example.", "."]
        {
            assert!(!takes(&[], other), "{other}");
        }
    }

    #[test]
    fn a_zone_that_is_named_is_taken_with_all_below_it() {
        let zones = ["acme.example.com", "Other.Example."];
        for inside in ["acme.example.com.", "a.b.acme.example.com.", "x.other.example."] {
            assert!(takes(&zones, inside), "{inside}");
        }
        for outside in ["example.com.", "notacme.example.com.", "acme.example.com.evil.example."] {
            assert!(!takes(&zones, outside), "{outside}");
        }
    }

    #[test]
    fn the_whole_dns_is_no_zone() {
        for text in ["", ".", "a..b"] {
            assert!(text.parse::<DelegationZone>().is_err(), "{text:?}");
        }
    }
}
