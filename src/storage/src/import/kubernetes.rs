//! Secrets of Kubernetes with a certificate (`type: kubernetes.io/tls`), as `kubectl get secret -o yaml` or `-o json`
//! writes them: one, several documents, or a list.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use yaml::{At, read as read_yaml};

use super::found::{Found, FoundCertificate};
use pki::secret::Secret;

/// The member of a Secret with the chain; [`KEY`] has the key.
const CHAIN: &str = "tls.crt";
const KEY: &str = "tls.key";

/// Depth to which lists may be nested.
const MAX_DEPTH: usize = 4;

/// True for a resource of Kubernetes: each has an `apiVersion`, in YAML at the beginning of a line.
pub(super) fn is_resource(text: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(text) else { return false };
    let is_json = || text.trim_start().starts_with(['{', '[']) && text.contains("\"apiVersion\"");
    let is_yaml = || text.lines().any(|line| line.trim_start_matches([' ', '-', '{', '"']).starts_with("apiVersion"));
    text.contains("apiVersion") && text.contains("kind") && (is_json() || is_yaml())
}

/// Reads a text.
pub fn read(text: &[u8]) -> Found {
    let mut found = Found::default();
    take("", text, &mut found);
    found
}

/// Adds the Secrets of a text; `place` is that of its file, where there are several.
pub(super) fn take(place: &str, text: &[u8], found: &mut Found) {
    let text = String::from_utf8_lossy(text);
    let documents = match read_yaml(&text) {
        Ok(documents) => documents,
        Err(_) if text.contains("{{") => {
            let why = "it is a template of Helm's: import what `helm template` or `kubectl get secret -o yaml` prints";
            return found.leave_out(named(place, "the whole file"), why);
        }
        Err(broken) => {
            // The text there may be a key, so only its place is reported.
            let why = broken.line.map_or(broken.what, |line| format!("it is no YAML from line {line} on"));
            return found.leave_out(named(place, "the whole file"), why);
        }
    };
    let mut others = 0_usize;
    for document in &documents {
        resource(place, &At::top("", document), MAX_DEPTH, &mut others, found);
    }
    if others > 0 {
        let resources =
            if others == 1 { "one resource is no Secret" } else { &format!("{others} resources are no Secrets") };
        found.warnings.push(format!("{resources} with a certificate, and passed over"));
    }
}

fn resource(place: &str, at: &At<'_>, depth: usize, others: &mut usize, found: &mut Found) {
    let name = at.text_of("metadata.name").unwrap_or("without a name");
    let name = at.text_of("metadata.namespace").map_or_else(|| name.to_owned(), |space| format!("{space}/{name}"));
    let place_of = |name: &str| named(place, name);
    let Some(kind) = at.text_of("kind") else { return };
    match kind {
        list if list.ends_with("List") => match depth.checked_sub(1) {
            Some(depth) => at.list("items").iter().for_each(|item| resource(place, item, depth, others, found)),
            None => found.leave_out(place_of("a list"), "there are too many lists within each other"),
        },
        "Secret" => secret(place_of(&name), at, others, found),
        "SealedSecret" => found.leave_out(
            place_of(&name),
            "it is sealed, and only the cluster can open it: import what `kubectl get secret -o yaml` prints there",
        ),
        "ExternalSecret" => found.leave_out(
            place_of(&name),
            "its certificate is elsewhere: import what `kubectl get secret -o yaml` prints for the Secret that it makes",
        ),
        "Certificate" => {
            let secret = at.text_of("spec.secretName").unwrap_or("NAME");
            let why = format!("its key is in a Secret: import what `kubectl get secret {secret} -o yaml` prints");
            found.leave_out(place_of(&name), why);
        }
        _ => *others = others.saturating_add(1),
    }
}

fn secret(place: String, at: &At<'_>, others: &mut usize, found: &mut Found) {
    let is_tls = at.text_of("type") == Some("kubernetes.io/tls");
    match (value(at, CHAIN), value(at, KEY)) {
        (Err(why), _) | (_, Err(why)) => found.leave_out(place, why),
        (Ok(Some(chain)), Ok(Some(key))) => found.take(FoundCertificate {
            place,
            resolver: None,
            names: Vec::new(),
            ca_server: None,
            chain_pem: String::from_utf8_lossy(chain.expose()).into_owned(),
            key_pem: key,
        }),
        (Ok(None), _) if is_tls => found.leave_out(place, format!("it has no {CHAIN}")),
        (Ok(Some(_)), Ok(None)) => found.leave_out(place, format!("it has no {KEY}")),
        _ => *others = others.saturating_add(1),
    }
}

/// A value; `None` for a missing or an empty one. `stringData` takes precedence over `data`, as in the cluster.
fn value(at: &At<'_>, key: &str) -> Result<Option<Secret>, String> {
    let of = |member: &str| at.get(member).and_then(|data| data.get(key));
    if let Some(text) = of("stringData") {
        let text = text.text().ok_or_else(|| format!("stringData: {key} is no text"))?;
        return Ok((!text.is_empty()).then(|| Secret::new(text.as_bytes().to_vec())));
    }
    let Some(text) = of("data") else { return Ok(None) };
    let text = text.text().ok_or_else(|| format!("data: {key} is no text"))?;
    let compact: String = text.split_ascii_whitespace().collect();
    let bytes = BASE64.decode(compact).map_err(|_| format!("data: {key} is not base64"))?;
    Ok((!bytes.is_empty()).then(|| Secret::new(bytes)))
}

fn named(place: &str, name: &str) -> String {
    if place.is_empty() { name.to_owned() } else { format!("{place}: {name}") }
}
