//! The commands that go with a configuration: the sidecar's, and one that fills in its tokens.

use std::net::SocketAddr;

use protocol::mac_key::MacKey;
use setup::envoy::Options;
use setup::envoy::standing::Standing;
use setup::model::Setup;

use super::args::RenderArgs;
use super::further::further;
use crate::cli::storages::{DEFAULT, StorageChoice, choices};
pub(super) use base::shell_word::quoted;

/// The sidecar's surroundings: how it reaches Envoy, and its default certificate.
#[derive(Default)]
pub(super) struct Around {
    /// The entry points where the plugin answers challenges.
    pub(super) wake: Vec<SocketAddr>,
    /// The entry points that show certificates.
    pub(super) verify: Vec<SocketAddr>,
    /// The files of the certificate for names that no other covers: the certificate's, with the key's behind a comma.
    pub(super) default: Option<String>,
}

/// The sidecar's flags, since Envoy's configuration can't have them, and the steps for its tokens.
pub(super) fn notes(setup: &Setup, around: &Around, standing: &Standing, args: &RenderArgs) -> Vec<String> {
    let storages = choices(setup);
    let storage = storages.first().map_or_else(|| DEFAULT.to_owned(), |storage| storage.path.0.display().to_string());
    let mut notes = vec![format!("Start the sidecar: {}", command(setup, &storages, around, args))];
    for (resolver, _) in setup.mac_keys.iter().filter(|(_, key)| matches!(key, MacKey::Inline(_))) {
        notes.push(format!(
            "For PATH in {resolver}=file:PATH write a file with the MAC key that stands in \
             certificatesResolvers.{resolver}.acme.eab.hmacEncoded, and that the sidecar's user alone can read."
        ));
    }
    notes.extend(fill_in(&storage, standing, args));
    notes
}

/// The command that replaces the remaining placeholders by the sidecar's tokens.
fn fill_in(storage: &str, standing: &Standing, args: &RenderArgs) -> Option<String> {
    let mut variables = String::new();
    let mut names = Vec::new();
    for (stands, placeholder, file, suffix) in [
        (standing.has_api_placeholder, protocol::tokens::API, &args.api_token_file, ".api-token"),
        (standing.has_sds_placeholder, protocol::tokens::SDS, &args.sds_token_file, ".sds-token"),
    ] {
        if stands {
            let variable = placeholder.trim_matches(['$', '{', '}']);
            let file = file.as_ref().map_or_else(|| format!("{storage}{suffix}"), |path| path.display().to_string());
            // The first of several tokens, without the names it may be limited to.
            variables.push_str(&format!("{variable}=$(sed 's/[[:space:]].*//;q' {}) ", quoted(&file)));
            names.push(format!("${variable}"));
        }
    }
    let input = args.output.as_ref().map_or_else(|| "FILE".to_owned(), |path| quoted(&path.display().to_string()));
    (!names.is_empty()).then(|| {
        format!(
            "Then fill the sidecar's tokens in, for Envoy to start with: (umask 077; {variables}envsubst '{}' < {input} > \
             with-tokens.yaml)",
            names.join(" ")
        )
    })
}

fn command(setup: &Setup, storages: &[StorageChoice], around: &Around, args: &RenderArgs) -> String {
    let mut command = String::from("envoy-autocert sidecar");
    if storages.is_empty() {
        command.push_str(&format!(" --storage {DEFAULT}"));
    }
    for storage in storages {
        command.push_str(&format!(" --storage {}", quoted(&storage.to_string())));
    }
    let defaults = Options::default();
    for (flag, socket, default) in [
        ("--api-socket", args.api_socket(), &defaults.api_socket),
        ("--sds-socket", args.sds_socket.clone(), &defaults.sds_socket),
    ] {
        if socket != *default {
            command.push_str(&format!(" {flag} {}", quoted(&socket)));
        }
    }
    for address in &around.wake {
        command.push_str(&format!(" --wake-address {address}"));
    }
    for address in &around.verify {
        command.push_str(&format!(" --verify-address {address}"));
    }
    if let Some(pair) = around.default.as_ref().filter(|_| setup.default_certificate.is_none()) {
        command.push_str(&format!(" --default-certificate {}", quoted(pair)));
    }
    for (flag, value) in further(setup) {
        command.push_str(&format!(" {flag} {}", quoted(&value)));
    }
    for (flag, file) in [("--api-token-file", &args.api_token_file), ("--sds-token-file", &args.sds_token_file)] {
        if let Some(path) = file {
            command.push_str(&format!(" {flag} {}", quoted(&path.display().to_string())));
        }
    }
    command
}
