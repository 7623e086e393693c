//! Finds Go templates, which Traefik runs in dynamic files and Helm in values. They are not run here, and a text with a
//! template is never used as a value.

use serde_json::Value;

use super::document::position;
use super::mistake::{InputReport, Mistake, wrong};
use super::sources::SourceFile;

const FOUND: &str = "a template, {{ … }}";
const EXPECTED: &str = "plain text: templates are not run; write the result, or pass it as a flag or variable";

/// The first template in a file, outside of comments.
pub(crate) fn first(file: &SourceFile) -> Option<Mistake> {
    let mut from = 0;
    for line in file.text.split_inclusive('\n') {
        let code = line
            .find(|c: char| !c.is_whitespace())
            .filter(|start| !line.get(*start..).is_some_and(|code| code.starts_with('#')));
        let start = code.and_then(|_| line.find("{{")).filter(|start| {
            // A comment after a value.
            line.get(..*start).is_some_and(|before| !before.contains(" #"))
        });
        // A template ends on its line; otherwise the braces are something else, such as nested objects.
        if let Some(start) = start.filter(|start| line.get(*start..).is_some_and(|rest| rest.contains("}}"))) {
            let mistake = wrong("configuration", FOUND, EXPECTED);
            return Some(Mistake {
                source: Some(file.name.clone()),
                position: Some(position(&file.text, from + start)),
                mistake,
            });
        }
        from += line.len();
    }
    None
}

/// Reports the templates in supported values; values for Kubernetes objects may be full of them.
pub(crate) fn in_values(source: &str, values: &Value, report: &mut InputReport) {
    let mut open: Vec<(String, &Value)> = vec![(String::new(), values)];
    while let Some((path, value)) = open.pop() {
        match value {
            Value::String(text) if text.contains("{{") && path != "providers.file.content" => {
                let mistake = wrong(&path, FOUND, EXPECTED);
                report.push(Mistake { source: Some(source.to_owned()), position: None, mistake });
            }
            Value::Array(items) => {
                open.extend(items.iter().enumerate().map(|(index, item)| (format!("{path}[{index}]"), item)));
            }
            Value::Object(members) => open.extend(members.iter().map(|(key, value)| {
                let key = config::shortened(key);
                (if path.is_empty() { key } else { format!("{path}.{key}") }, value)
            })),
            _ => {}
        }
    }
}
