//! A rule as alternatives, each a list of conditions that all must hold: Envoy's routes have no `||` and no
//! parentheses.

use super::question::{Question, Tree};

/// Maximum number of alternatives of one rule, and of conditions in one of them: `(a || b) && (c || d) && …` doubles
/// with each pair. No rule written by hand comes near it.
pub(super) const MOST: usize = 1000;

/// A question, and the answer that is required.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Condition {
    pub(super) question: Question,
    pub(super) negated: bool,
}

/// All alternatives; `None` if there are more than [`MOST`].
pub(super) fn of(tree: &Tree) -> Option<Vec<Vec<Condition>>> {
    expand(tree, false)
}

fn expand(tree: &Tree, negated: bool) -> Option<Vec<Vec<Condition>>> {
    match (tree, negated) {
        (Tree::Ask(question), _) => Some(vec![vec![Condition { question: question.clone(), negated }]]),
        (Tree::Not(inner), _) => expand(inner, !negated),
        (Tree::Any(trees), false) | (Tree::All(trees), true) => {
            let mut all = Vec::new();
            for tree in trees {
                all.extend(expand(tree, negated)?);
                if all.len() > MOST {
                    return None;
                }
            }
            Some(all)
        }
        (Tree::All(trees), false) | (Tree::Any(trees), true) => {
            let mut all: Vec<Vec<Condition>> = vec![Vec::new()];
            for tree in trees {
                let further = expand(tree, negated)?;
                if all.len().saturating_mul(further.len()) > MOST {
                    return None;
                }
                let with =
                    |one: &Vec<Condition>, more: &Vec<Condition>| one.iter().chain(more).cloned().collect::<Vec<_>>();
                all = all.iter().flat_map(|one| further.iter().map(move |more| with(one, more))).collect();
                if all.iter().any(|conditions| conditions.len() > MOST) {
                    return None;
                }
            }
            Some(all)
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use config::rule::{Syntax, parse};

    use super::super::question::tree;
    use super::*;

    fn written(rule: &str) -> String {
        let tree = tree(&parse(rule, Syntax::V3).unwrap(), Syntax::V3).ok().unwrap();
        let condition = |condition: &Condition| {
            let Question::Path(path) = &condition.question else { panic!("{condition:?}") };
            format!("{}{}", if condition.negated { "!" } else { "" }, path.trim_start_matches('/'))
        };
        let all = of(&tree).unwrap();
        all.iter().map(|all| all.iter().map(condition).collect::<String>()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn negation_goes_inwards() {
        for (rule, expected) in [
            ("Path(`/a`) && (Path(`/b`) || Path(`/c`))", "ab ac"),
            ("!(Path(`/a`) && Path(`/b`))", "!a !b"),
            ("!(Path(`/a`) || !Path(`/b`)) || Path(`/c`)", "!ab c"),
            ("(Path(`/a`) || Path(`/b`)) && (Path(`/c`) || Path(`/d`))", "ac ad bc bd"),
        ] {
            assert_eq!(written(rule), expected, "{rule}");
        }
    }

    #[test]
    fn too_many_alternatives_are_none() {
        let rule = ["(Path(`/a`) || Path(`/b`))"; 11].join(" && ");
        assert_eq!(of(&tree(&parse(&rule, Syntax::V3).unwrap(), Syntax::V3).ok().unwrap()), None);
    }
}
