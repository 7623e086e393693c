//! Reading any input terminates, without a panic.

use proptest::prelude::*;
use setup::envoy::Options;
use setup::input::{file_provider, split_arguments};
use setup::into::{Wishes, add, infer};
use setup::{Bootstrap, Quick, SourceFile, Sources, read};

/// Pieces of configurations, so that more than the first character is reached.
fn piece() -> impl Strategy<Value = String> {
    let words = [
        "entryPoints",
        "web",
        "address",
        "':80'",
        "http",
        "routers",
        "rule",
        "Host(`a.example`)",
        "service",
        "tls",
        "certificatesResolvers",
        "le",
        "acme",
        "email",
        "a@example.com",
        "httpChallenge",
        "entryPoint",
        "tcp",
        "true",
        "loadBalancer",
        "servers",
        "url",
        "http://10.0.0.1",
        "providers",
        "file",
        "content",
        "ports",
        "env",
        "name",
        ": ",
        "\n",
        "\n  ",
        "\n    ",
        "- ",
        "[",
        "]",
        "{",
        "}",
        ", ",
        "&a ",
        "*a",
        "<<",
        "\"",
        "'",
        "|",
        "=",
        ".",
        "[[",
        "]]",
        "[0]",
        "{{",
        "}}",
        "#",
        "\t",
        "\u{0}",
        "\u{feff}",
        "\u{2028}",
        "1979-05-27",
        "1e400",
        ".nan",
        "~",
        "!!binary ",
    ];
    prop_oneof![8 => prop::sample::select(words.to_vec()).prop_map(str::to_owned), 1 => any::<String>()]
}

fn text() -> impl Strategy<Value = String> {
    prop::collection::vec(piece(), 0..40).prop_map(|pieces| pieces.concat())
}

fn name() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["a.yml", "a.toml", "a.json", "a", "{{"]).prop_map(str::to_owned)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(debug_assertions) { 300 } else { 2_000 }))]

    #[test]
    fn any_text_is_read_or_refused(
        (file, values, flags) in ((name(), text()), text(), prop::collection::vec(text(), 0..4)),
        environment in prop::collection::vec((text().prop_map(|name| format!("TRAEFIK_{name}")), text()), 0..4),
        (domains, upstream) in (prop::collection::vec(text(), 0..3), prop::option::of(text())),
        strict in any::<bool>(),
    ) {
        let arguments = split_arguments(flags.iter().map(|flag| format!("--{flag}")));
        let sources = Sources {
            files: vec![SourceFile { name: file.0, text: file.1 }],
            values: vec![SourceFile { name: "values.yaml".into(), text: values }],
            flags: flags.into_iter().chain(arguments.flags).collect(),
            environment,
            quick: Some(Quick { domains, upstream, ..Quick::default() }),
            bootstrap: None,
            strict,
            open: vec!["a".to_owned()],
        };
        let _ = file_provider(&sources);
        if let Err(mistakes) = read(&sources) {
            prop_assert!(!mistakes.is_empty());
            for mistake in mistakes {
                let line = mistake.to_string();
                prop_assert!(!line.contains(['\n', '\r', '\u{1b}']), "{line:?}");
            }
        }
    }

    #[test]
    fn a_variable_or_flag_alone_is_read_or_refused(name in "[a-zA-Z0-9_.\\[\\]]{0,60}", value in text()) {
        let flags = vec![format!("--entryPoints.{name}={value}")];
        let environment = vec![(format!("TRAEFIK_ENTRYPOINTS_{name}"), value)];
        // There is no resolver, so there is always a mistake.
        let (by_flag, by_variable) =
            (Sources { flags, ..Sources::default() }, Sources { environment, ..Sources::default() });
        prop_assert!(read(&by_flag).is_err());
        prop_assert!(read(&by_variable).is_err());
    }
}

const BOOTSTRAPS: [&str; 3] = [
    include_str!("../../../../tests/e2e/into/front-proxy.yaml"),
    include_str!("../../../../tests/e2e/into/sni-chains.yaml"),
    include_str!("../../../../tests/e2e/into/ext-authz.yaml"),
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(debug_assertions) { 60 } else { 1_000 }))]

    /// Lines that are lost, repeated or moved make bootstraps of every kind.
    #[test]
    fn any_bootstrap_is_added_to_or_refused(
        which in 0..3_usize,
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), 0..3_u8, 0..9_usize), 0..6),
        (replace_certificates, add_https, redirect) in (any::<bool>(), prop::option::of(443..445_u16), any::<bool>()),
    ) {
        let mut lines: Vec<String> = BOOTSTRAPS[which].lines().map(str::to_owned).collect();
        for (from, to, what, spaces) in edits {
            let (from, to) = (from.index(lines.len()), to.index(lines.len()));
            match what {
                0 if lines.len() > 1 => drop(lines.remove(from)),
                1 => lines.insert(to, lines[from].clone()),
                _ => lines[from] = format!("{}{}", " ".repeat(spaces), lines[from].trim_start()),
            }
        }
        let (text, wishes) = (lines.join("\n"), Wishes { replace_certificates, add_https, redirect, with_wildcards: true });
        let Ok(inferred) = infer("own.yaml", &text, &wishes) else { return Ok(()) };
        let bootstrap = Bootstrap {
            source: "own.yaml".to_owned(),
            entry_points: inferred.entry_points,
            certificates: inferred.certificates.iter().map(|names| names.join(",")).collect(),
            challenged: inferred.challenged,
            ..Bootstrap::default()
        };
        let quick = Quick { email: Some("a@b.example".to_owned()), dns: None, ..Quick::default() };
        let sources = Sources { bootstrap: Some(bootstrap), quick: Some(quick), ..Sources::default() };
        let Ok(reading) = read(&sources) else { return Ok(()) };
        if let Ok(added) = add("own.yaml", &text, &reading.setup, &Options::default(), &wishes) {
            prop_assert!(yaml::read(&added.text).is_ok(), "{}", added.text);
        }
    }
}
