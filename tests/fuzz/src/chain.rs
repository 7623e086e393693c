//! PEM and X.509: keys and chains of CAs and users.

use pki::Pair;
use pki::chain as chains;
use pki::keys;

/// A PEM text that is both the chain and its key. A valid pair covers its own names, and equals itself.
pub fn chain(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let _ = chains::root_name(text);
    let _ = keys::account::from_der(input);
    let pair = match Pair::parse(text, text) {
        Ok(pair) => pair,
        Err(error) => return assert!(!error.to_string().chars().any(char::is_control), "{error}"),
    };
    let _ = chains::verify_undated(&pair, &pair.names);
    assert!(chains::is_same(&pair, text));
    let id = protocol::CertificateId { resolver: "le".to_owned(), names: pair.names.clone() };
    if let Ok(facts) = chains::facts(id, &pair) {
        assert!(facts.serial.bytes().all(|byte| byte.is_ascii_hexdigit()), "{}", facts.serial);
    }
}
