//! Keys of TSIG (RFC 8945), from variables or from a file that `tsig-keygen` made.

use aws_lc_rs::hmac;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use config::shortened;
use hickory_proto::rr::Name;
use hickory_proto::rr::rdata::tsig::TsigAlgorithm;

use super::super::values::Values;

/// A TSIG key.
pub(super) struct TsigKey {
    pub(super) name: Name,
    pub(super) algorithm: TsigAlgorithm,
    mac: hmac::Key,
}

/// The parts of a key, as texts.
struct Parts {
    name: String,
    algorithm: String,
    secret: String,
}

impl TsigKey {
    /// The key from the variables; `None` if there is none, and updates are not signed.
    pub(super) fn from_values(values: &Values) -> Result<Option<Self>, String> {
        let parts = match values.get("RFC2136_TSIG") {
            Some(text) => {
                Parts::read(text).ok_or("the file of RFC2136_TSIG_FILE: expected one that tsig-keygen made")?
            }
            None => {
                let text = |name| values.get(name).unwrap_or_default().to_owned();
                let algorithm = text("RFC2136_TSIG_ALGORITHM");
                Parts { name: text("RFC2136_TSIG_KEY"), algorithm, secret: text("RFC2136_TSIG_SECRET") }
            }
        };
        match (parts.name.is_empty(), parts.secret.is_empty()) {
            (true, true) => Ok(None),
            (false, false) => Self::new(&parts).map(Some),
            // lego would go on without a key, and the server's refusal would not give the reason.
            (true, false) => Err("RFC2136_TSIG_SECRET is set, but RFC2136_TSIG_KEY, the key's name, is not".to_owned()),
            (false, true) => Err("RFC2136_TSIG_KEY is set, but RFC2136_TSIG_SECRET is not".to_owned()),
        }
    }

    fn new(parts: &Parts) -> Result<Self, String> {
        let (algorithm, digest) = algorithm(&parts.algorithm)?;
        let secret = BASE64_STANDARD.decode(parts.secret.trim());
        let secret = secret.map_err(|_| "RFC2136_TSIG_SECRET: expected the key's secret in base64".to_owned())?;
        let mut name = Name::from_ascii(parts.name.to_ascii_lowercase())
            .map_err(|_| format!("RFC2136_TSIG_KEY: {} is no DNS name", shortened(&parts.name)))?;
        name.set_fqdn(true);
        Ok(Self { name, algorithm, mac: hmac::Key::new(digest, &secret) })
    }

    pub(super) fn sign(&self, bytes: &[u8]) -> Vec<u8> {
        hmac::sign(&self.mac, bytes).as_ref().to_vec()
    }

    /// Verifies a complete signature: RFC 8945 §5.2.2.1 allows refusing truncated ones.
    pub(super) fn verifies(&self, bytes: &[u8], mac: &[u8]) -> bool {
        hmac::verify(&self.mac, bytes, mac).is_ok()
    }
}

/// The algorithm by name, with or without the dot at the end; SHA-1 by default, as with lego.
fn algorithm(name: &str) -> Result<(TsigAlgorithm, hmac::Algorithm), String> {
    let lower = name.trim().trim_end_matches('.').to_ascii_lowercase();
    Ok(match lower.as_str() {
        "" | "hmac-sha1" => (TsigAlgorithm::HmacSha1, hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY),
        "hmac-sha224" => (TsigAlgorithm::HmacSha224, hmac::HMAC_SHA224),
        "hmac-sha256" => (TsigAlgorithm::HmacSha256, hmac::HMAC_SHA256),
        "hmac-sha384" => (TsigAlgorithm::HmacSha384, hmac::HMAC_SHA384),
        "hmac-sha512" => (TsigAlgorithm::HmacSha512, hmac::HMAC_SHA512),
        "hmac-md5" | "hmac-md5.sig-alg.reg.int" => {
            let why = "MD5 is broken, and lego has done away with it as well: make a key with hmac-sha256";
            return Err(format!("RFC2136_TSIG_ALGORITHM: {why}"));
        }
        "gss-tsig" => return Err("RFC2136_TSIG_ALGORITHM: GSS-TSIG (Kerberos) is not supported".to_owned()),
        _ => {
            let known = "hmac-sha1, hmac-sha224, hmac-sha256, hmac-sha384 or hmac-sha512";
            return Err(format!("RFC2136_TSIG_ALGORITHM: found {}, expected {known}", shortened(name)));
        }
    })
}

