//! The configuration of Envoy: the shipped one, with other ports, paths, CA and domains.

use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::{Pebble, Place, Relay, artifacts, older};

/// The reference configuration, as users get it.
const SHIPPED: &str = include_str!("../../envoy/envoy.yaml");

/// The names of one certificate that a router wants.
pub type Domains = Vec<String>;

/// A bootstrap configuration of Envoy.
#[derive(Clone, Debug)]
pub struct Bootstrap(Value);

impl Bootstrap {
    /// `envoy/envoy.yaml` as it is.
    ///
    /// # Errors
    /// When the text is not YAML.
    pub fn shipped() -> Result<Self> {
        Ok(Self(serde_saphyr::from_str(SHIPPED).context("envoy/envoy.yaml")?))
    }

    /// A configuration that is not the shipped one.
    pub fn of(value: Value) -> Self {
        Self(value)
    }

    /// The same, from YAML.
    ///
    /// # Errors
    /// When the text is not YAML.
    pub fn read(yaml: &str) -> Result<Self> {
        Ok(Self(serde_saphyr::from_str(yaml).context("a bootstrap")?))
    }

    /// `envoy/envoy.yaml` for a place and its CA: ports, paths and the CA are replaced, nothing else.
    ///
    /// # Errors
    /// When something that must be replaced is not there.
    pub fn placed(place: &Place, pebble: &Pebble) -> Result<Self> {
        let mut bootstrap = Self::shipped()?;
        bootstrap.set("/admin/address/socket_address/port_value", json!(0))?;
        for (listener, port) in [("web", place.web), ("websecure", place.websecure)] {
            let listener = bootstrap.named("/static_resources/listeners", listener)?;
            *at(listener, "/address/socket_address")? = json!({ "address": "127.0.0.1", "port_value": port });
        }
        for (cluster, socket) in [("envoy-autocert-api", "run/api.sock"), ("envoy-autocert-sds", "run/sds.sock")] {
            let cluster = bootstrap.named("/static_resources/clusters", cluster)?;
            *at(cluster, &format!("{ENDPOINT}/address/pipe/path"))? = json!(place.file(socket));
        }
        let wasm = artifacts::wasm()?;
        for config in bootstrap.plugins()? {
            *at(config, "/vm_config/code/local/filename")? = json!(wasm);
            *at(config, "/configuration/value/certificatesResolvers/le/acme/caServer")? = json!(pebble.directory());
        }
        bootstrap.set_ca(place, pebble)?;
        Ok(bootstrap)
    }

    /// Leads to the CA through a relay, and trusts the issuer of the relay's certificate.
    ///
    /// # Errors
    /// When the CA's cluster is not there.
    pub fn through(self, relay: &Relay) -> Result<Self> {
        let mut bootstrap = self.resolver("caServer", &json!(relay.directory()))?;
        let cluster = bootstrap.ca_cluster()?;
        *at(cluster, &format!("{ENDPOINT}/address/socket_address/port_value"))? = json!(relay.address().port());
        *at(cluster, TRUSTED_CA)? = json!(relay.root());
        Ok(bootstrap)
    }

    /// The cluster that leads to the CA.
    ///
    /// # Errors
    /// When that part is missing.
    pub fn ca_cluster(&mut self) -> Result<&mut Value> {
        self.named("/static_resources/clusters", "localhost")
    }

    /// The TLS context of the cluster that leads to the CA.
    ///
    /// # Errors
    /// When that part is missing.
    pub fn ca_tls(&mut self) -> Result<&mut Value> {
        at(self.ca_cluster()?, "/transport_socket/typed_config")
    }

    /// Adds a resolver with another CA. Its name is that of the CA's cluster too.
    ///
    /// # Errors
    /// When the first one's is not there.
    pub fn another_ca(mut self, name: &str, pebble: &Pebble, acme: &Value) -> Result<Self> {
        let mut cluster = self.ca_cluster()?.clone();
        cluster["name"] = json!(name);
        *at(&mut cluster, "/load_assignment/cluster_name")? = json!(name);
        *at(&mut cluster, &format!("{ENDPOINT}/address/socket_address/port_value"))? = json!(pebble.port());
        self.clusters()?.push(cluster);
        self.plugin(|configuration| {
            let resolvers = &mut configuration["certificatesResolvers"];
            resolvers[name] = resolvers["le"].clone();
            resolvers[name]["acme"]["caServer"] = json!(pebble.directory());
            for (option, value) in acme.as_object().into_iter().flatten() {
                resolvers[name]["acme"][option] = value.clone();
            }
            configuration["caClusters"][format!("localhost:{}", pebble.port())] = json!(name);
        })?;
        Ok(self)
    }

