//! Other filters on the listener `web` don't get in the CA's way.

use anyhow::Result;
use harness::{Testbed, TestbedOptions, domains};
use serde_json::json;

use crate::PATIENCE;

#[test]
fn a_redirect_to_https_does_not_get_in_the_way() -> Result<()> {
    let mut testbed = Testbed::start("redirect", &[&["redirect.example"]])?;
    testbed.served("redirect.example", PATIENCE)?;
    let reply = testbed.web().request(hyper::Method::GET, "/page?x=1", "redirect.example", "")?;
    assert_eq!((reply.status, reply.header("location")), (301, "https://redirect.example/page?x=1"));
    Ok(())
}

#[test]
fn require_tls_does_not_get_in_the_way() -> Result<()> {
    let mut testbed = Testbed::with("require-tls", &TestbedOptions::default(), |bootstrap| {
        let mut bootstrap = bootstrap.domains(&domains(&[&["tls.example"]]))?;
        *bootstrap.routes("web")? = json!([{ "match": { "prefix": "/" }, "direct_response": { "status": 200 } }]);
        bootstrap.virtual_host("web")?["require_tls"] = json!("ALL");
        Ok(bootstrap)
    })?;
    testbed.served("tls.example", PATIENCE)?;
    assert_eq!(testbed.web().get("/")?.status, 301);
    Ok(())
}

#[test]
fn an_authorization_filter_does_not_get_in_the_way() -> Result<()> {
    let mut testbed = Testbed::with("auth", &TestbedOptions::default(), |bootstrap| {
        let mut bootstrap = bootstrap.domains(&domains(&[&["auth.example"]]))?;
        let anybody = json!({ "permissions": [{ "any": true }], "principals": [{ "any": true }] });
        let deny = json!({
            "name": "envoy.filters.http.rbac",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC",
                "rules": { "action": "DENY", "policies": { "anybody": anybody } },
            },
        });
        bootstrap.web_filters()?.insert(1, deny);
        Ok(bootstrap)
    })?;
    testbed.served("auth.example", PATIENCE)?;
    for path in ["/", "/.well-known/acme-challenge/unknown-token-unknown-token"] {
        assert_eq!(testbed.web().get(path)?.status, 403, "{path} has passed the filter");
    }
    Ok(())
}
