//! The directory (RFC 8555 §7.1.1): where everything else is.

use serde_json::Value;

use crate::error::Error;
use crate::fetch::parse;
use crate::fetch::unexpected;
use crate::fetch::{fetch, is_allowed};
use crate::host::Host;
use crate::lenient::Object;
use crate::options::Options;
use crate::origin::{Origin, resolve};

/// A CA whose directory is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ca {
    /// The origin of its directory's URL, which all others must have.
    pub origin: Origin,
    /// The directory's URLs.
    pub directory: Directory,
}

impl Ca {
    /// Fetches the directory at this URL (§7.1.1). One whose URLs lead elsewhere is an error.
    pub async fn find<H: Host>(host: &H, url: &str, options: &Options) -> Result<Self, Error> {
        let foreign = || Error::ForeignUrl { place: "caServer", url: url.to_owned() };
        let origin = Origin::of(url).ok_or_else(foreign)?;
        let answer = fetch(host, "directory", url, &origin, options, "the CA's directory").await;
        let answer = answer.map_err(|error| named(error, url))?;
        let mut directory = parse(url, &answer, Directory::of)?.map_err(|missing| unexpected(url, &missing))?;
        for (place, named) in [
            ("directory.newNonce", &mut directory.new_nonce),
            ("directory.newAccount", &mut directory.new_account),
            ("directory.newOrder", &mut directory.new_order),
        ] {
            *named = resolve(url, named).unwrap_or_else(|| named.clone());
            if !is_allowed(named, &origin, options) {
                return Err(Error::ForeignUrl { place, url: named.clone() });
            }
        }
        directory.renewal_info = directory.renewal_info.map(|named| resolve(url, &named).unwrap_or(named));
        Ok(Self { origin, directory })
    }
}

/// An error with the URL that was asked, where nobody but an HTTP server has answered there: the URL is likely wrong.
fn named(error: Error, url: &str) -> Error {
    match error {
        Error::Refused { endpoint, mut problem } if problem.kind.is_empty() => {
            problem.detail = format!("{url} is no CA's directory, expected that of caServer there: {}", problem.detail);
            Error::Refused { endpoint, problem }
        }
        other => other,
    }
}

/// The URLs of a CA. Fields this client does not use are ignored, whatever they hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Directory {
    /// URL for new nonces (§7.2).
    pub new_nonce: String,
    /// URL for new accounts, and for finding one by its key (§7.3).
    pub new_account: String,
    /// URL for new orders (§7.4).
    pub new_order: String,
    /// URL of the renewalInfo resource (RFC 9773 §4.1), if the CA has one.
    pub renewal_info: Option<String>,
    /// Metadata of the CA. A value that is no object is as good as absent.
    pub meta: Option<Meta>,
}

/// The directory's metadata (§7.1.1).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Meta {
    /// URL of the terms of service, if there are any.
    pub terms_of_service: Option<String>,
    /// True if an account needs an external account binding (§7.3.4).
    pub external_account_required: bool,
    /// The profiles that certificates can be ordered by, each with its description (draft-ietf-acme-profiles §3).
    pub profiles: Value,
}

impl Meta {
    fn of(object: Object<'_>) -> Self {
        Self {
            terms_of_service: object.text("termsOfService"),
            external_account_required: object.flag("externalAccountRequired"),
            profiles: object.value("profiles").clone(),
        }
    }
}

