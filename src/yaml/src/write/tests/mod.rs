//! Texts of every kind: each reader reads the value that was written.

#[cfg(not(target_arch = "wasm32"))]
mod properties;

use serde_json::{Map, json};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::*;

#[test]
fn a_name_in_a_comment_cannot_add_a_cluster() {
    let mut cluster = json!({ "name": "a" });
    comment(&mut cluster, "The service x\r  - name: injected\u{85}  - name: injected\u{2028}- name: injected.");
    let text = write(&json!({ "clusters": [cluster] }), &TESTED);
    let expected = r"# The service x\u000d  - name: injected\u0085  - name: injected\u2028- name: injected.";
    assert_eq!(text, format!("clusters:\n{expected}\n- name: a\n"));
}

#[test]
fn comments_stand_above_and_small_things_on_one_line() {
    let mut listener = json!({ "name": "web", "address": { "socket_address": { "port_value": 80 } },
        "filter_chains": [{ "filters": ["x".repeat(99), "b"] }] });
    comment(&mut listener, "First.\n\nSecond.");
    let text = write(&json!({ "listeners": [listener, {}] }), &TESTED);
    let long = "x".repeat(99);
    let expected = format!(
        "listeners:\n# First.\n#\n# Second.\n- name: web\n  address: {{ socket_address: {{ port_value: 80 }} }}\n  \
         filter_chains:\n  - filters:\n    - {long}\n    - b\n- {{}}\n"
    );
    assert_eq!(text, expected);
}

#[test]
fn what_is_the_same_is_written_once() {
    let secret = |name: &str| json!({ "name": name, "sds_config": { "a": 1 } });
    let text = write(&json!([secret("a"), secret("b"), { "sds_config": { "a": 2 } }]), &TESTED);
    let expected = "- name: a\n  sds_config: &sds_config { a: 1 }\n- name: b\n  sds_config: *sds_config\n- \
                    { sds_config: { a: 2 } }\n";
    assert_eq!(text, expected);
}

#[test]
fn what_stands_for_another_is_written_like_it() {
    let whole = json!([{ "sds_config": { "a": 1 } }, { "sds_config": same("sds_config") }]);
    assert_eq!(write(&whole, &TESTED), "- sds_config: &sds_config { a: 1 }\n- sds_config: *sds_config\n");
    let mut plain_whole = whole;
    plain(&mut plain_whole, &TESTED);
    assert_eq!(plain_whole, json!([{ "sds_config": { "a": 1 } }, { "sds_config": { "a": 1 } }]));
}

#[test]
fn a_text_is_read_as_that_text() {
    let texts = [
        "",
        "a",
        "no",
        "NULL",
        "1",
        "1.5",
        "1e3",
        "0x1f",
        "-",
        "- a",
        "a: b",
        "a:",
        "#",
        "a #b",
        "'",
        "\"",
        "\\",
        "*",
        "&a",
        "!x",
        "%",
        "@a",
        "`",
        "{}",
        "[",
        "~",
        "\n",
        "a\nb",
        "a\nb\n",
        " a\n",
        "\ta\n",
        "a\n\nb\n",
        "\u{7f}",
        "127.0.0.1",
        "0.05s",
        "1s",
        "1_000",
        "é",
        "/.well-known/",
        "outbound|443||a.b",
        "::1",
        "2026-11-24",
        "\u{85}a",
        "=",
        "<<",
        "?",
        "a\r\n",
        "12:30:45",
        "0o7",
        ".inf",
        ".5",
        "\u{2028}",
    ];
    let entry = |text: &&str| ((*text).to_owned(), json!({ "k": text, "l": [text] }));
    let map: Map<String, Value> = texts.iter().map(entry).collect();
    let value = json!({ "list": texts.as_slice(), "map": map });
    let read: Value = serde_saphyr::from_str(&write(&value, &TESTED)).unwrap();
    assert_eq!(read, value);
}
