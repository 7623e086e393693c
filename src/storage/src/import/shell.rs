//! Settings files in shell syntax, acme.sh's and dehydrated's: `KEY='value'` on a line.
//!
//! Refuses to be a shell: a value with an expansion (`$HOME`) doesn't count.

use std::path::Path;

use super::tree::{MAX_FILE_BYTES, read_file};

/// A setting's value: the last one counts.
pub fn value(text: &str, key: &str) -> Option<String> {
    let of_line = |line: &str| {
        let line = line.trim();
        let line = line.strip_prefix("export ").unwrap_or(line);
        let value = line.strip_prefix(key)?.strip_prefix('=')?;
        unquoted(value.trim())
    };
    text.lines().filter_map(of_line).next_back()
}

fn unquoted(value: &str) -> Option<String> {
    if let Some(inner) = value.strip_prefix('\'') {
        return inner.split('\'').next().map(str::to_owned);
    }
    let plain = match value.strip_prefix('"') {
        Some(inner) => inner.split('"').next().unwrap_or_default(),
        None => value.split_whitespace().next().unwrap_or_default(),
    };
    (!plain.contains(['$', '`', '\\'])).then(|| plain.to_owned())
}

/// A file's text, if it can be read and is not too large.
pub(super) fn read_lenient(path: &Path) -> Option<String> {
    let content = read_file(path, MAX_FILE_BYTES).ok()?;
    Some(String::from_utf8_lossy(&content.bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_value_of_a_setting_counts_and_quotes_are_not_part_of_it() {
        let text = "A='one'\nA='two' # more\n#A=three\nexport B=\"b c\"\nC=c # d\nAB=x\nD=$HOME/x\nE=\n";
        let read = |key| value(text, key);
        assert_eq!(read("A").as_deref(), Some("two"));
        assert_eq!((read("B").as_deref(), read("C").as_deref()), (Some("b c"), Some("c")));
        assert_eq!((read("D"), read("E").as_deref(), read("F")), (None, Some(""), None));
    }
}