impl Directory {
    /// The directory; else, what it lacks.
    fn of(object: Object<'_>) -> Result<Self, &'static str> {
        let url = |name: &str| object.value(name).as_str().map(str::to_owned);
        Ok(Self {
            new_nonce: url("newNonce").ok_or("it has no newNonce")?,
            new_account: url("newAccount").ok_or("it has no newAccount")?,
            new_order: url("newOrder").ok_or("it has no newOrder")?,
            renewal_info: object.text("renewalInfo"),
            meta: object.object("meta").map(Meta::of),
        })
    }

    /// The names of the CA's profiles; none when it has no such thing.
    pub fn profiles(&self) -> Vec<&str> {
        let profiles = self.meta.as_ref().and_then(|meta| meta.profiles.as_object());
        profiles.map_or_else(Vec::new, |profiles| profiles.keys().map(String::as_str).collect())
    }
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;
    use crate::problem::Problem;

    /// The example of RFC 8555 §7.1.1, <https://www.rfc-editor.org/rfc/rfc8555#section-7.1.1>.
    const EXAMPLE: &str = r#"{
        "newNonce": "https://example.com/acme/new-nonce",
        "newAccount": "https://example.com/acme/new-account",
        "newOrder": "https://example.com/acme/new-order",
        "newAuthz": "https://example.com/acme/new-authz",
        "revokeCert": "https://example.com/acme/revoke-cert",
        "keyChange": "https://example.com/acme/key-change",
        "meta": {
            "termsOfService": "https://example.com/acme/terms/2017-5-30",
            "website": "https://www.example.com/",
            "caaIdentities": ["example.com"],
            "externalAccountRequired": false
        }
    }"#;

    fn read(text: &str) -> Result<Directory, &'static str> {
        Directory::of(Object::of(&serde_json::from_str(text).unwrap()).unwrap())
    }

    #[test]
    fn reads_the_rfcs_example() {
        let directory = read(EXAMPLE).unwrap();
        assert_eq!(directory.new_nonce, "https://example.com/acme/new-nonce");
        assert_eq!(
            directory.meta.unwrap().terms_of_service.as_deref(),
            Some("https://example.com/acme/terms/2017-5-30")
        );
    }

    /// The example of draft-ietf-acme-profiles §3, <https://datatracker.ietf.org/doc/html/draft-ietf-acme-profiles>.
    #[test]
    fn profiles_are_known_by_their_names() {
        let with = |profiles: &str| -> Directory {
            let text =
                format!(r#"{{"newNonce":"n","newAccount":"a","newOrder":"o","meta":{{"profiles":{profiles}}}}}"#);
            read(&text).unwrap()
        };
        let example =
            with(r#"{"profile1": "https://example.com/profile1", "profile2": "https://example.com/profile2"}"#);
        assert_eq!(example.profiles(), ["profile1", "profile2"]);
        for none in ["null", "{}", "[]", "7"] {
            assert!(with(none).profiles().is_empty(), "{none}");
        }
    }

    #[test]
    fn a_url_where_no_directory_is_is_told() {
        let problem =
            |kind: &str| Problem { kind: kind.into(), status: 404, detail: "not found".into(), ..Problem::default() };
        let told = |kind: &str| {
            let error = Error::Refused { endpoint: "directory", problem: problem(kind) };
            named(error, "https://ca.example/directory").to_string()
        };
        assert!(told("").contains("https://ca.example/directory is no CA's directory"), "{}", told(""));
        assert!(!told("serverInternal").contains("https://"), "what a CA says of itself needs no more");
    }

    #[test]
    fn unknown_keys_and_a_meta_that_is_none_are_accepted() {
        for meta in ["null", "\"\"", "[]"] {
            let text = format!(r#"{{"x":[{{}}],"newNonce":"n","newAccount":"a","newOrder":"o","meta":{meta}}}"#);
            assert_eq!(read(&text).unwrap().meta, None, "{meta}");
        }
    }

    #[test]
    fn odd_members_of_meta_hide_no_other() {
        let text = r#"{"newNonce":"n","newAccount":"a","newOrder":"o",
            "meta":{"termsOfService":null,"externalAccountRequired":"true","profiles":7}}"#;
        let meta = read(text).unwrap().meta.unwrap();
        assert!(meta.external_account_required && meta.terms_of_service.is_none());
    }

    #[test]
    fn terms_of_service_that_are_no_text_are_none() {
        let text = r#"{"newNonce":"n","newAccount":"a","newOrder":"o","meta":{"termsOfService":{"en":"https://x"}}}"#;
        assert_eq!(read(text).unwrap().meta.unwrap().terms_of_service, None);
    }

    #[test]
    fn a_missing_url_is_an_error() {
        assert_eq!(read(r#"{"newNonce":"n","newAccount":"a"}"#), Err("it has no newOrder"));
    }
}
