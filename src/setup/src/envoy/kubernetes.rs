//! Common parts for meshes: Kubernetes objects, and the sidecar in a gateway's pods.
//!
//! The sidecar is an init container that keeps running, so that its sockets exist before the proxy starts. Another init
//! container changes the owner of their directory to the proxy: any user may write to an `emptyDir`, and the sidecar
//! puts no socket into such a directory. That container runs as root with the capabilities for this and no others.

use serde_json::{Value, json};

use super::plugin::challenge_entry_points;
use super::style::STYLE;
use super::{Options, tokens};
use crate::model::Setup;

/// Placeholder for the image.
pub const IMAGE: &str = "${ENVOY_AUTOCERT_IMAGE}";

/// Path of the sidecar's storage.
const STORAGE: &str = "/var/lib/envoy-autocert";

/// Mount path of the Secret with the token.
const TOKENS: &str = "/etc/envoy-autocert";

/// Name of the Secret, and of the file in it.
const TOKEN_SECRET: &str = "envoy-autocert-tokens";
const TOKEN_FILE: &str = "api-token";

/// Name of the PersistentVolumeClaim.
const CLAIM: &str = "envoy-autocert";

/// Maximum length of an object's name.
const MAX_NAME: usize = 253;

/// The directory of a socket.
pub(super) fn directory(socket: &str) -> &str {
    socket.rsplit_once('/').map_or(".", |(directory, _)| directory)
}

/// The sidecar of a pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sidecar {
    /// The image with `envoy-autocert` on its PATH, the plugin, and a shell.
    pub image: String,
    /// Additional arguments.
    pub arguments: Vec<String>,
}

impl Default for Sidecar {
    fn default() -> Self {
        Self { image: IMAGE.to_owned(), arguments: Vec::new() }
    }
}

/// The sidecar, and the resources that it shares with the proxy of its pod.
pub(super) struct Pod<'a> {
    pub(super) sidecar: &'a Sidecar,
    /// The proxy's user and group, which are the sidecar's too.
    pub(super) user: u32,
    /// The volume with the sockets, mounted in both containers at the directory of the API socket.
    pub(super) volume: &'a str,
    pub(super) api_socket: &'a str,
    pub(super) mesh_sds_socket: &'a str,
    /// The plugin's path in the image, and its path for the proxy.
    pub(super) plugin: Option<(String, String)>,
    /// Ports on which a request reaches the plugin.
    pub(super) wake: Vec<u16>,
}

impl Pod<'_> {
    /// The ports of the entry points that answer challenges, as the pods have them.
    pub(super) fn wake(setup: &Setup, of_pods: impl Fn(u16) -> u16) -> Vec<u16> {
        let challenged = challenge_entry_points(setup);
        let points = setup.entry_points.iter().filter(|point| challenged.contains(point.name.as_str()));
        points.map(|point| of_pods(point.port)).collect()
    }

    pub(super) fn init_containers(&self) -> Value {
        json!([self.preparation(), self.container()])
    }

    fn preparation(&self) -> Value {
        let (directory, user) = (directory(self.api_socket), self.user);
        let mut script = format!("chmod 750 {directory} && chown {user}:{user} {directory}");
        if let Some((from, to)) = &self.plugin {
            script.push_str(&format!(" && cp {from} {to}.new && chmod 644 {to}.new && mv {to}.new {to}"));
        }
        json!({
            "name": "envoy-autocert-directory",
            "image": self.sidecar.image,
            "command": ["sh", "-c", script],
            "securityContext": {
                "runAsUser": 0,
                "runAsGroup": 0,
                "runAsNonRoot": false,
                "allowPrivilegeEscalation": false,
                "readOnlyRootFilesystem": true,
                "capabilities": { "drop": ["ALL"], "add": ["CHOWN", "DAC_OVERRIDE", "FOWNER"] },
            },
            "volumeMounts": [{ "name": self.volume, "mountPath": directory }],
        })
    }

    fn container(&self) -> Value {
        let mut arguments: Vec<String> = [
            ("--storage", format!("{STORAGE}/acme.json")),
            ("--api-socket", self.api_socket.to_owned()),
            ("--sds-socket", format!("{}/sds.sock", directory(self.api_socket))),
            ("--mesh-sds-socket", self.mesh_sds_socket.to_owned()),
            ("--api-token-file", format!("{TOKENS}/{TOKEN_FILE}")),
        ]
        .into_iter()
        .map(|(flag, value)| format!("{flag}={value}"))
        .collect();
        arguments.extend(self.wake.iter().map(|port| format!("--wake-address=127.0.0.1:{port}")));
        arguments.extend(self.sidecar.arguments.iter().cloned());
        json!({
            "name": "envoy-autocert",
            "image": self.sidecar.image,
            "restartPolicy": "Always",
            "command": ["envoy-autocert", "sidecar"],
            "args": arguments,
            // The proxy starts once the socket exists.
            "startupProbe": {
                "exec": { "command": ["test", "-S", self.mesh_sds_socket] },
                "periodSeconds": 1,
                "failureThreshold": 60,
            },
            "securityContext": {
                "runAsUser": self.user,
                "runAsGroup": self.user,
                "runAsNonRoot": true,
                "allowPrivilegeEscalation": false,
                "readOnlyRootFilesystem": true,
                "capabilities": { "drop": ["ALL"] },
            },
            "volumeMounts": [
                { "name": self.volume, "mountPath": directory(self.api_socket) },
                { "name": CLAIM, "mountPath": STORAGE },
                { "name": TOKEN_SECRET, "mountPath": TOKENS, "readOnly": true },
            ],
        })
    }

    /// The storage, and the token.
    pub(super) fn volumes() -> [Value; 2] {
        [
            json!({ "name": CLAIM, "persistentVolumeClaim": { "claimName": CLAIM } }),
            // Only the pod's own group may read the token; otherwise the sidecar refuses it.
            json!({ "name": TOKEN_SECRET, "secret": { "secretName": TOKEN_SECRET, "defaultMode": 0o440 } }),
        ]
    }
}