    /// Sets the routers, by `tls.domains`, and the secrets of `websecure`, one for each certificate by its first name.
    ///
    /// # Errors
    /// When the configuration has no place for them.
    pub fn domains(mut self, certificates: &[Domains]) -> Result<Self> {
        let router = |(index, names): (usize, &Domains)| {
            let domains = json!([{ "main": names.first(), "sans": names.get(1..).unwrap_or_default() }]);
            (format!("router-{index}"), json!({ "tls": { "certResolver": "le", "domains": domains } }))
        };
        let routers: serde_json::Map<_, _> = certificates.iter().enumerate().map(router).collect();
        self.plugin(|configuration| configuration["routers"] = Value::Object(routers.clone()))?;
        self.secrets(certificates.iter().filter_map(|names| names.first()))
    }

    /// Sets the names of the secrets of `websecure`.
    ///
    /// # Errors
    /// When it has none to begin with.
    pub fn secrets(mut self, names: impl IntoIterator<Item = impl AsRef<str>>) -> Result<Self> {
        let listener = self.named("/static_resources/listeners", "websecure")?;
        let secrets = at(listener, SECRETS)?;
        let sds = at(secrets, "/0/sds_config")?.take();
        let secret = |name: &str| json!({ "name": name, "sds_config": sds });
        *secrets = names.into_iter().map(|name| secret(name.as_ref())).collect();
        Ok(self)
    }

    /// Changes the plugin's configuration, of the engine and of the filter.
    ///
    /// # Errors
    /// When there is none.
    pub fn plugin(&mut self, change: impl Fn(&mut Value)) -> Result<()> {
        for config in self.plugins()? {
            change(at(config, "/configuration/value")?);
        }
        Ok(())
    }

    /// Sets one option of the resolver `le`, to chain.
    ///
    /// # Errors
    /// When there is none.
    pub fn resolver(mut self, option: &str, value: &Value) -> Result<Self> {
        self.plugin(|configuration| configuration["certificatesResolvers"]["le"]["acme"][option] = value.clone())?;
        Ok(self)
    }

    /// Sets one option of `engine`, to chain.
    ///
    /// # Errors
    /// When the plugin has no configuration.
    pub fn engine(mut self, option: &str, value: &Value) -> Result<Self> {
        self.plugin(|configuration| configuration["engine"][option] = value.clone())?;
        Ok(self)
    }

    /// Removes the singleton of the bootstrap: the filter's root contexts stand for election, as in Istio.
    pub fn without_singleton(mut self) -> Self {
        if let Some(bootstrap) = self.0.as_object_mut() {
            bootstrap.remove("bootstrap_extensions");
        }
        self
    }

    /// Adapts the configuration to another Envoy than the newest, as the shipped configuration's comments say.
    ///
    /// # Errors
    /// When the Envoy does not say which it is.
    pub fn fit(mut self, envoy: &Path) -> Result<Self> {
        older::fit(&mut self.0, older::minor(envoy)?);
        Ok(self)
    }

    /// The whole configuration, to read and change.
    pub fn value(&mut self) -> &mut Value {
        &mut self.0
    }

    /// A listener, a cluster … of a list, by its name.
    ///
    /// # Errors
    /// When there is none of this name.
    pub fn named(&mut self, list: &str, name: &str) -> Result<&mut Value> {
        let items = at(&mut self.0, list)?.as_array_mut().with_context(|| format!("{list} is no list"))?;
        items.iter_mut().find(|item| item["name"] == name).with_context(|| format!("{list} has no {name}"))
    }

    /// The HTTP filters of the listener `web`.
    ///
    /// # Errors
    /// When that part is missing.
    pub fn web_filters(&mut self) -> Result<&mut Vec<Value>> {
        let listener = self.named("/static_resources/listeners", "web")?;
        at(listener, &format!("{MANAGER}/http_filters"))?.as_array_mut().context("http_filters is no list")
    }

