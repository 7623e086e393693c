//! `keyType`.

use std::time::Duration;

use anyhow::Result;
use harness::{Testbed, TestbedOptions, domains};
use serde_json::json;

use crate::PATIENCE;

/// Time limit of keys whose primes are searched for: on a busy machine that takes minutes, by bad luck.
const PATIENCE_WITH_PRIMES: Duration = Duration::from_secs(600);

/// The type of the served key, with this type configured.
fn served(key_type: &str) -> Result<String> {
    let mut testbed = Testbed::with("key", &TestbedOptions::default(), |bootstrap| {
        bootstrap.domains(&domains(&[&["key.example"]]))?.resolver("keyType", &json!(key_type))
    })?;
    Ok(testbed.served("key.example", PATIENCE_WITH_PRIMES)?.key_type)
}

#[test]
fn ec256_gives_a_key_on_p_256() -> Result<()> {
    assert_eq!(served("EC256")?, "EC256");
    Ok(())
}

#[test]
fn ec384_gives_a_key_on_p_384() -> Result<()> {
    assert_eq!(served("EC384")?, "EC384");
    Ok(())
}

#[test]
fn rsa2048_gives_an_rsa_key_of_2048_bit() -> Result<()> {
    assert_eq!(served("RSA2048")?, "RSA2048");
    Ok(())
}

#[test]
fn rsa4096_gives_an_rsa_key_of_4096_bit() -> Result<()> {
    assert_eq!(served("RSA4096")?, "RSA4096");
    Ok(())
}

#[test]
fn rsa8192_gives_an_rsa_key_of_8192_bit() -> Result<()> {
    assert_eq!(served("RSA8192")?, "RSA8192");
    Ok(())
}

#[test]
fn without_it_a_key_is_rsa_4096_as_in_traefik() -> Result<()> {
    let mut testbed = Testbed::with("default-key", &TestbedOptions::default(), |bootstrap| {
        let mut bootstrap = bootstrap.domains(&domains(&[&["key.example"]]))?;
        bootstrap.plugin(|configuration| {
            if let Some(acme) = configuration["certificatesResolvers"]["le"]["acme"].as_object_mut() {
                acme.remove("keyType");
            }
        })?;
        Ok(bootstrap)
    })?;
    assert_eq!(testbed.served("key.example", PATIENCE_WITH_PRIMES)?.key_type, "RSA4096");
    Ok(())
}

#[test]
fn another_type_is_taken_at_the_next_renewal_and_no_sooner() -> Result<()> {
    let mut testbed = Testbed::start("key-change", &[&["key.example"]])?;
    let first = testbed.served("key.example", PATIENCE)?;
    testbed.reconfigure(|bootstrap| {
        bootstrap.domains(&domains(&[&["key.example"], &["other.example"]]))?.resolver("keyType", &json!("EC384"))
    })?;
    assert_eq!(testbed.served("other.example", PATIENCE)?.key_type, "EC384");
    assert_eq!(testbed.served("key.example", PATIENCE)?, first);
    assert_eq!(testbed.orders(), 2);
    Ok(())
}
