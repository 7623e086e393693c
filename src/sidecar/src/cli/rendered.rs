//! A configuration in Traefik's words, rendered again whenever it changes.
//!
//! Promises: resolvers stay as they were at the start, as in Traefik, whose static configuration is read once, and so
//! do the user's own certificates; a change of them is logged.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use acme::origin::Origin;
use config::Mistake;
use protocol::{CertificateId, Want};
use serde_json::Value;
use setup::Reading;
use setup::envoy::limits::Connections;
use setup::envoy::{Layout, Options, Wants, bootstrap, ca};
use setup::input::Flags;
use setup::model::{EntryPoint, RouterTls, Setup, TcpTls};

use super::dns::{known_providers, lacking_credentials};
use super::inputs::InputArgs;
use super::render::pem_files;
use crate::run::{Ca, RenderTarget, Rendered, Source};

/// The entry point of --https-port.
const HTTPS_POINT: &str = "websecure";

/// A configuration in Traefik's words, with its files and flags.
pub(super) struct TraefiksWords {
    inputs: InputArgs,
    ca_bundle: String,
    connections: Connections,
    first: Setup,
    /// Envoy's runtime as it was at the start: entry points added later have the global limit.
    runtime: Option<Value>,
    watched: Vec<PathBuf>,
}

impl TraefiksWords {
    /// Reads the configuration for the first time.
    ///
    /// # Errors
    /// With a line for each mistake.
    pub(super) fn read(inputs: InputArgs, ca_bundle: &Path, connections: Connections) -> Result<Self, Vec<String>> {
        let (Reading { setup: first, .. }, watched) = read(&inputs)?;
        let ca_bundle = ca_bundle.display().to_string();
        Ok(Self { inputs, ca_bundle, connections, first, runtime: None, watched })
    }

    /// The resolvers' CAs without their test systems, which are only asked after a failure.
    pub(super) fn cas(&self) -> Vec<Ca> {
        let resolvers = &self.first.resolvers;
        // Rendering reports CAs that conflict.
        let mut cas = ca::all(resolvers).unwrap_or_default();
        cas.retain(|ca| resolvers.iter().any(|resolver| Origin::of(&resolver.ca_server).as_ref() == Some(&ca.origin)));
        cas.iter().map(|ca| Ca::new(ca, &self.ca_bundle)).collect()
    }

    /// The configuration as it was at the start.
    pub(super) fn first(&self) -> &Setup {
        &self.first
    }
}

impl Source for TraefiksWords {
    fn read(&mut self, target: &RenderTarget) -> Result<Rendered, Vec<String>> {
        let (Reading { mut setup, mut warnings, closed, flags }, _) = read(&self.inputs)?;
        if setup.resolver_options != self.first.resolver_options || setup.mac_keys != self.first.mac_keys {
            warnings.push("certificatesResolvers has changed: restart envoy-autocert to use it".to_owned());
            setup.resolvers.clone_from(&self.first.resolvers);
            setup.resolver_options.clone_from(&self.first.resolver_options);
        }
        let own = |setup: &Setup| (setup.certificates.clone(), setup.default_certificate.clone());
        if own(&setup) != own(&self.first) {
            warnings.push("tls.certificates or tls.stores has changed: restart envoy-autocert to use it".to_owned());
        }
        let told = |mistakes| lines(mistakes, &flags);
        let text = |path: &Path| path.display().to_string();
        let options = Options {
            plugin: text(&target.plugin),
            api_socket: text(&target.files.api_socket()),
            sds_socket: text(&target.files.sds_socket()),
            admin: text(&target.files.admin_socket()),
            connections: self.connections,
            ca_bundle: self.ca_bundle.clone(),
            pem_files: pem_files(&setup, &self.ca_bundle).map_err(|why| vec![why])?,
            tokens: target.tokens.clone(),
            version: target.version,
            wants: Wants::OfSidecar,
        };
        let routes = |name: &str| text(&target.files.routes(name));
        let of = |layout| bootstrap::of(&setup, &options, layout).map_err(told);
        let mut bootstrap = of(Layout::Dynamic { routes: &routes })?.plain();
        warnings.append(&mut bootstrap.resources.warnings);
        let runtime = &mut bootstrap.base["layered_runtime"];
        *runtime = self.runtime.get_or_insert_with(|| runtime.clone()).clone();
        Ok(Rendered {
            bootstrap,
            wants: wants(&setup),
            warnings,
            address_flags: address_flags(&setup, &flags),
            closed,
            candidate: Box::new(move || candidate(&setup, &options, &flags)),
        })
    }

    fn watched(&self) -> Vec<PathBuf> {
        self.watched.clone()
    }
}

fn read(inputs: &InputArgs) -> Result<(Reading, Vec<PathBuf>), Vec<String>> {
    let inputs = inputs.read().map_err(|error| vec![error])?;
    match setup::read(&inputs.sources) {
        Ok(mut reading) => {
            known_providers(&reading)?;
            let lacking = lacking_credentials(&reading);
            reading.warnings.extend(lacking);
            Ok((reading, inputs.watched))
        }
        Err(mistakes) => Err(mistakes.iter().map(ToString::to_string).collect()),
    }
}

/// By entry point, the flag that changes its address, if the address comes from our flags.
fn address_flags(setup: &Setup, flags: &Flags) -> BTreeMap<String, String> {
    let of = |point: &EntryPoint| {
        flags.of(&format!("entryPoints.{}.address", point.name))?;
        let port = if point.name == HTTPS_POINT { "--https-port PORT" } else { "--http-port PORT" };
        Some((point.name.clone(), port.to_owned()))
    };
    setup.entry_points.iter().filter_map(of).collect()
}

/// The whole configuration in one file, which is only validated.
fn candidate(setup: &Setup, options: &Options, flags: &Flags) -> Result<Value, Vec<String>> {
    let bootstrap = bootstrap::of(setup, options, Layout::Static).map_err(|mistakes| lines(mistakes, flags))?;
    Ok(bootstrap.joined_plain())
}

/// A line for each mistake, in terms of the flags that it comes from.
fn lines(mistakes: Vec<Mistake>, flags: &Flags) -> Vec<String> {
    mistakes.into_iter().map(|mistake| flags.reworded(mistake).to_string()).collect()
}

/// The certificates that the routers want, each once.
fn wants(setup: &Setup) -> Vec<Want> {
    let http = setup.http_routers.iter().filter_map(|router| router.tls.as_ref());
    let tcp = setup.tcp_routers.iter().filter_map(|router| match &router.tls {
        Some(TcpTls::Terminate(tls)) => Some(tls),
        _ => None,
    });
    let of_router = |tls: &RouterTls| -> Vec<Want> {
        let Some(resolver) = &tls.resolver else { return Vec::new() };
        let want = |names: &Vec<String>| Want {
            certificate: CertificateId { resolver: resolver.clone(), names: names.clone() },
        };
        tls.certificates.iter().map(want).collect()
    };
    let wants: BTreeSet<Want> = http.chain(tcp).flat_map(of_router).collect();
    wants.into_iter().collect()
}
