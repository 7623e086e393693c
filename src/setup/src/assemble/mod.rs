//! Converts Traefik's configuration to the setup.
//!
//! A reference to something that does not exist is reported here, so later code need not check.

mod address;
mod build;
mod doors;
mod entry_points;
mod guards;
mod names;
mod provider;
mod resolvers;
mod routers;
mod services;
mod shadows;
mod tcp;
mod timeouts;
mod tls;

use serde_json::{Map, Value};

use crate::input::{InputReport, Layer, Sources, Words};
use crate::model::{Setup, TcpTls};
use crate::traefik::Configuration;
use build::Build;
use doors::Doors;
use guards::Guards;
use resolvers::{Read, Resolvers};
use routers::Context;
use shadows::Shadows;

/// The setup; `None` if there are mistakes, which are in the report.
pub(crate) fn setup(mut whole: Value, layers: &[Layer], sources: &Sources, report: &mut InputReport) -> Option<Setup> {
    let words = Words::new(sources.quick.as_ref(), layers);
    let is_of_bootstrap = sources.bootstrap.is_some();
    let mut build = Build { layers, words, is_strict: sources.strict, is_of_bootstrap, report };
    let options = match whole.as_object_mut().and_then(|whole| whole.remove("certificatesResolvers")) {
        Some(Value::Object(options)) => options,
        Some(_) => {
            build.wrong("certificatesResolvers", "no object", "an object whose keys are the resolvers' names");
            return None;
        }
        None => Map::new(),
    };
    let configuration: Configuration = match serde_path_to_error::deserialize(whole) {
        Ok(configuration) => configuration,
        Err(error) => {
            build.wrong(&error.path().to_string(), "another value", &acme::one_line(&error.inner().to_string()));
            return None;
        }
    };
    let (http, tcp) = (configuration.http.unwrap_or_default(), configuration.tcp.unwrap_or_default());
    let guards = Guards::http(&http.middlewares.unwrap_or_default());
    let tcp_guards = Guards::tcp(&tcp.middlewares.unwrap_or_default());
    let written = configuration.entry_points.unwrap_or_default();
    let mut entry_points = entry_points::entry_points(written, &guards, &mut build);
    if let Some(quick) = &sources.quick {
        entry_points::map_ports(quick, &mut entry_points, &mut build);
    }
    let tls = tls::tls(configuration.tls.unwrap_or_default(), &mut build);
    let http_services = services::http(http.services.unwrap_or_default(), &guards, &mut build);
    let tcp_services = services::tcp(tcp.services.unwrap_or_default(), &mut build);
    let mut resolvers = Resolvers::new(options, &sources.environment);
    let core = configuration.core.unwrap_or_default();
    let default_syntax = core.default_rule_syntax.as_deref();
    let default_syntax = routers::syntax("core.defaultRuleSyntax", default_syntax, Default::default(), &mut build);
    let mut doors = Doors::new(&sources.open);
    let mut context = Context {
        entry_points: &entry_points,
        tls: &tls,
        default_syntax,
        guards: &tcp_guards,
        shadows: Shadows::default(),
        resolvers: &mut resolvers,
        doors: &mut doors,
    };
    // Routers that closed ones may keep connections from come later.
    let mut tcp_routers = tcp::routers(tcp.routers.unwrap_or_default(), &tcp_services, &mut context, &mut build);
    context.guards = &guards;
    let mut http_routers = routers::routers(http.routers.unwrap_or_default(), &http_services, &mut context, &mut build);
    let closed = doors.finish(&mut build);
    build.report.closed = closed;
    let Read { resolvers, options, mac_keys, certificates } = resolvers.read(&entry_points, &mut build)?;
    let http_tls = http_routers.iter_mut().filter_map(|router| router.tls.as_mut());
    let tcp_tls = tcp_routers.iter_mut().filter_map(|router| match &mut router.tls {
        Some(TcpTls::Terminate(tls)) => Some(tls),
        Some(TcpTls::Passthrough) | None => None,
    });
    for tls in http_tls.chain(tcp_tls) {
        let wanted = tls.key.as_ref().and_then(|key| certificates.get(key));
        tls.certificates = wanted.cloned().unwrap_or_default();
    }
    Some(Setup {
        entry_points: entry_points.list,
        resolvers,
        resolver_options: options,
        mac_keys,
        http_routers,
        tcp_routers,
        http_services: http_services.into_known(),
        tcp_services: tcp_services.into_known(),
        tls_options: tls.options,
        certificates: tls.certificates,
        default_certificate: tls.default_certificate,
    })
}
