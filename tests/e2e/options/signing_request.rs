//! `disableCommonName` and `emailAddresses`: the signing request besides the names.
//!
//! Pebble uses only names and key of the request, so the request itself is examined on its way to the CA.

use anyhow::{Context, Result};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use harness::{Relay, Resource, Stage, TestbedOptions, domains};
use serde_json::{Value, json};
use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::extensions::{GeneralName, ParsedExtension};
use x509_parser::prelude::FromDer;

use crate::PATIENCE;

/// The content of a signing request for these names, with these options: the common name, the DNS names, the mail
/// addresses. The CA has issued what it asks for.
fn requested(names: &[&str], options: &Value) -> Result<(Option<String>, Vec<String>, Vec<String>)> {
    let testbed_options = TestbedOptions::default();
    let stage = Stage::new("csr", &testbed_options.pebble)?;
    let relay = Relay::start(&stage.pebble, &stage.place.authority)?;
    let mut bootstrap = stage.bootstrap()?.domains(&domains(&[names]))?.through(&relay)?;
    for (option, value) in options.as_object().into_iter().flatten() {
        bootstrap = bootstrap.resolver(option, value)?;
    }
    let mut testbed = stage.play(bootstrap, &testbed_options)?;
    let mut expected: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
    expected.sort();
    for name in names {
        assert_eq!(testbed.served(name, PATIENCE)?.names, expected);
    }
    let finalize = relay.asked(Resource::Finalize).pop().context("nothing was finalized")?;
    read(&URL_SAFE_NO_PAD.decode(finalize.payload["csr"].as_str().context("no signing request")?)?)
}

fn read(der: &[u8]) -> Result<(Option<String>, Vec<String>, Vec<String>)> {
    let (_, request) = X509CertificationRequest::from_der(der)?;
    let subject = &request.certification_request_info.subject;
    let common_name = subject.iter_common_name().next().map(|name| name.as_str().map(str::to_owned)).transpose()?;
    let mut names = Vec::new();
    let mut addresses = Vec::new();
    for extension in request.requested_extensions().into_iter().flatten() {
        let ParsedExtension::SubjectAlternativeName(sans) = extension else { continue };
        for san in &sans.general_names {
            match san {
                GeneralName::DNSName(name) => names.push((*name).to_owned()),
                GeneralName::RFC822Name(address) => addresses.push((*address).to_owned()),
                other => anyhow::bail!("{other:?} was not asked for"),
            }
        }
    }
    Ok((common_name, names, addresses))
}

#[test]
fn the_first_name_is_the_common_name() -> Result<()> {
    let (common_name, names, addresses) = requested(&["z.example", "a.example"], &json!({}))?;
    assert_eq!(common_name.as_deref(), Some("z.example"));
    assert_eq!(names, ["z.example", "a.example"]);
    assert!(addresses.is_empty());
    Ok(())
}

#[test]
fn a_name_of_64_bytes_is_the_common_name() -> Result<()> {
    let name = format!("{}.example", "a".repeat(56));
    assert_eq!(requested(&[&name], &json!({}))?.0, Some(name));
    Ok(())
}

#[test]
fn a_longer_name_is_not() -> Result<()> {
    let name = format!("{}.example", "a".repeat(57));
    let (common_name, names, _) = requested(&[&name], &json!({}))?;
    assert_eq!((common_name, names), (None, vec![name]));
    Ok(())
}

#[test]
fn disabled_there_is_no_common_name() -> Result<()> {
    let (common_name, names, _) = requested(&["a.example"], &json!({ "disableCommonName": true }))?;
    assert_eq!((common_name, names), (None, vec!["a.example".to_owned()]));
    Ok(())
}

#[test]
fn mail_addresses_are_asked_for_beside_the_names() -> Result<()> {
    let options = json!({ "emailAddresses": ["ops@demo.example", "security@demo.example"] });
    let (_, names, addresses) = requested(&["a.example"], &options)?;
    assert_eq!(names, ["a.example"]);
    assert_eq!(addresses, ["ops@demo.example", "security@demo.example"]);
    Ok(())
}
