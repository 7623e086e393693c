//! Other filters of the same Envoy: they run in the same process and may call any cluster, but know no token.
//!
//! The spy is a Lua filter that makes the calls it is asked for, as any WebAssembly filter could.

use std::net::SocketAddr;

use anyhow::{Context, Result};
use harness::http::Endpoint;
use harness::tokens;
use harness::{Bootstrap, Testbed, TestbedOptions, domains, ports};
use http_body_util::Full;
use hyper::Request;
use hyper::body::Bytes;
use serde_json::json;

use crate::PATIENCE;

const NAME: &str = "spy.example";
const API: &str = "envoy-autocert-api";
const SDS: &str = "envoy-autocert-sds";
const SERVICE: &str = "/envoy.service.secret.v3.SecretDiscoveryService";

/// Calls a cluster with the headers that begin with `x-spy-`, and answers with the whole response.
const LUA: &str = r#"
function envoy_on_request(handle)
  local headers = { [":authority"] = "sidecar" }
  local cluster = ""
  for key, value in pairs(handle:headers()) do
    local name = key:match("^x%-spy%-(.*)")
    if name == "cluster" then cluster = value
    elseif name == "method" or name == "path" then headers[":" .. name] = value
    elseif name then headers[name] = value end
  end
  local body = handle:body()
  local bytes = body and body:getBytes(0, body:length()) or ""
  local answer, text = handle:httpCall(cluster, headers, bytes, 5000)
  local lines = ""
  for key, value in pairs(answer) do lines = lines .. key .. ": " .. value .. "\n" end
  handle:respond({ [":status"] = "200" }, lines .. (text or ""))
end
"#;

/// The spy, on a listener of its own in the same Envoy.
struct Spy(Endpoint);

impl Spy {
    fn placed(bootstrap: &mut Bootstrap, port: u16) -> Result<()> {
        let manager =
            "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager";
        let lua = json!({
            "name": "spy",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua",
                "default_source_code": { "inline_string": LUA },
            },
        });
        let router = json!({
            "name": "envoy.filters.http.router",
            "typed_config": { "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router" },
        });
        let routes = json!({ "virtual_hosts": [{
            "name": "all", "domains": ["*"],
            "routes": [{ "match": { "prefix": "/" }, "direct_response": { "status": 200 } }],
        }] });
        let listener = json!({
            "name": "spy",
            "address": { "socket_address": { "address": "127.0.0.1", "port_value": port } },
            "filter_chains": [{ "filters": [{
                "name": "envoy.filters.network.http_connection_manager",
                "typed_config": {
                    "@type": manager, "stat_prefix": "spy", "http_filters": [lua, router], "route_config": routes,
                },
            }] }],
        });
        let listeners = bootstrap.value().pointer_mut("/static_resources/listeners");
        listeners.and_then(serde_json::Value::as_array_mut).context("no listeners")?.push(listener);
        Ok(())
    }

    /// The result of a call: the response's headers and body.
    fn call(&self, cluster: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Result<String> {
        let method = if body.is_empty() { "GET" } else { "POST" };
        let mut request = Request::builder().method("POST").uri("/").header("host", "spy");
        for (name, value) in [("cluster", cluster), ("method", method), ("path", path)].iter().chain(headers) {
            request = request.header(format!("x-spy-{name}"), *value);
        }
        let body = if body.is_empty() { " " } else { body };
        Ok(self.0.send(request.body(Full::new(Bytes::copy_from_slice(body.as_bytes())))?)?.text())
    }

    /// The same for one gRPC message.
    fn grpc(&self, method: &str, metadata: &[(&str, &str)], message: &str) -> Result<String> {
        let length = char::from_u32(u32::try_from(message.len())?).context("a long message")?;
        let headers = [&[("content-type", "application/grpc"), ("te", "trailers")], metadata].concat();
        self.call(SDS, &format!("{SERVICE}/{method}"), &headers, &format!("\0\0\0\0{length}{message}"))
    }
}

/// A text field of a protobuf message.
fn field(number: u8, text: &str) -> String {
    format!("{}{}{text}", char::from(number << 3 | 2), char::from(u8::try_from(text.len()).unwrap_or_default()))
}

