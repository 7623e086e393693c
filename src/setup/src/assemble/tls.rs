//! `tls`: options, and certificates of the user's own.

use std::collections::{BTreeMap, BTreeSet};

use config::{Mistake, nearest, shortened};

use super::build::Build;
use crate::effective::{DEFAULT_OPTIONS, EffectiveOptions};
use crate::input::{quoted, wrong};
use crate::model::{PairOfFiles, TlsOptions, TlsVersion};
use crate::traefik::tls::{Certificate, ClientAuth, Tls as Written};

/// Name of the default store.
const DEFAULT: &str = "default";

const VERSIONS: [(&str, TlsVersion); 4] = [
    ("VersionTLS10", TlsVersion::V1_0),
    ("VersionTLS11", TlsVersion::V1_1),
    ("VersionTLS12", TlsVersion::V1_2),
    ("VersionTLS13", TlsVersion::V1_3),
];

/// TLS settings outside of routers.
pub(super) struct Tls {
    pub(super) options: BTreeMap<String, TlsOptions>,
    /// Guards by the client certificates of options, by their name.
    lacks: BTreeMap<String, String>,
    pub(super) certificates: Vec<PairOfFiles>,
    pub(super) default_certificate: Option<PairOfFiles>,
}

impl Tls {
    /// The guards of a router at this path that names these options: of those options, and of the effective options of
    /// its hosts.
    pub(super) fn lacks(
        &self,
        path: &str,
        named: Option<&str>,
        hosts: &[&str],
        effective: &EffectiveOptions<'_>,
    ) -> Vec<String> {
        let named = named.unwrap_or(DEFAULT_OPTIONS);
        let in_the_end: BTreeSet<&str> =
            hosts.iter().map(|host| effective.of_name(host)).chain([effective.of_router(hosts)]).collect();
        let others = in_the_end.into_iter().filter(|options| *options != named);
        let others = others.filter_map(|options| {
            let lack = self.lacks.get(options)?;
            Some(format!("{path}.tls.options: not the options that it names count, but the {options} ones: {lack}"))
        });
        self.lacks.get(named).cloned().into_iter().chain(others).collect()
    }
}

pub(super) fn tls(written: Written, build: &mut Build<'_>) -> Tls {
    let mut options = BTreeMap::new();
    let mut lacks = BTreeMap::new();
    for (name, written) in written.options.unwrap_or_default() {
        let path = format!("tls.options.{}", shortened(&name));
        let min_version = version(&format!("{path}.minVersion"), written.min_version.as_deref(), build);
        let max_version = version(&format!("{path}.maxVersion"), written.max_version.as_deref(), build);
        if let (Some(least), Some(most)) = (min_version, max_version)
            && least > most
        {
            build.wrong(&format!("{path}.maxVersion"), "an older version than minVersion", "the same or a newer one");
        }
        if let Some(client_auth) = &written.client_auth
            && refuses(client_auth)
        {
            let lack = format!("{path}.clientAuth: certificates of clients, which can refuse connections");
            lacks.insert(name.clone(), lack);
        }
        options.insert(name, TlsOptions { min_version, max_version });
    }
    let certificates = written.certificates.unwrap_or_default();
    let pairs = certificates.iter().enumerate();
    let pairs = pairs.filter_map(|(index, written)| pair(&format!("tls.certificates[{index}]"), written, build));
    let certificates = pairs.collect();
    let mut default_certificate = None;
    for (name, store) in written.stores.unwrap_or_default() {
        let path = format!("tls.stores.{}", shortened(&name));
        match store.default_certificate {
            Some(written) if name == DEFAULT => {
                default_certificate = pair(&format!("{path}.defaultCertificate"), &written, build);
            }
            _ if name == DEFAULT => {}
            _ => build.warn(&path, "left out: as in Traefik, only the store named default is used"),
        }
    }
    Tls { options, lacks, certificates, default_certificate }
}

/// True if a client without a certificate, or with another one, is refused. As in Traefik, CAs without a type require a
/// certificate.
fn refuses(client_auth: &ClientAuth) -> bool {
    match client_auth.client_auth_type.as_deref().map(str::trim) {
        None | Some("") => client_auth.ca_files.is_some() || client_auth.secret_names.is_some(),
        Some("NoClientCert") => false,
        Some(_) => true,
    }
}

fn version(path: &str, text: Option<&str>, build: &mut Build<'_>) -> Option<TlsVersion> {
    let text = text.map(str::trim).filter(|text| !text.is_empty())?;
    let found = VERSIONS.iter().find(|(name, _)| *name == text).map(|(_, version)| *version);
    if found.is_none() {
        let names = VERSIONS.map(|(name, _)| name);
        let expected = format!("one of {}", names.join(", "));
        build.push(Mistake { nearest: nearest(text, names), ..wrong(path, &quoted(text), &expected) });
    }
    found
}

/// The paths of both files. Neither text is shown if it is no path: it may be the key itself.
fn pair(path: &str, written: &Certificate, build: &mut Build<'_>) -> Option<PairOfFiles> {
    let mut file = |key: &str, text: &Option<String>| {
        let text = text.as_deref().map(str::trim).unwrap_or_default();
        let found = match () {
            () if text.is_empty() => "nothing",
            () if text.contains("-----BEGIN") || text.contains('\n') => "the content of a file",
            () => return Some(text.to_owned()),
        };
        build.wrong(&format!("{path}.{key}"), found, "the path of a PEM file");
        None
    };
    let (cert_file, key_file) = (file("certFile", &written.cert_file), file("keyFile", &written.key_file));
    Some(PairOfFiles { cert_file: cert_file?, key_file: key_file? })
}
