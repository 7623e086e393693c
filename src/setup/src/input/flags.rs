//! Traefik's command line: `--certificatesresolvers.le.acme.email=…`, in any case, with one dash or two.

use config::shortened;
use serde_json::Value;

use super::flat::{Tree, shape_of};
use super::mistake::{InputReport, Mistake, wrong};
use super::shape::{CONFIGURATION, Shape};

/// Name of the source in mistakes about flags.
pub(crate) const SOURCE: &str = "flags";

/// Traefik's flag for the path of its static configuration.
const CONFIG_FILE: &str = "configfile";

/// The arguments of a command line, separated by kind.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Arguments {
    /// Traefik's flags, each as `--name=value`.
    pub flags: Vec<String>,
    /// The values of Traefik's `--configFile`.
    pub config_files: Vec<String>,
    /// All other arguments, in their order.
    pub others: Vec<String>,
}

/// Finds Traefik's flags among the arguments of a command line. As in Traefik, a flag for a boolean or an object needs
/// no value, and the value of any other flag may be the next argument. Arguments after `--` are never Traefik's.
pub fn split(arguments: impl IntoIterator<Item = String>) -> Arguments {
    let mut sorted = Arguments::default();
    let mut arguments = arguments.into_iter().peekable();
    while let Some(argument) = arguments.next() {
        if argument == "--" {
            sorted.others.push(argument);
            sorted.others.extend(arguments);
            break;
        }
        let Some(name) = name_of(&argument) else {
            sorted.others.push(argument);
            continue;
        };
        let value = match argument.split_once('=') {
            Some((_, value)) => Some(value.to_owned()),
            None if takes_value(&name) => arguments.next_if(|next| !next.starts_with("--")),
            None => Some("true".to_owned()),
        };
        match value {
            Some(value) if name.eq_ignore_ascii_case(CONFIG_FILE) => sorted.config_files.push(value),
            Some(value) => sorted.flags.push(format!("--{name}={value}")),
            None => sorted.flags.push(format!("--{name}")),
        }
    }
    sorted
}

/// The name of a flag, if it is one of Traefik's.
fn name_of(argument: &str) -> Option<String> {
    let name = argument.strip_prefix("--").or_else(|| argument.strip_prefix('-'))?;
    let name = name.split('=').next().unwrap_or(name);
    let root = name.split(['.', '[']).next().unwrap_or(name);
    let is_ours = matches!(&*CONFIGURATION, Shape::Table(table) if table.field(root).is_some());
    (is_ours || name.eq_ignore_ascii_case(CONFIG_FILE)).then(|| name.to_owned())
}

fn takes_value(name: &str) -> bool {
    if name.eq_ignore_ascii_case(CONFIG_FILE) {
        return true;
    }
    match shape_of(&keys(name)) {
        Some(Shape::Flag | Shape::Table(_) | Shape::Names(_)) => false,
        // Of the unknown flags, only `--log.level DEBUG` takes a next argument; `--api.insecure` has none.
        Some(Shape::LeftOut { .. }) => false,
        _ => true,
    }
}

fn keys(name: &str) -> Vec<&str> {
    name.split('.').flat_map(|part| part.split_inclusive('[').map(|key| key.trim_end_matches('['))).collect()
}

/// The tree of all flags. Their values are never shown: any may be a secret.
pub(crate) fn tree(flags: &[String], report: &mut InputReport) -> Value {
    let mut tree = Tree::default();
    for flag in flags {
        let text = flag.trim_start_matches('-');
        let (name, value) = match text.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None if takes_value(text) => (text, None),
            None => (text, Some("true".to_owned())),
        };
        let path = shortened(name);
        let clash = match value {
            _ if !flag.starts_with('-') => Some(wrong(
                "flags",
                "an argument that is no flag",
                "flags of Traefik's, as --entryPoints.web.address=:80",
            )),
            None => Some(wrong(&path, "a flag without a value", "--name=value")),
            Some(value) => tree.put(name, &value).err().map(|clash| wrong(&path, clash.found, clash.expected)),
        };
        if let Some(mistake) = clash {
            report.push(Mistake { source: Some(SOURCE.to_owned()), position: None, mistake });
        }
    }
    tree.into_value()
}