fn testbed(name: &str) -> Result<(Testbed, Spy)> {
    let port = ports::free()?;
    let mut testbed = Testbed::with(name, &TestbedOptions::default(), |bootstrap| {
        let mut bootstrap = bootstrap.domains(&domains(&[&[NAME]]))?;
        Spy::placed(&mut bootstrap, port)?;
        Ok(bootstrap)
    })?;
    testbed.served(NAME, PATIENCE)?;
    Ok((testbed, Spy(Endpoint::Tcp(SocketAddr::from(([127, 0, 0, 1], port))))))
}

/// S3.
#[test]
fn no_other_filter_gets_a_key() -> Result<()> {
    let (_world, spy) = testbed("spy-sds")?;
    let delta = field(3, NAME);
    let state = field(3, NAME);
    for metadata in [
        &[][..],
        &[("x-sds-scope", "tls-alpn-01")],
        &[(tokens::METADATA, "")],
        &[(tokens::METADATA, "${ENVOY_AUTOCERT_SDS_TOKEN}")],
        &[(tokens::METADATA, tokens::API)],
    ] {
        for (method, message) in [("DeltaSecrets", &delta), ("StreamSecrets", &state), ("FetchSecrets", &state)] {
            let told = spy.grpc(method, metadata, message)?;
            assert!(!told.contains("PRIVATE KEY"), "{method} with {metadata:?} gives a key");
            let status = if method == "FetchSecrets" { "grpc-status: 12" } else { "grpc-status: 16" };
            assert!(told.contains(status), "{method} with {metadata:?}: {told}");
        }
    }
    let told = spy.grpc("DeltaSecrets", &[(tokens::METADATA, tokens::SDS)], &delta)?;
    assert!(told.contains("PRIVATE KEY"), "the spy would not have seen a key: {told}");
    Ok(())
}

/// S3.
#[test]
fn no_other_filter_uses_the_api() -> Result<()> {
    let (testbed, spy) = testbed("spy-api")?;
    let lease = json!({ "holder": "spy", "epoch": u64::MAX, "ttlMillis": 60_000 }).to_string();
    let right = format!("Bearer {}", tokens::API);
    let of_sds = format!("Bearer {}", tokens::SDS);
    for authorization in ["", "Bearer ", "Bearer ${ENVOY_AUTOCERT_API_TOKEN}", of_sds.as_str()] {
        for (path, body) in [("/v1/state", ""), ("/v1/lease", lease.as_str()), ("/v1/accounts", "{}")] {
            let told = spy.call(API, path, &[("authorization", authorization)], body)?;
            assert!(told.contains(":status: 401"), "{path} with {authorization:?}: {told}");
            assert!(!told.contains(NAME), "{path} tells what is stored: {told}");
        }
    }
    let told = spy.call(API, "/v1/state", &[("authorization", &right)], "")?;
    assert!(told.contains(NAME), "the spy would not have seen the state: {told}");
    // The plugin's own requests still succeed.
    assert!(testbed.sidecar.state()?["certificates"].as_array().is_some_and(|all| !all.is_empty()));
    Ok(())
}

/// Without a token an Envoy gets nothing, and an error that says what to do.
#[test]
fn an_envoy_without_tokens_gets_an_error_that_says_what_to_do() -> Result<()> {
    let mut testbed = Testbed::with("no-tokens", &TestbedOptions::default(), |bootstrap| {
        let mut bootstrap = bootstrap.domains(&domains(&[&[NAME]]))?;
        bootstrap.plugin(|configuration| configuration["sidecar"] = json!({ "cluster": API }))?;
        Ok(bootstrap)
    })?;
    harness::until("the word on the missing token", PATIENCE, || {
        testbed.envoy.check()?;
        let log = testbed.envoy.log();
        let line = log.lines().find(|line| line.contains("the engine can't run"));
        let line = line.context("nothing is said yet")?;
        anyhow::ensure!(line.contains("sidecar.token") && line.contains("--api-token-file"), "{line}");
        Ok(())
    })
}
