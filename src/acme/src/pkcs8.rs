//! The one form of key that this client reads: P-256 in PKCS#8 (RFC 5208 with RFC 5915 inside), as every library writes
//! it. A general DER parser would be a tenth of the plugin.

/// `SEQUENCE { ecPublicKey, prime256v1 }`, after the version 0.
const HEAD: &[u8] = b"\x02\x01\x00\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07";

/// The version 1 of an `ECPrivateKey`, and the head of its 32 bytes.
const SCALAR: &[u8] = b"\x02\x01\x01\x04\x20";

const SEQUENCE: u8 = 0x30;
const OCTET_STRING: u8 = 0x04;

/// The private scalar, or `None` when this is not a P-256 key in PKCS#8. What follows the scalar, the public key say,
/// is not read.
pub(crate) fn scalar(der: &[u8]) -> Option<&[u8; 32]> {
    let info = content(der, SEQUENCE)?;
    let octets = content(info.strip_prefix(HEAD)?, OCTET_STRING)?;
    content(octets, SEQUENCE)?.strip_prefix(SCALAR)?.first_chunk()
}

/// The content of the element that stands first, if it has this tag and is whole.
fn content(der: &[u8], tag: u8) -> Option<&[u8]> {
    let (length, rest) = match der.strip_prefix(&[tag])? {
        [0x81, length, rest @ ..] => (*length, rest),
        [length @ 0..=0x7f, rest @ ..] => (*length, rest),
        _ => return None,
    };
    rest.get(..usize::from(length))
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use p256::SecretKey;
    use p256::pkcs8::EncodePrivateKey;

    use super::*;

    fn der() -> Vec<u8> {
        SecretKey::from_slice(&[7; 32]).unwrap().to_pkcs8_der().unwrap().as_bytes().to_vec()
    }

    #[test]
    fn a_key_with_its_public_half_is_read() {
        assert_eq!(scalar(&der()), Some(&[7; 32]));
    }

    #[test]
    fn a_key_without_its_public_half_is_read() {
        let short = [b"\x30\x41".as_slice(), HEAD, b"\x04\x27\x30\x25", SCALAR, &[7; 32]].concat();
        assert_eq!(scalar(&short), Some(&[7; 32]));
    }

    #[test]
    fn a_key_cut_anywhere_is_none() {
        let der = der();
        for end in 0..der.len() {
            assert_eq!(scalar(&der[..end]), None, "cut at {end}");
        }
    }

    #[test]
    fn another_curve_is_none() {
        let mut der = der();
        let curve = der.windows(8).position(|window| window == b"\x2a\x86\x48\xce\x3d\x03\x01\x07").unwrap();
        der[curve + 7] = 6;
        assert_eq!(scalar(&der), None);
    }
}
