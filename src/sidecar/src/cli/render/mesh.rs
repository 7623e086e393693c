//! `render --format istio` and `envoy-gateway`: the cluster's objects, and the steps left to do there.

use protocol::mac_key::MacKey;
use setup::envoy::kubernetes::IMAGE;
use setup::model::Setup;

use super::args::RenderArgs;
use super::commands::quoted;

/// The steps left to do: filling in, applying, and the pods' needs that no object covers.
pub(super) fn notes(setup: &Setup, args: &RenderArgs) -> Vec<String> {
    let mut given = String::new();
    let mut variables = Vec::new();
    if args.mesh.image == IMAGE {
        given.push_str("ENVOY_AUTOCERT_IMAGE=IMAGE ");
        variables.push(IMAGE.trim_matches(['$', '{', '}']));
    }
    if args.api_token_file.is_none() {
        given.push_str("ENVOY_AUTOCERT_API_TOKEN=$(openssl rand -hex 32) ");
        variables.push("ENVOY_AUTOCERT_API_TOKEN");
    }
    let input = args.output.as_ref().map_or_else(|| "FILE".to_owned(), |path| quoted(&path.display().to_string()));
    let apply = "kubectl apply --server-side --force-conflicts -f";
    let mut notes = vec![match variables.as_slice() {
        [] => format!("Then apply it: {apply} {input}"),
        names => {
            let names: Vec<String> = names.iter().map(|name| format!("${name}")).collect();
            format!("Then fill in and apply it: {given}envsubst '{}' < {input} | {apply} -", names.join(" "))
        }
    }];
    for (resolver, key) in &setup.mac_keys {
        let what = match key {
            MacKey::File(path) => format!("a volume with {path}"),
            MacKey::Inline(_) => "a volume with the MAC key in a file, whose path stands for PATH".to_owned(),
            MacKey::Variable(name) => format!("the environment variable {name}"),
        };
        notes.push(format!("The container envoy-autocert needs {what}, from a Secret: --eab of {resolver} names it."));
    }
    let of_files = setup.certificates.iter().chain(&setup.default_certificate);
    if let Some(pair) = of_files.into_iter().next() {
        notes.push(format!("The container envoy-autocert needs a volume with {} and its like.", pair.cert_file));
    }
    if setup.resolvers.iter().any(|resolver| resolver.dns_challenge.is_some()) {
        notes.push(
            "The container envoy-autocert needs the credentials of the DNS provider as environment variables, from a \
             Secret; `envoy-autocert dns-providers` lists them."
                .to_owned(),
        );
    }
    notes
}
