//! The shipped configuration in an older Envoy: changed as its comments say.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

use anyhow::{Context, Result};
use serde_json::Value;

/// The minor versions of the binaries that were asked, since each test asks for its Envoy's.
static KNOWN: Mutex<BTreeMap<PathBuf, u32>> = Mutex::new(BTreeMap::new());

/// The minor version of an Envoy 1.x binary.
///
/// # Errors
/// When it does not say.
pub fn minor(envoy: &Path) -> Result<u32> {
    if let Ok(known) = KNOWN.lock()
        && let Some(minor) = known.get(envoy)
    {
        return Ok(*minor);
    }
    let minor = ask(envoy)?;
    if let Ok(mut known) = KNOWN.lock() {
        known.insert(envoy.to_owned(), minor);
    }
    Ok(minor)
}

fn ask(envoy: &Path) -> Result<u32> {
    let output = Command::new(envoy).arg("--version").output().with_context(|| envoy.display().to_string())?;
    let said = String::from_utf8(output.stdout)?;
    let minor = said.split_once("/1.").and_then(|(_, behind)| behind.split('.').next()?.parse().ok());
    minor.with_context(|| format!("{} says {said:?}", envoy.display()))
}

/// Adapts a configuration for the newest Envoy to this one.
pub(crate) fn fit(value: &mut Value, minor: u32) {
    match value {
        Value::Object(table) => {
            let vm = table.get_mut("vm_config").and_then(Value::as_object_mut).filter(|_| minor < 40);
            if let Some(capabilities) = vm.and_then(|vm| vm.remove("capability_restriction_config")) {
                table.insert("capability_restriction_config".to_owned(), capabilities);
            }
            if minor < 37 && table.contains_key("filter_chains") {
                table.remove("tcp_keepalive");
            }
            table.values_mut().for_each(|value| fit(value, minor));
        }
        Value::Array(items) => items.iter_mut().for_each(|item| fit(item, minor)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
