//! Arbitrary content: nothing panics, and nothing of it is stored.

use proptest::prelude::*;

use super::{Options, Scene, clock};
use crate::import::import;

/// Bytes that begin like a known format.
fn junk() -> impl Strategy<Value = Vec<u8>> {
    let starts: Vec<&[u8]> = vec![
        b"",
        b"{",
        b"{\"le\":{\"Certificates\":[",
        b"\xef\xbb\xbf",
        b"\xff\xfe{\0",
        b"-----BEGIN CERTIFICATE-----\n",
        b"-----BEGIN PRIVATE KEY-----\nMIG",
        b"apiVersion: v1\nkind: Secret\ndata:\n  tls.crt: ",
        b"apiVersion: v1\nkind: List\nitems:\n- ",
        b"\x30\x82",
        b"\xfe\xed\xfe\xed",
        b"Le_API='",
        b"[renewalparams]\nserver = ",
    ];
    (proptest::sample::select(starts), proptest::collection::vec(any::<u8>(), 0..200))
        .prop_map(|(start, rest)| [start, &rest].concat())
}

/// A place in each tool's layout.
const PLACES: [&str; 16] = [
    "account.conf",
    "a.example/a.example.conf",
    "a.example/a.example.key",
    "a.example/fullchain.cer",
    "accounts/aHR0cHM6Ly9jYS5leGFtcGxlL2Rpcgo/account_id.json",
    "accounts/aHR0cHM6Ly9jYS5leGFtcGxlL2Rpcgo/account_key.pem",
    "archive/a/fullchain1.pem",
    "archive/a/privkey1.pem",
    "certificates/a.example.crt",
    "certificates/a.example.key",
    "certs/a/fullchain.pem",
    "config",
    "domains/a/md.json",
    "domains/a/pubcert.pem",
    "renewal/a.conf",
    "live/a/fullchain.pem",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_file_of_anything_is_refused_or_gives_nothing(bytes in junk()) {
        let scene = Scene::new();
        scene.write_source(&bytes);
        for kind in [None, Some(crate::import::Kind::Pem), Some(crate::import::Kind::Kubernetes)] {
            if let Ok(report) = import(&Options { kind, ..scene.options(Some("le")) }, &clock()) {
                prop_assert!(report.error.is_some() && !report.changed, "{report}");
            }
        }
    }

    #[test]
    fn a_directory_of_anything_is_refused_or_gives_nothing(
        files in proptest::collection::vec((proptest::sample::select(PLACES.to_vec()), junk()), 0..6),
    ) {
        let scene = Scene::new();
        std::fs::create_dir_all(scene.source()).unwrap();
        files.iter().for_each(|(place, bytes)| scene.write(place, bytes));
        if let Ok(report) = import(&scene.options(Some("le")), &clock()) {
            prop_assert!(report.error.is_some() && !report.changed, "{report}");
        }
    }
}