/// An object, with its fields besides name and namespace.
pub(super) fn object(api: &str, kind: &str, namespace: &str, name: &str, rest: Value) -> Value {
    let mut object = json!({
        "apiVersion": api,
        "kind": kind,
        "metadata": { "name": name, "namespace": namespace },
    });
    if let (Some(object), Value::Object(rest)) = (object.as_object_mut(), rest) {
        object.extend(rest);
    }
    object
}

/// The token of the sidecar's API. Everybody who can read the namespace's Secrets, or the plugin's configuration, knows
/// it.
pub(super) fn token_secret(namespace: &str) -> Value {
    let data = json!({ TOKEN_FILE: format!("{}\n", protocol::tokens::API) });
    let mut secret = object("v1", "Secret", namespace, TOKEN_SECRET, json!({ "type": "Opaque", "stringData": data }));
    yaml::comment(
        &mut secret,
        "By this token the sidecar knows the plugin. It stands in the plugin's configuration too, which can't refer to a \
         Secret:\nwho may read that object is to be restricted like who may read Secrets.",
    );
    secret
}

/// The claim for accounts, keys and certificates.
pub(super) fn storage_claim(namespace: &str) -> Value {
    let spec = json!({ "accessModes": ["ReadWriteOnce"], "resources": { "requests": { "storage": "64Mi" } } });
    object("v1", "PersistentVolumeClaim", namespace, CLAIM, json!({ "spec": spec }))
}

/// The objects as documents, with known tokens filled in.
pub(super) fn documents(objects: Vec<Value>, options: &Options) -> String {
    let mut text = String::new();
    for mut object in objects {
        tokens::fill(&options.tokens, &mut object);
        text.push_str("---\n");
        text.push_str(&yaml::write(&object, &STYLE));
    }
    text
}

/// A valid Kubernetes name for this host: lower-case letters, digits, dots and hyphens.
pub(super) fn dns_name(host: &str) -> String {
    let host = host.strip_prefix("*.").map_or_else(|| host.to_owned(), |parent| format!("wildcard.{parent}"));
    let safe = |c: char| if c.is_ascii_alphanumeric() || c == '.' { c.to_ascii_lowercase() } else { '-' };
    let name: String = host.chars().map(safe).take(MAX_NAME).collect();
    name.trim_matches(['-', '.']).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_becomes_a_name_that_kubernetes_takes() {
        assert_eq!(dns_name("A.example"), "a.example");
        assert_eq!(dns_name("*.a.example"), "wildcard.a.example");
        assert_eq!(dns_name("2001:db8::1"), "2001-db8--1");
    }
}
