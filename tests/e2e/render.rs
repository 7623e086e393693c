//! The output of `envoy-autocert render` for Traefik's configuration, in a real Envoy: certificates are issued, and
//! each request goes where Traefik would send it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use harness::http::{Endpoint, Reply};
use harness::tls::{Roots, handshake};
use harness::{
    Backend, Bootstrap, Envoy, EnvoyOptions, PebbleOptions, Sidecar, SidecarOptions, Stage, Testbed, TestbedOptions,
    artifacts, ports,
};
use http_body_util::Full;
use hyper::Request;
use hyper::body::Bytes;
use serde_json::Value;

use crate::PATIENCE;

/// The configuration of a user of Traefik.
fn traefik(stage: &Stage, plain: u16, backends: &[Backend; 3]) -> String {
    let [a, b, c] = backends.each_ref().map(Backend::address);
    let web = stage.place.web;
    let websecure = stage.place.websecure;
    let pebble = stage.pebble.port();
    let directory = stage.pebble.directory();
    let root = stage.place.authority.root.display().to_string();
    format!(
        "
entryPoints:
  web:
    address: 127.0.0.1:{web}
    http: {{redirections: {{entryPoint: {{to: websecure, scheme: https}}}}}}
  websecure: {{address: '127.0.0.1:{websecure}'}}
  plain: {{address: '127.0.0.1:{plain}'}}
certificatesResolvers:
  le:
    acme:
      email: ops@site.example
      caServer: {directory}
      caCertificates: [{root}]
      keyType: EC256
      httpChallenge: {{entryPoint: web}}
http:
  routers:
    site:
      rule: Host(`site.example`) || Host(`www.site.example`)
      entryPoints: [websecure]
      service: a
      tls: {{certResolver: le}}
    api:
      rule: Host(`site.example`) && PathPrefix(`/api`) && !Path(`/api/private`)
      entryPoints: [websecure]
      service: b
      tls: {{certResolver: le}}
    write:
      rule: Host(`site.example`) && Method(`POST`) && !Header(`X-Read-Only`, `yes`)
      priority: 50
      entryPoints: [websecure]
      service: c
      tls: {{certResolver: le}}
    second:
      rule: Host(`www.site.example`) && Query(`v`, `2`)
      priority: 60
      entryPoints: [websecure]
      service: b
      tls: {{certResolver: le}}
    many:
      rule: HostRegexp(`^[a-z]+\\.many\\.example$`)
      entryPoints: [websecure]
      service: c
      tls: {{}}
    modern:
      rule: Host(`modern.example`)
      entryPoints: [websecure]
      service: c
      tls: {{certResolver: le, options: modern}}
    plain: {{rule: Host(`site.example`), entryPoints: [plain], service: a}}
    local: {{rule: ClientIP(`127.0.0.0/8`) && Path(`/local`), priority: 99, entryPoints: [plain], service: b}}
    foreign: {{rule: '!ClientIP(`127.0.0.0/8`)', priority: 98, entryPoints: [plain], service: c}}
  services:
    a: {{loadBalancer: {{servers: [{{url: 'http://{a}'}}]}}}}
    b: {{loadBalancer: {{servers: [{{url: 'http://{b}'}}]}}}}
    c: {{loadBalancer: {{passHostHeader: false, servers: [{{url: 'http://{c}'}}]}}}}
tcp:
  routers:
    through: {{rule: HostSNI(`localhost`), entryPoints: [websecure], service: ca, tls: {{passthrough: true}}}}
  services:
    ca: {{loadBalancer: {{servers: [{{address: '127.0.0.1:{pebble}'}}]}}}}
tls:
  options:
    modern: {{minVersion: VersionTLS13}}
"
    )
}

/// Runs `envoy-autocert render`, and returns its stderr.
fn render(stage: &Stage, configuration: &Path, output: &Path) -> Result<String> {
    render_as("bootstrap", stage, configuration, output)
}

fn render_as(format: &str, stage: &Stage, configuration: &Path, output: &Path) -> Result<String> {
    let done = Command::new(artifacts::sidecar()?)
        .args(["render", "--admin", "127.0.0.1:0", "--format", format, "--config"])
        .arg(configuration)
        .arg("--output")
        .arg(output)
        .arg("--plugin")
        .arg(artifacts::wasm()?)
        .arg("--api-socket")
        .arg(stage.place.file("run/api.sock"))
        .arg("--sds-socket")
        .arg(stage.place.file("run/sds.sock"))
        .output()?;
    let told = String::from_utf8_lossy(&done.stderr).into_owned();
    ensure!(done.status.success(), "render: {told}");
    Ok(told)
}

