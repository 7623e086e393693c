//! Texts of every kind: values, positions and lines.

#![allow(clippy::string_slice, reason = "a test fails by panicking")]

use std::rc::Rc;

use serde_json::json;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::*;

const TEXT: &str =
    "a: 1\nb:\n- x: 1 # first\n  y: [1, 2]\n-   z\nc: |\n  text\n\nfilter_chains:\n  \"f.g\": { h: 80 }\n";

fn one(text: &str) -> Rc<Node> {
    read(text).unwrap().remove(0)
}

#[test]
fn a_value_is_found_with_its_path_and_its_line() {
    let node = one(TEXT);
    let top = At::top("a.yaml", &node);
    let y = top.list("b")[0].get("y").unwrap();
    assert_eq!((y.path.as_str(), y.line), ("b[0].y", 4));
    assert_eq!(&TEXT[y.node.start..y.node.end], "[1, 2]");
    let b = top.get("b").unwrap();
    assert_eq!(&TEXT[b.node.start..b.node.end], "x: 1 # first\n  y: [1, 2]\n-   z");
    assert!(b.node.block && !y.node.block);
    assert_eq!(top.text_of("c"), Some("text\n"));
}

#[test]
fn a_field_of_protobuf_has_two_names() {
    let node = one("filterChains: [{ use_proxy_proto: true }]\nadmin: ~\n");
    let top = At::top("", &node);
    assert_eq!(top.list("filter_chains")[0].flag_of("use_proxy_proto"), Some(true));
    assert!(top.get("admin").is_none());
}

#[test]
fn the_line_of_a_path_is_that_of_what_is_nearest_to_it() {
    let node = one(TEXT);
    let top = At::top("", &node);
    for (path, line) in
        [("a", 1), ("b", 2), ("b[0].y[1]", 4), ("b[1]", 5), ("b[7].q", 2), ("filter_chains.f.g.h", 10), ("q.r", 1)]
    {
        assert_eq!(top.line_of(path), line, "{path}");
    }
}

#[test]
fn an_alias_is_what_its_anchor_is() {
    let node = one("a: &x { b: 1 }\nc: *x\n");
    assert_eq!(node.value(), Some(json!({ "a": { "b": 1 }, "c": { "b": 1 } })));
}

#[test]
fn json_is_read_as_well() {
    let node = one("{\n\t\"a\": [1, -2.5, true, null, \"1\", \"\\u00e9\\/\"],\n\t\"b\": {}\n}");
    assert_eq!(node.value(), Some(json!({ "a": [1, -2.5, true, null, "1", "é/"], "b": {} })));
}

#[test]
fn every_document_is_read() {
    assert_eq!(read("a: 1\n---\nb: 2\n").unwrap().len(), 2);
    assert_eq!(read("").unwrap(), []);
}

#[test]
fn what_is_no_tree_is_refused_with_its_line() {
    for (text, line, what) in [
        ("a: [1", 1, "YAML"),
        ("a: 1\nb: 2\na: 3\n", 3, "the key a is duplicated"),
        ("a: 1\n[x]: 2\n", 2, "a key is"),
        ("a: &x [*x]", 1, "inside its own anchor"),
        ("a: *x", 1, "YAML"),
        (&format!("{}{}", "[".repeat(101), "]".repeat(101)), 1, "more than 100"),
        ("a:\n\t- b", 2, "YAML"),
    ] {
        let broken = read(text).unwrap_err();
        assert!(broken.what.contains(what) && broken.line == Some(line), "{text}: {broken}");
    }
}

#[test]
fn aliases_of_aliases_never_grow_without_end() {
    let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        let below = format!("*a{}, ", level - 1).repeat(10);
        text.push_str(&format!("a{level}: &a{level} [{below}]\n"));
    }
    assert_eq!(one(&text).value(), None);
}