impl Parts {
    /// Parses `key "name" { algorithm hmac-sha256; secret "…"; };`.
    fn read(text: &str) -> Option<Self> {
        let mut words = text.split(|c: char| c.is_whitespace() || "{};".contains(c)).filter(|word| !word.is_empty());
        let unquoted = |word: &str| word.trim_matches('"').to_owned();
        words.by_ref().find(|word| *word == "key")?;
        let mut parts = Self { name: unquoted(words.next()?), algorithm: String::new(), secret: String::new() };
        while let Some(word) = words.next() {
            match word {
                "algorithm" => parts.algorithm = unquoted(words.next()?),
                "secret" => parts.secret = unquoted(words.next()?),
                _ => break,
            }
        }
        let is_whole = !parts.name.is_empty() && !parts.algorithm.is_empty() && !parts.secret.is_empty();
        is_whole.then_some(parts)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use protocol::SecretText;

    use super::*;

    fn key(pairs: &[(&str, &str)]) -> Result<Option<TsigKey>, String> {
        let values =
            pairs.iter().map(|(name, value)| ((*name).to_owned(), SecretText::new((*value).to_owned()))).collect();
        TsigKey::from_values(&values)
    }

    #[test]
    fn legos_spellings_of_the_algorithms_are_read() {
        for (spelt, expected) in [
            ("", TsigAlgorithm::HmacSha1),
            ("hmac-sha1.", TsigAlgorithm::HmacSha1),
            ("HMAC-SHA224", TsigAlgorithm::HmacSha224),
            ("hmac-sha256.", TsigAlgorithm::HmacSha256),
            ("hmac-sha384.", TsigAlgorithm::HmacSha384),
            ("hmac-sha512", TsigAlgorithm::HmacSha512),
        ] {
            let pairs =
                [("RFC2136_TSIG_KEY", "Lego"), ("RFC2136_TSIG_SECRET", "c2VjcmV0"), ("RFC2136_TSIG_ALGORITHM", spelt)];
            let key = key(&pairs).unwrap().unwrap();
            assert_eq!((key.algorithm, key.name.to_ascii().as_str()), (expected, "lego."));
        }
    }

    #[test]
    fn what_is_wrong_with_a_key_is_said_without_the_secret() {
        let name = ("RFC2136_TSIG_KEY", "lego");
        let secret = ("RFC2136_TSIG_SECRET", "not/base64!");
        let good = ("RFC2136_TSIG_SECRET", "c2VjcmV0");
        for (pairs, expected) in [
            (vec![name, secret], "expected the key's secret in base64"),
            (vec![name], "RFC2136_TSIG_SECRET is not"),
            (vec![good], "RFC2136_TSIG_KEY, the key's name, is not"),
            (vec![name, good, ("RFC2136_TSIG_ALGORITHM", "hmac-md5.sig-alg.reg.int.")], "MD5 is broken"),
            (vec![name, good, ("RFC2136_TSIG_ALGORITHM", "gss-tsig.")], "Kerberos"),
            (vec![name, good, ("RFC2136_TSIG_ALGORITHM", "sha256")], "found sha256, expected hmac-sha1"),
            (vec![("RFC2136_TSIG", "c2VjcmV0")], "tsig-keygen"),
        ] {
            let error = key(&pairs).err().unwrap();
            assert!(error.contains(expected), "{error}");
            assert!(!error.contains("base64!") && !error.contains("c2VjcmV0"), "{error}");
        }
        assert!(key(&[]).unwrap().is_none());
    }

    #[test]
    fn a_file_of_tsig_keygen_is_read() {
        let text = "# mine\nkey \"lego.example\" {\n\talgorithm hmac-sha512;\n\tsecret \"c2VjcmV0\";\n};\n";
        let key = key(&[("RFC2136_TSIG", text)]).unwrap().unwrap();
        assert_eq!((key.algorithm, key.name.to_ascii().as_str()), (TsigAlgorithm::HmacSha512, "lego.example."));
    }
}