    /// The virtual host of a listener.
    ///
    /// # Errors
    /// When that part is missing.
    pub fn virtual_host(&mut self, listener: &str) -> Result<&mut Value> {
        let listener = self.named("/static_resources/listeners", listener)?;
        at(listener, &format!("{MANAGER}/route_config/virtual_hosts/0"))
    }

    /// The routes of a listener.
    ///
    /// # Errors
    /// When that part is missing.
    pub fn routes(&mut self, listener: &str) -> Result<&mut Value> {
        at(self.virtual_host(listener)?, "/routes")
    }

    /// Sends the requests that `web` does not answer itself to a backend, instead of redirecting them.
    ///
    /// # Errors
    /// When the routes and clusters are not there.
    pub fn backend(mut self, address: SocketAddr) -> Result<Self> {
        *self.routes("web")? = json!([{ "match": { "prefix": "/" }, "route": { "cluster": "backend" } }]);
        let endpoint = json!({ "socket_address": { "address": address.ip(), "port_value": address.port() } });
        let endpoints = json!([{ "lb_endpoints": [{ "endpoint": { "address": endpoint } }] }]);
        let cluster = json!({
            "name": "backend", "type": "STATIC", "connect_timeout": "1s",
            "load_assignment": { "cluster_name": "backend", "endpoints": endpoints },
        });
        self.clusters()?.push(cluster);
        Ok(self)
    }

    fn clusters(&mut self) -> Result<&mut Vec<Value>> {
        at(&mut self.0, "/static_resources/clusters")?.as_array_mut().context("clusters is no list")
    }

    fn set(&mut self, pointer: &str, value: Value) -> Result<()> {
        *at(&mut self.0, pointer)? = value;
        Ok(())
    }

    /// Every `PluginConfig`: of the filter, and of the singleton if there is one.
    fn plugins(&mut self) -> Result<Vec<&mut Value>> {
        let mut plugins = Vec::new();
        let Value::Object(bootstrap) = &mut self.0 else { return Ok(plugins) };
        for (name, value) in bootstrap.iter_mut() {
            match name.as_str() {
                "bootstrap_extensions" => plugins.push(at(value, "/0/typed_config/config")?),
                "static_resources" => {
                    let listeners = at(value, "/listeners")?.as_array_mut().context("listeners is no list")?;
                    let web = listeners.iter_mut().find(|listener| listener["name"] == "web").context("no web")?;
                    plugins.push(at(web, &format!("{MANAGER}/http_filters/0{PLUGIN}"))?);
                }
                _ => {}
            }
        }
        Ok(plugins)
    }

    fn set_ca(&mut self, place: &Place, pebble: &Pebble) -> Result<()> {
        let name = "acme-staging-v02.api.letsencrypt.org";
        let cluster = self.named("/static_resources/clusters", name)?;
        *at(cluster, "/name")? = json!("localhost");
        *at(cluster, "/load_assignment/cluster_name")? = json!("localhost");
        *at(cluster, &format!("{ENDPOINT}/hostname"))? = json!("localhost");
        *at(cluster, &format!("{ENDPOINT}/address/socket_address"))? =
            json!({ "address": "127.0.0.1", "port_value": pebble.port() });
        *at(cluster, TRUSTED_CA)? = json!(place.authority.root);
        Ok(())
    }
}

const ENDPOINT: &str = "/load_assignment/endpoints/0/lb_endpoints/0/endpoint";
const TRUSTED_CA: &str = "/transport_socket/typed_config/common_tls_context/validation_context/trusted_ca/filename";
const MANAGER: &str = "/filter_chains/0/filters/0/typed_config";
const PLUGIN: &str = "/typed_config/extension_config/typed_config/config";
const SECRETS: &str =
    "/filter_chains/0/transport_socket/typed_config/common_tls_context/tls_certificate_sds_secret_configs";

fn at<'v>(value: &'v mut Value, pointer: &str) -> Result<&'v mut Value> {
    value.pointer_mut(pointer).with_context(|| format!("Envoy's configuration has no {pointer}"))
}