/// A request: entry point, `Host`, method, path, a header; and the expected response.
type Case = (Entry, &'static str, &'static str, &'static str, Option<(&'static str, &'static str)>, Expected);

#[derive(Clone, Copy, Debug)]
enum Entry {
    Plain,
    Tls,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expected {
    /// The backend of this index.
    Backend(usize),
    /// A status, from Envoy itself.
    Status(u16),
}

const A: Expected = Expected::Backend(0);
const B: Expected = Expected::Backend(1);
const C: Expected = Expected::Backend(2);
const NONE: Expected = Expected::Status(404);

const CASES: [Case; 25] = {
    use Entry::{Plain, Tls};
    [
        (Tls, "site.example", "GET", "/", None, A),
        (Tls, "SITE.example.:8443", "GET", "/", None, A),
        (Tls, "site.example", "GET", "/api", None, B),
        (Tls, "site.example", "GET", "/apis/1?x=y", None, B),
        (Tls, "site.example", "GET", "/api/private", None, A),
        (Tls, "site.example", "GET", "/api/private?x=1", None, A),
        (Tls, "site.example", "GET", "/api/private/x", None, B),
        (Tls, "site.example", "GET", "/x/../api/1", None, B),
        (Tls, "site.example", "POST", "/", None, C),
        (Tls, "site.example", "POST", "/", Some(("x-read-only", "no")), C),
        (Tls, "site.example", "POST", "/", Some(("x-read-only", "yes")), A),
        (Tls, "site.example", "POST", "/api", None, B),
        (Tls, "www.site.example", "GET", "/api", None, A),
        (Tls, "www.site.example", "GET", "/?v=2", None, B),
        (Tls, "www.site.example", "GET", "/?w=1&v=2&v=3", None, B),
        (Tls, "www.site.example", "GET", "/?v=20", None, A),
        (Tls, "abc.many.example:443", "GET", "/", None, C),
        (Tls, "a1.many.example", "GET", "/", None, NONE),
        (Tls, "other.example", "GET", "/", None, NONE),
        (Tls, "modern.example", "GET", "/", None, Expected::Status(421)),
        (Plain, "site.example", "GET", "/api", None, A),
        (Plain, "other.example", "GET", "/local?x", None, B),
        (Plain, "other.example", "GET", "/", None, NONE),
        (Plain, "www.site.example", "GET", "/", None, NONE),
        (Plain, "site.example", "POST", "/local", None, B),
    ]
};

#[test]
fn a_traefik_configuration_runs_in_envoy() -> Result<()> {
    let stage = Stage::new("render", &PebbleOptions::default())?;
    let backend = || Backend::start(([127, 0, 0, 1], 0).into());
    let backends = [backend()?, backend()?, backend()?];
    let plain = ports::free()?;
    let configuration = stage.place.file("traefik.yml");
    let output = stage.place.file("rendered.yaml");
    fs::write(&configuration, traefik(&stage, plain, &backends))?;
    let told = render(&stage, &configuration, &output)?;
    ensure!(told.contains("Start the sidecar: envoy-autocert sidecar --storage acme.json --api-socket"), "{told}");
    let text = fs::read_to_string(&output)?;
    render(&stage, &configuration, &output)?;
    ensure!(fs::read_to_string(&output)? == text, "rendered twice, it is not the same");
    // Envoy's own YAML parser accepts it.
    Envoy::validate(&output, &stage.place.file("validate.log"))?;

    let mut bootstrap = Bootstrap::shipped()?;
    *bootstrap.value() = serde_saphyr::from_str(&text).context("the rendered bootstrap")?;
    let Stage { pebble, dns, place } = stage;
    let sidecar = Sidecar::start(&place, SidecarOptions::default())?;
    let envoy = Envoy::start(&place, &mut bootstrap, EnvoyOptions::default())?;
    let mut testbed = Testbed { envoy, sidecar, pebble, dns, place };

    for (name, names) in
        [("site.example", vec!["site.example", "www.site.example"]), ("modern.example", vec!["modern.example"])]
    {
        let served = testbed.served(name, PATIENCE)?;
        ensure!(served.names.iter().any(|served| names.contains(&served.as_str())), "{name}: {served:?}");
    }
    testbed.served("www.site.example", PATIENCE)?;
    routes(&testbed, plain, &backends)?;
    redirects(&testbed)?;
    passes_through(&testbed)?;
    Ok(())
}

/// Checks that each request reaches its backend, and no other.
fn routes(testbed: &Testbed, plain: u16, backends: &[Backend; 3]) -> Result<()> {
    let roots = testbed.pebble.roots()?;
    for (index, (entry, host, method, path, header, expected)) in CASES.into_iter().enumerate() {
        let endpoint = match entry {
            Entry::Plain => Endpoint::Tcp(([127, 0, 0, 1], plain).into()),
            Entry::Tls => Endpoint::Tls {
                address: testbed.place.websecure_address(),
                name: "site.example".to_owned(),
                roots: roots.clone(),
            },
        };
        let mark = format!("case-{index}");
        let mut request = Request::builder().method(method).uri(path).header("host", host).header("x-case", &mark);
        request = request.header("x-forwarded-for", "192.0.2.1");
        if let Some((name, value)) = header {
            request = request.header(name, value);
        }
        let reply = endpoint.send(request.body(Full::<Bytes>::default())?)?;
        let reached: Vec<usize> = (0..backends.len())
            .filter(|index| backends[*index].requests().iter().any(|request| request.contains(&format!("{mark}\r\n"))))
            .collect();
        let found = match reached.as_slice() {
            [] => Expected::Status(reply.status),
            [one] => Expected::Backend(*one),
            several => anyhow::bail!("{method} {host}{path} reached the backends {several:?}"),
        };
        ensure!(found == expected, "{entry:?} {method} {host}{path} {header:?}: {found:?}, expected {expected:?}");
        forwards(&reply, found, host, backends)?;
    }
    Ok(())
}

/// Checks the header fields that tell a server of its client. The backends answer with the request.
fn forwards(reply: &Reply, found: Expected, host: &str, backends: &[Backend; 3]) -> Result<()> {
    let Expected::Backend(index) = found else { return Ok(()) };
    let head = reply.text();
    ensure!(head.contains("x-forwarded-for: 127.0.0.1\r\n"), "a client says who it is: {head}");
    ensure!(head.contains("x-real-ip: 127.0.0.1\r\n"), "{head}");
    let passed = if index == 2 { backends[2].address().to_string() } else { host.replace(".:", ":") };
    ensure!(head.contains(&format!("host: {passed}\r\n")), "Host is not {passed}: {head}");
    Ok(())
}

/// The status of a redirect depends on the method, as in Traefik.
fn redirects(testbed: &Testbed) -> Result<()> {
    let expected = format!("https://site.example:{}/x?y=1", testbed.place.websecure);
    for (method, status) in [("GET", 301), ("POST", 308), ("HEAD", 308)] {
        let reply = testbed.web().request(method.parse()?, "/x?y=1", "site.example:1234", "")?;
        ensure!(reply.status == status && reply.header("location") == expected, "{method}: {reply:?}");
    }
    Ok(())
}

/// The server behind the TCP router shows its own certificate.
fn passes_through(testbed: &Testbed) -> Result<()> {
    let roots = Roots::from_pem(&fs::read_to_string(&testbed.place.authority.root)?)?;
    handshake(testbed.place.websecure_address(), "localhost", &roots).map(drop)
}

/// Tokens in the user's own bootstrap are as secret as those filled in.
#[test]
fn what_has_tokens_in_it_is_for_its_owner_alone() -> Result<()> {
    let place = harness::Place::new("render-tokens")?;
    let run = |arguments: &[&str], output: Option<&Path>| -> Result<(String, String)> {
        let mut command = Command::new(artifacts::sidecar()?);
        command.args(["render", "--email", "ops@example.com"]).args(arguments);
        if let Some(output) = output {
            command.arg("--output").arg(output);
        }
        let done = command.output()?;
        let told = String::from_utf8(done.stderr)?;
        ensure!(done.status.success(), "render: {told}");
        Ok((String::from_utf8(done.stdout)?, told))
    };
    let mode = |path: &Path| -> Result<u32> { Ok(fs::metadata(path)?.permissions().mode() & 0o777) };
    let [own, once, filled, twice] = ["own", "once", "filled", "twice"].map(|name| place.file(&format!("{name}.yaml")));
    fs::write(&own, fs::read_to_string(artifacts::repository().join("tests/e2e/into/front-proxy.yaml"))?)?;
    let (_, told) = run(&["--into", &own.display().to_string()], Some(&once))?;
    ensure!(mode(&once)? & 0o044 == 0o044, "{:o}", mode(&once)?);
    let command = "Start the sidecar: envoy-autocert sidecar --storage acme.json --wake-address 127.0.0.1:80 \
                   --verify-address 127.0.0.1:443\n";
    ensure!(told.contains(command), "{told}");
    ensure!(
        told.contains("ENVOY_AUTOCERT_SDS_TOKEN=$(sed 's/[[:space:]].*//;q' acme.json.sds-token) envsubst '"),
        "{told}"
    );

    fs::write(&filled, harness::tokens::fill(&fs::read_to_string(&once)?))?;
    let filled = filled.display().to_string();
    let (_, told) = run(&["--into", &filled], Some(&twice))?;
    ensure!(mode(&twice)? == 0o600, "{:o}", mode(&twice)?);
    ensure!(!told.contains("envsubst") && told.contains("nothing is missing"), "{told}");
    let (text, told) = run(&["--into", &filled], None)?;
    ensure!(text.contains(harness::tokens::SDS) && !told.contains(harness::tokens::SDS), "{told}");
    ensure!(told.matches("the sidecar's tokens go to the standard output").count() == 1, "{told}");
    Ok(())
}

/// Every rendered example in the repository is a configuration that Envoy accepts, with files that exist.
#[test]
fn the_pieces_merged_by_hand_get_a_certificate() -> Result<()> {
    let stage = Stage::new("render-filter", &PebbleOptions::default())?;
    let configuration = stage.place.file("traefik.yml");
    let output = stage.place.file("pieces.yaml");
    let directory = stage.pebble.directory();
    let root = stage.place.authority.root.display().to_string();
    let text = format!(
        "entryPoints: {{ web: {{ address: ':80' }}, websecure: {{ address: ':443' }} }}
certificatesResolvers:
  le:
    acme:
      email: ops@example.com
      caServer: {directory}
      caCertificates: [{root}]
      keyType: EC256
      httpChallenge: {{ entryPoint: web }}
http:
  routers:
    piece: {{ rule: Host(`piece.example`), service: own, tls: {{ certResolver: le }} }}
  services:
    own: {{ loadBalancer: {{ servers: [{{ url: 'http://127.0.0.1:1' }}] }} }}
"
    );
    fs::write(&configuration, text)?;
    render_as("filter", &stage, &configuration, &output)?;
    let mut pieces: Value = serde_saphyr::from_str(&fs::read_to_string(&output)?).context("the pieces")?;
    let mut bootstrap = stage.bootstrap()?;
    bootstrap.value()["bootstrap_extensions"] = pieces["bootstrap_extensions"].take();
    bootstrap.value()["static_resources"]["clusters"] = pieces["clusters"].take();
    bootstrap.web_filters()?[0] = pieces["http_filters"][0].take();
    let listener = bootstrap.named("/static_resources/listeners", "websecure")?;
    listener["filter_chains"][0]["transport_socket"] = pieces["transport_socket"].take();
    let mut testbed = stage.play(bootstrap, &TestbedOptions::default())?;
    assert_eq!(testbed.served("piece.example", PATIENCE)?.names, ["piece.example"]);
    Ok(())
}

#[test]
fn envoy_takes_the_rendered_examples() -> Result<()> {
    let stage = Stage::new("examples", &PebbleOptions::default())?;
    let directory = artifacts::repository().join("src/setup/tests/rendered");
    let wasm = artifacts::wasm()?;
    let root = &stage.place.authority.root;
    let mut count = 0;
    for entry in fs::read_dir(&directory)? {
        let path = entry?.path();
        if !path.to_string_lossy().ends_with(".bootstrap.yaml") {
            continue;
        }
        let text = fs::read_to_string(&path)?
            .replace("/usr/lib/envoy-autocert/envoy_autocert.wasm", &wasm.to_string_lossy())
            .replace("/etc/ca/root.pem", &root.to_string_lossy())
            .replace("/etc/ssl/certs/ca-certificates.crt", &root.to_string_lossy());
        let placed = stage.place.file(&path.file_name().unwrap_or_default().to_string_lossy());
        fs::write(&placed, text)?;
        Envoy::validate(&placed, &stage.place.file("validate.log")).with_context(|| path.display().to_string())?;
        count += 1;
    }
    ensure!(count >= 2, "only {count} examples in {}", directory.display());
    Ok(())
}

#[test]
fn pieces_to_merge_need_no_upstream() -> Result<()> {
    for format in ["filter", "istio", "envoy-gateway"] {
        let mut command = Command::new(artifacts::sidecar()?);
        command.args(["render", "--domain", "a.example", "--email", "ops@example.com", "--format", format]);
        let output = command.args(["--plugin", "oci://registry.example.com/plugin:1"]).output()?;
        let text = String::from_utf8(output.stdout)?;
        let said = String::from_utf8(output.stderr)?;
        ensure!(output.status.success() && text.contains("a.example"), "{format}: {said}");
        assert!(!text.contains("127.0.0.1:9"), "{format}");
    }
    Ok(())
}
