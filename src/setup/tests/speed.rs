//! Ten thousand routers, in every form of a file, right and wrong: nothing takes the square of their number.

#![allow(
    clippy::disallowed_methods,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test measures, and fails by panicking"
)]

mod common;

use std::fmt::Write;
use std::time::Duration;

use common::{read, yaml};
use setup::{SourceFile, Sources};

const ROUTERS: usize = 10_000;

/// `render` and `check` have a second for all. Reading takes 0.3 s of it on an idle machine, and up to twice as much where
/// others share the processor's cores.
const MOST: Duration = Duration::from_millis(800);

const STATIC: &str = "
entryPoints: {web: {address: ':80'}, websecure: {address: ':443', http: {tls: {certResolver: le}}}}
certificatesResolvers: {le: {acme: {email: ops@example.com, httpChallenge: {entryPoint: web}}}}
";

fn in_yaml(service: &str) -> String {
    let mut text = format!("{STATIC}http:\n  services:\n");
    for n in 0..ROUTERS {
        writeln!(text, "    s{n}: {{loadBalancer: {{servers: [{{url: 'http://10.0.0.1:8080'}}]}}}}").unwrap();
    }
    text.push_str("  routers:\n");
    for n in 0..ROUTERS {
        let rule = format!("Host(`a{n}.example.com`) && PathPrefix(`/{n}`)");
        writeln!(text, "    r{n}:\n      rule: {rule}\n      service: {service}{n}\n      middlewares: [a]").unwrap();
        text.push_str("      entryPoints:\n        - websecure\n      tls:\n        certResolver: le\n");
    }
    text
}

fn in_toml() -> String {
    let mut text = String::new();
    for n in 0..ROUTERS {
        writeln!(text, "[[http.services.s{n}.loadBalancer.servers]]\nurl = \"http://10.0.0.1:8080\"").unwrap();
        writeln!(text, "[http.routers.r{n}]\nrule = \"Host(`a{n}.example.com`) && PathPrefix(`/{n}`)\"").unwrap();
        writeln!(text, "service = \"s{n}\"\nmiddlewares = [\"a\"]\nentryPoints = [\"websecure\"]").unwrap();
        writeln!(text, "[http.routers.r{n}.tls]\ncertResolver = \"le\"").unwrap();
    }
    text
}

/// The least of three, in this thread's time on a processor: others use the machine too.
fn fastest(mut run: impl FnMut()) -> Duration {
    let mut once = || {
        let start = on_processor();
        run();
        on_processor() - start
    };
    (0..3).map(|_| once()).min().unwrap()
}

fn on_processor() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(text.split(' ').next().unwrap().parse().unwrap())
}

#[test]
fn ten_thousand_routers_are_read_in_a_moment() {
    let yaml_text = in_yaml("s");
    let from_yaml = yaml(&yaml_text);
    let mut with_toml = yaml(STATIC);
    with_toml.files.push(SourceFile { name: "dynamic.toml".into(), text: in_toml() });
    let setup = read(&from_yaml).setup;
    assert_eq!(setup.http_routers.len(), ROUTERS);
    assert_eq!(read(&with_toml).setup, setup);
    for (form, sources) in [("YAML", &from_yaml), ("TOML", &with_toml)] {
        let took = fastest(|| drop(read(sources)));
        println!("{form}: {took:?}");
        assert!(cfg!(debug_assertions) || took < MOST, "{form} took {took:?}");
    }
}

#[test]
fn ten_thousand_mistakes_take_no_longer() {
    let sources = yaml(&in_yaml("missing"));
    let took = fastest(|| {
        let mistakes = setup::read(&sources).unwrap_err();
        assert_eq!(mistakes.len(), 101);
        assert!(mistakes.last().unwrap().to_string().contains("9900 more mistakes"));
    });
    println!("{took:?}");
    assert!(cfg!(debug_assertions) || took < 3 * MOST, "{took:?}");
}

#[test]
fn ten_thousand_flags_take_no_longer() {
    let flags = (0..ROUTERS).map(|n| format!("--entryPoints.web{n}.address=:{}", n + 1)).collect();
    let sources = Sources { flags, ..yaml("certificatesResolvers: {}") };
    let took = fastest(|| {
        setup::read(&sources).unwrap_err();
    });
    println!("{took:?}");
    assert!(cfg!(debug_assertions) || took < MOST, "{took:?}");
}
