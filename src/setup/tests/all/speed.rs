//! Ten thousand routers, in every form of a file, correct and wrong: nothing takes quadratic time.

use std::fmt::Write;
use std::time::Duration;

use crate::common::{read, yaml};
use rustix::time::{ClockId, clock_gettime};
use setup::{SourceFile, Sources};

const ROUTERS: usize = 10_000;

/// Maximum ratio of the times for the whole and for a tenth of it. Linear work takes ten times as long, and a
/// processor's caches and neighbours add to that; quadratic work takes a hundred times as long.
const MOST: u32 = 25;

/// Minimum time to measure: below, a clock's grain and constant costs count.
const LEAST: Duration = Duration::from_millis(2);

const STATIC: &str = "
entryPoints: {web: {address: ':80'}, websecure: {address: ':443', http: {tls: {certResolver: le}}}}
certificatesResolvers: {le: {acme: {email: ops@example.com, httpChallenge: {entryPoint: web}}}}
";

fn in_yaml(routers: usize, service: &str) -> String {
    let mut text = format!("{STATIC}http:\n  services:\n");
    for n in 0..routers {
        writeln!(text, "    s{n}: {{loadBalancer: {{servers: [{{url: 'http://10.0.0.1:8080'}}]}}}}").unwrap();
    }
    text.push_str("  routers:\n");
    for n in 0..routers {
        let rule = format!("Host(`a{n}.example.com`) && PathPrefix(`/{n}`)");
        writeln!(text, "    r{n}:\n      rule: {rule}\n      service: {service}{n}\n      middlewares: [a]").unwrap();
        text.push_str("      entryPoints:\n        - websecure\n      tls:\n        certResolver: le\n");
    }
    text
}

fn in_toml(routers: usize) -> String {
    let mut text = String::new();
    for n in 0..routers {
        writeln!(text, "[[http.services.s{n}.loadBalancer.servers]]\nurl = \"http://10.0.0.1:8080\"").unwrap();
        writeln!(text, "[http.routers.r{n}]\nrule = \"Host(`a{n}.example.com`) && PathPrefix(`/{n}`)\"").unwrap();
        writeln!(text, "service = \"s{n}\"\nmiddlewares = [\"a\"]\nentryPoints = [\"websecure\"]").unwrap();
        writeln!(text, "[http.routers.r{n}.tls]\ncertResolver = \"le\"").unwrap();
    }
    text
}

/// The shortest of three runs, in CPU time of this thread: others use the machine too.
fn fastest(mut run: impl FnMut()) -> Duration {
    let mut once = || {
        let start = on_processor();
        run();
        on_processor() - start
    };
    (0..3).map(|_| once()).min().unwrap()
}

fn on_processor() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.try_into().unwrap(), time.tv_nsec.try_into().unwrap())
}

/// Asserts that reading everything is linear, compared with a tenth of it in the same run.
fn is_linear(form: &str, run: impl Fn(usize) -> Duration) {
    let (tenth, whole) = (run(ROUTERS / 10).max(LEAST), run(ROUTERS));
    println!("{form}: {whole:?}, a tenth in {tenth:?}");
    assert!(whole < MOST * tenth, "{form} took {whole:?}, a tenth of it {tenth:?}");
}

#[test]
fn reading_routers_is_linear_in_every_form() {
    let toml = |routers| {
        let mut sources = yaml(STATIC);
        sources.files.push(SourceFile { name: "dynamic.toml".into(), text: in_toml(routers) });
        sources
    };
    let setup = read(&yaml(&in_yaml(ROUTERS, "s"))).setup;
    assert_eq!(setup.http_routers.len(), ROUTERS);
    assert_eq!(read(&toml(ROUTERS)).setup, setup);
    is_linear("YAML", |routers| {
        let sources = yaml(&in_yaml(routers, "s"));
        fastest(|| drop(read(&sources)))
    });
    is_linear("TOML", |routers| {
        let sources = toml(routers);
        fastest(|| drop(read(&sources)))
    });
}

#[test]
fn reading_mistakes_is_linear() {
    is_linear("mistakes", |routers| {
        let sources = yaml(&in_yaml(routers, "missing"));
        fastest(|| {
            let mistakes = setup::read(&sources).unwrap_err();
            assert_eq!(mistakes.len(), 101);
            let more = format!("{} more mistakes", routers - 100);
            assert!(mistakes.last().unwrap().to_string().contains(&more));
        })
    });
}

#[test]
fn reading_flags_is_linear() {
    is_linear("flags", |routers| {
        let flags = (0..routers).map(|n| format!("--entryPoints.web{n}.address=:{}", n + 1)).collect();
        let sources = Sources { flags, ..yaml("certificatesResolvers: {}") };
        fastest(|| {
            setup::read(&sources).unwrap_err();
        })
    });
}
