//! The options that Envoy's configuration is rendered with.

use protocol::tokens::Tokens;
use setup::envoy::limits::Connections;
use setup::envoy::version::Version;
use setup::envoy::{Options, Wants, ca};
use setup::model::Setup;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::args::{Format, RenderArgs};
use crate::envoy;
use base::environment::for_envoy;
use base::files::{FileError, users};
use sds::tokens::{Kind, first};

/// The largest PEM file of roots that is read, in bytes: the system's own has some 230 KiB.
pub(super) const MAX_PEM: u64 = 4 * 1024 * 1024;

pub(super) fn options(setup: &Setup, args: &RenderArgs) -> Result<Options, Vec<String>> {
    Ok(Options {
        plugin: args.plugin.clone(),
        api_socket: args.api_socket(),
        sds_socket: args.sds_socket.clone(),
        admin: args.admin.clone(),
        connections: args.max_connections.map(Connections::of_clients).unwrap_or_default(),
        ca_bundle: args.ca_bundle.clone(),
        pem_files: match args.format {
            Format::Bootstrap | Format::Filter | Format::EnvoyGateway => {
                pem_files(setup, &args.ca_bundle).map_err(|why| vec![why])?
            }
            Format::Istio => BTreeMap::new(),
        },
        tokens: tokens(args)?,
        version: version(args).map_err(|why| vec![why])?,
        wants: Wants::OfConfiguration,
    })
}

/// The version of the Envoy to render for.
pub(super) fn version(args: &RenderArgs) -> Result<Version, String> {
    let version = match (args.envoy_version, &args.envoy) {
        (Some(version), _) => version,
        (None, Some(path)) => {
            let said = envoy::version(path, &for_envoy(&[])).map_err(|error| format!("{}: {error}", path.display()))?;
            said.ok_or_else(|| {
                format!(
                    "{}: found no version in what its --version says, expected --envoy-version with it",
                    path.display()
                )
            })?
        }
        (None, None) => Version::NEWEST,
    };
    version.refusal().map_or(Ok(version), Err)
}

/// The tokens to put into the text; without token files, placeholders.
pub(super) fn tokens(args: &RenderArgs) -> Result<Tokens, Vec<String>> {
    let first = |kind, file: &Option<PathBuf>| {
        file.as_deref().map(|path| first(kind, path)).transpose().map_err(|error| vec![error.to_string()])
    };
    Ok(Tokens { api: first(Kind::Api, &args.api_token_file)?, sds: first(Kind::Sds, &args.sds_token_file)? })
}

/// The files of roots to be put into the configuration, since Envoy takes one file and there are several.
pub(in crate::cli) fn pem_files(setup: &Setup, ca_bundle: &str) -> Result<BTreeMap<String, String>, String> {
    ca::files(&setup.resolvers, ca_bundle).into_iter().map(|path| Ok((path.clone(), pem(&path)?))).collect()
}

/// The roots in a file.
pub(in crate::cli) fn pem(path: &str) -> Result<String, String> {
    let unfit = || format!("{path}: found no PEM certificates in at most {MAX_PEM} bytes, expected roots to trust");
    let bytes = users::read(Path::new(path), MAX_PEM).map_err(|error| match error {
        FileError::TooLarge { .. } => unfit(),
        FileError::Io { error, .. } => format!("{path}: the roots can't be read: {error}"),
        other => other.to_string(),
    })?;
    let text = String::from_utf8(bytes).map_err(|error| format!("{path}: the roots can't be read: {error}"))?;
    if !text.contains("-----BEGIN CERTIFICATE-----") {
        return Err(unfit());
    }
    Ok(text)
}
