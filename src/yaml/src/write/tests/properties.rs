//! Random texts in comments and values.

use proptest::prelude::*;
use serde_json::{Map, json};

use super::super::*;

/// Characters that some reader takes for a line break, or refuses.
const ODD: [char; 13] = [
    '\r', '\n', '\u{85}', '\u{2028}', '\u{2029}', '\u{b}', '\u{c}', '\0', '\u{1b}', '\u{feff}', '\u{fffe}', '\u{ffff}',
    '\t',
];

proptest! {
    #[test]
    fn no_comment_changes_what_is_read(
        comments in prop::collection::vec(
            prop::collection::vec(prop_oneof![prop::sample::select(ODD.to_vec()), any::<char>(), prop::sample::select(vec!['-', ' ', ':', '#', 'a'])], 0..20),
            3,
        ),
        length in 0..150_usize,
    ) {
        let meant = json!({ "clusters": [{ "name": "x".repeat(length) }, {}], "admin": { "a": { "b": 1 } } });
        let mut marked = meant.clone();
        for (place, text) in ["/clusters/0", "/clusters/1", "/admin"].into_iter().zip(&comments) {
            comment(marked.pointer_mut(place).unwrap(), &text.iter().collect::<String>());
        }
        let text = write(&marked, &TESTED);
        prop_assert_eq!(serde_saphyr::from_str::<Value>(&text).unwrap(), meant);
        // No reader breaks a line where another does not, or finds a character that it refuses.
        prop_assert!(!text.chars().any(|c| c != '\n' && ODD.contains(&c)), "{:?}", text);
    }

    #[test]
    fn whatever_is_written_verbatim_is_read_as_it_is(
        keys in prop::collection::vec(prop_oneof![Just("#".to_owned()), Just("*".to_owned()), Just("code".to_owned()), any::<String>()], 0..5),
        texts in prop::collection::vec(any::<String>(), 5),
    ) {
        let map: Map<String, Value> = keys.into_iter().zip(texts).map(|(key, text)| (key, json!(text))).collect();
        let value = json!({ "code": map, "more": [map, { "code": map }] });
        let text = write_beside(&value, &TESTED, &mut BTreeSet::new());
        prop_assert_eq!(serde_saphyr::from_str::<Value>(&text).unwrap(), value);
    }
}
