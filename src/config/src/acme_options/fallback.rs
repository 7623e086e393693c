//! `fallback`: the resolvers whose CAs are used when this one's can't issue. Only a resolver's own list is followed, so
//! two resolvers may name each other.

use super::super::mistake::{Mistake, listed, nearest};
use super::super::node::Table;

/// The names of other resolvers, without repetitions, the most preferred first. `names` are those of all resolvers.
pub(super) fn read(acme: &mut Table<'_>, own: &str, names: &[String], mistakes: &mut Vec<Mistake>) -> Vec<String> {
    let mut fallback: Vec<String> = Vec::new();
    let Some(node) = acme.take("fallback") else { return fallback };
    for node in node.items("a list of other resolvers", mistakes) {
        let Some(name) = node.text("the name of another resolver", mistakes) else { continue };
        let others = names.iter().map(String::as_str).filter(|other| *other != own);
        if name == own {
            let (found, expected) = ("the resolver itself".to_owned(), "another resolver");
            mistakes.push(Mistake { found, ..node.mistake(expected) });
        } else if fallback.contains(&name) {
            let expected = "each resolver once";
            mistakes.push(node.mistake(expected));
        } else if names.contains(&name) {
            fallback.push(name);
        } else {
            let expected = match others.clone().next() {
                None => "another resolver, but there is none in certificatesResolvers".to_owned(),
                Some(_) => format!("one of the other resolvers {}", listed(others.clone())),
            };
            mistakes.push(Mistake { nearest: nearest(&name, others), ..node.mistake(&expected) });
        }
    }
    fallback
}
