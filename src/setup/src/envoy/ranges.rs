//! Ranges of IP addresses, and their complement.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde_json::{Value, json};

/// The addresses of a family with this prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Range {
    is_v4: bool,
    /// The first address, left-aligned.
    start: u128,
    length: u32,
}

impl Range {
    const ALL_V4: Self = Self { is_v4: true, start: 0, length: 0 };
    const ALL_V6: Self = Self { is_v4: false, start: 0, length: 0 };

    /// Reads an Envoy `CidrRange`. Bits after the prefix are ignored.
    pub(super) fn read(value: &Value) -> Option<Self> {
        let length = u32::try_from(value.get("prefix_len")?.as_u64()?).ok()?;
        let (is_v4, bits) = match value.get("address_prefix")?.as_str()?.parse().ok()? {
            IpAddr::V4(address) => (true, u128::from(address.to_bits()) << 96),
            IpAddr::V6(address) => (false, address.to_bits()),
        };
        Some(Self { is_v4, start: bits & mask(length), length })
    }

    /// The range as an Envoy `CidrRange`.
    pub(super) fn written(&self) -> Value {
        let address = if self.is_v4 {
            // The lower bits are 0.
            IpAddr::V4(Ipv4Addr::from_bits((self.start >> 96) as u32))
        } else {
            IpAddr::V6(Ipv6Addr::from_bits(self.start))
        };
        json!({ "address_prefix": address, "prefix_len": self.length })
    }

    /// The complement: ranges with all addresses that are in none of these.
    pub(super) fn others(ranges: &[Self]) -> Vec<Self> {
        let mut others = Vec::new();
        for all in [Self::ALL_V4, Self::ALL_V6] {
            let of_family: Vec<Self> = ranges.iter().filter(|range| range.is_v4 == all.is_v4).copied().collect();
            all.without(&of_family, &mut others);
        }
        others
    }

    /// Adds the parts of this range outside of `ranges`, which are of the same family. Each half is treated alone, so
    /// the recursion ends at the longest prefix.
    fn without(self, ranges: &[Self], left: &mut Vec<Self>) {
        let touching: Vec<Self> = ranges.iter().filter(|range| self.has(range) || range.has(&self)).copied().collect();
        if touching.is_empty() {
            left.push(self);
        } else if !touching.iter().any(|range| range.has(&self)) {
            self.halves().into_iter().for_each(|half| half.without(&touching, left));
        }
    }

    /// True if this range contains the other one.
    fn has(&self, other: &Self) -> bool {
        self.length <= other.length && other.start & mask(self.length) == self.start
    }

    fn halves(self) -> [Self; 2] {
        let length = self.length.saturating_add(1);
        let upper = self.start | (mask(length) ^ mask(self.length));
        [self.start, upper].map(|start| Self { start, length, ..self })
    }
}

/// A mask of this many leading bits.
fn mask(length: u32) -> u128 {
    u128::MAX.checked_shl(128_u32.saturating_sub(length)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn range(text: &str) -> Range {
        let (address, length) = text.split_once('/').unwrap();
        Range::read(&json!({ "address_prefix": address, "prefix_len": length.parse::<u32>().unwrap() })).unwrap()
    }

    fn others(ranges: &[&str]) -> Vec<String> {
        let ranges: Vec<Range> = ranges.iter().map(|text| range(text)).collect();
        let text = |range: &Range| {
            let value = range.written();
            format!("{}/{}", value["address_prefix"].as_str().unwrap(), value["prefix_len"])
        };
        Range::others(&ranges).iter().map(text).collect()
    }

    #[test]
    fn the_other_addresses_are_ranges_too() {
        assert_eq!(others(&[]), ["0.0.0.0/0", "::/0"]);
        assert_eq!(others(&["0.0.0.0/0"]), ["::/0"]);
        assert_eq!(others(&["0.0.0.0/0", "::/0"]), [""; 0]);
        assert_eq!(others(&["128.1.2.3/1"]), ["0.0.0.0/1", "::/0"]);
        assert_eq!(
            others(&["10.0.0.0/8", "10.1.0.0/16", "11.0.0.0/8"]),
            ["0.0.0.0/5", "8.0.0.0/7", "12.0.0.0/6", "16.0.0.0/4", "32.0.0.0/3", "64.0.0.0/2", "128.0.0.0/1", "::/0"]
        );
        assert_eq!(others(&["::/0", "192.0.2.1/32"]).len(), 32);
        assert_eq!(others(&["0.0.0.0/0", "2001:db8::1/128"]).len(), 128);
    }

    #[test]
    fn each_address_is_in_one_of_both() {
        let given =
            ["10.0.0.0/8", "172.16.0.0/12", "192.168.1.7/32", "2001:db8::/32", "2001:db8:1::/48", "fe80::1/128"];
        let given: Vec<Range> = given.iter().map(|text| range(text)).collect();
        let others = Range::others(&given);
        for address in [
            "9.255.255.255",
            "10.0.0.0",
            "10.255.255.255",
            "11.0.0.0",
            "172.15.255.255",
            "172.16.0.0",
            "192.168.1.6",
            "192.168.1.7",
            "192.168.1.8",
            "255.255.255.255",
            "::",
            "2001:db7:ffff::",
            "2001:db8::",
            "2001:db8:1::5",
            "2001:db9::",
            "fe80::",
            "fe80::1",
            "fe80::2",
            "::ffff:10.0.0.1",
        ] {
            let length = if address.contains(':') { 128 } else { 32 };
            let one = range(&format!("{address}/{length}"));
            let within = |ranges: &[Range]| {
                ranges.iter().filter(|range| range.is_v4 == one.is_v4).filter(|range| range.has(&one)).count()
            };
            assert_eq!(within(&given) > 0, within(&others) == 0, "{address}");
            assert!(within(&others) <= 1, "{address}");
        }
    }

    #[test]
    fn a_thousand_ranges_are_no_work() {
        let many: Vec<Range> = (0..1000_u128)
            .map(|index| Range {
                is_v4: false,
                start: index.wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_0C5A_1D2E_3F41),
                length: 128,
            })
            .collect();
        assert!(Range::others(&many).len() > 100_000);
    }
}
