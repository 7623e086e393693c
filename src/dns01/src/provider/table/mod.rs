//! The table of all supported providers: a row each.
//!
//! Codes, variables, aliases and defaults are those of lego, <https://go-acme.github.io/lego/dns/>. If one of lego's
//! variables is not supported, the row refuses it: ignoring the variable would do something else than the user asked
//! for.

mod appliances;
mod clouds;
mod hosters_a_to_h;
mod hosters_i_to_z;
mod own;
mod row;
mod single_value;

pub(super) use row::{Api, Holds, Means, Need, Row, Tried, Variable};

static TABLES: [&[Row]; 6] =
    [appliances::ROWS, clouds::ROWS, hosters_a_to_h::ROWS, hosters_i_to_z::ROWS, own::ROWS, single_value::ROWS];

/// All rows, in no particular order.
pub(super) fn rows() -> impl Iterator<Item = &'static Row> {
    TABLES.iter().copied().flatten()
}

/// The row with this code.
pub(super) fn row(code: &str) -> Option<&'static Row> {
    rows().find(|row| row.code == code || row.aliases.contains(&code))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_code_is_there_once() {
        let mut codes = BTreeSet::new();
        for row in rows() {
            for code in row.aliases.iter().chain([&row.code]) {
                assert!(codes.insert(*code), "{code}");
                assert!(code.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'), "{code}");
            }
        }
        assert!(codes.len() >= 70, "{}", codes.len());
    }

    #[test]
    fn every_row_is_whole() {
        for row in rows() {
            let names = |variable: &'static Variable| variable.names.iter().chain(variable.paths);
            assert!(!row.name.is_empty() && !row.prefixes.is_empty() && !row.variables.is_empty(), "{}", row.code);
            let all: Vec<&str> = row.variables.iter().flat_map(names).copied().collect();
            assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len(), "{}: {all:?}", row.code);
            assert!(all.iter().all(|name| !name.ends_with("_FILE")), "{}: {all:?}", row.code);
            for name in row.one_of.iter().copied().flatten() {
                assert!(row.variables.iter().any(|variable| variable.name() == *name), "{}: {name}", row.code);
            }
            for refused in row.refused {
                assert!(!all.contains(&refused.name), "{}: {}", row.code, refused.name);
            }
        }
    }
}
