//! `envoy-autocert check` on the configurations in the documents, and on mistakes in them.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use anyhow::{Context, Result};
use harness::{Place, artifacts, tokens};
use serde_json::Value;

/// Path of the installed plugin; here the plugin is elsewhere.
const INSTALLED: &str = "/usr/lib/envoy-autocert/envoy_autocert.wasm";

fn check(file: &Path, arguments: &[&str]) -> Result<Output> {
    let mut command = Command::new(artifacts::sidecar()?);
    command.arg("check").arg("--envoy").arg(artifacts::envoy()?).args(arguments).arg(file);
    command.output().context("envoy-autocert check")
}

/// Checks a text with placeholders, and the same text with the tokens.
fn checked(place: &Place, text: &str) -> Result<()> {
    let said = String::from_utf8(check(&file(place, text)?, &[])?.stdout)?;
    let lines: Vec<&str> = said.lines().collect();
    let [of_sds, of_api, last] = lines.as_slice() else { anyhow::bail!("{said}") };
    for (line, flag) in [(of_sds, "--sds-token-file"), (of_api, "--api-token-file")] {
        assert!(line.starts_with("warning: ") && line.contains("found a placeholder") && line.contains(flag), "{said}");
    }
    assert_eq!(*last, "fine: 0 mistakes, 2 warnings");
    let output = check(&file(place, &tokens::fill(text))?, &["--strict"])?;
    let said = String::from_utf8(output.stdout)?;
    assert_eq!((said.as_str(), output.status.code()), ("fine: 0 mistakes, 0 warnings\n", Some(0)));
    Ok(())
}

/// A file with this text, with the path of the plugin under test.
fn file(place: &Place, text: &str) -> Result<std::path::PathBuf> {
    let path = place.file("envoy.yaml");
    fs::write(&path, text.replace(INSTALLED, &artifacts::wasm()?.display().to_string()))?;
    Ok(path)
}

#[test]
fn what_the_documents_show_is_fine() -> Result<()> {
    let repository = artifacts::repository();
    let readme = fs::read_to_string(repository.join("README.md"))?;
    let (_, rest) = readme.split_once("```yaml\n").context("README.md has no YAML")?;
    let (of_readme, _) = rest.split_once("```").context("README.md's YAML has no end")?;
    let mut texts = vec![of_readme.to_owned()];
    for path in ["envoy/envoy.yaml", "examples/lets-encrypt/envoy.yaml"] {
        texts.push(fs::read_to_string(repository.join(path))?);
    }
    for text in texts {
        checked(&Place::new("check")?, &text)?;
    }
    Ok(())
}

#[test]
fn the_examples_in_traefiks_words_are_fine_and_envoy_takes_what_is_made_of_them() -> Result<()> {
    for example in ["examples/traefik", "examples/wildcard"] {
        let place = Place::new("check-traefik")?;
        let directory = artifacts::repository().join(example);
        let run = |arguments: &[&str]| -> Result<Output> {
            let mut command = Command::new(artifacts::sidecar()?);
            // Traefik takes the path of the dynamic configuration from its working directory too.
            command.current_dir(&directory).args(arguments).output().context("envoy-autocert")
        };
        let output = run(&["check", "--strict", "--config", "traefik.yml"])?;
        assert_eq!(String::from_utf8(output.stdout)?, "fine: 0 mistakes, 0 warnings\n", "{example}");
        let output = run(&["render", "--config", "traefik.yml"])?;
        checked(&place, &String::from_utf8(output.stdout)?).context(example)?;
    }
    Ok(())
}

#[test]
fn a_misspelt_dns_provider_is_a_mistake_with_the_one_that_is_meant() -> Result<()> {
    let place = Place::new("check-provider")?;
    let example = artifacts::repository().join("examples/wildcard");
    for name in ["traefik.yml", "dynamic.yml"] {
        fs::write(place.file(name), fs::read_to_string(example.join(name))?.replace("cloudflare", "cloudfare"))?;
    }
    for command in ["check", "render"] {
        let mut program = Command::new(artifacts::sidecar()?);
        let output = program.current_dir(place.path()).args([command, "--config", "traefik.yml"]).output()?;
        let said = String::from_utf8([output.stdout, output.stderr].concat())?;
        let mistake = "certificatesResolvers.myresolver.acme.dnsChallenge.provider: found \"cloudfare\"";
        assert!(said.contains(mistake) && said.contains("did you mean cloudflare?"), "{said}");
        assert_eq!(output.status.code(), Some(1));
    }
    Ok(())
}

#[test]
fn a_script_gets_every_mistake_and_its_line() -> Result<()> {
    let place = Place::new("check-json")?;
    let text = fs::read_to_string(artifacts::repository().join("envoy/envoy.yaml"))?;
    let text = text.replace("auto_sni_san_validation: true", "auto_sni_san_validation: false");
    let output = check(&file(&place, &text.replace("keyType", "keyTipe"))?, &["--json"])?;
    assert_eq!(output.status.code(), Some(1));
    let found: Value = serde_json::from_slice(&output.stdout)?;
    assert_eq!(found["ok"], false);
    // A fault that depends on an unreadable configuration is found once that can be read.
    assert_eq!(found["mistakes"][0]["nearest"], "keyType");
    assert!(found["mistakes"][0]["line"].is_u64(), "{found}");
    let output = check(&file(&place, &text)?, &["--json"])?;
    let found: Value = serde_json::from_slice(&output.stdout)?;
    let path = "static_resources.clusters[0].transport_socket.typed_config.auto_sni_san_validation";
    assert_eq!(found["mistakes"][0]["path"], path);
    Ok(())
}

#[test]
fn what_envoy_itself_refuses_is_reported() -> Result<()> {
    let place = Place::new("check-envoy")?;
    let text = fs::read_to_string(artifacts::repository().join("envoy/envoy.yaml"))?;
    let path = file(&place, &text.replace("stat_prefix: web\n", "stat_prefixx: web\n"))?;
    let output = check(&path, &[])?;
    let said = String::from_utf8(output.stdout)?;
    assert_eq!(output.status.code(), Some(1));
    assert!(said.contains("found a configuration that Envoy refuses") && said.contains("stat_prefixx"), "{said}");
    Ok(())
}

/// The output of `check` on a text, by line.
fn told(place: &Place, text: &str) -> Result<Vec<String>> {
    let path = file(place, text)?;
    let said = String::from_utf8(check(&path, &[])?.stdout)?.replace(&path.display().to_string(), "envoy.yaml");
    Ok(said.lines().map(str::to_owned).collect())
}

/// A7, A10: a large message, and a configuration without the plugin.
#[test]
fn envoy_is_asked_in_any_case_and_its_refusal_is_one_mistake_at_its_line() -> Result<()> {
    let place = Place::new("check-refusal")?;
    let text = fs::read_to_string(artifacts::repository().join("tests/e2e/into/front-proxy.yaml"))?;
    let text = text.replace("stat_prefix: http\n", "stat_prefix: ''\n");
    let line = text.lines().position(|line| line.contains("stat_prefix: ''")).context("a line")? + 1;
    let reason = "HttpConnectionManagerValidationError.StatPrefix: value length must be at least 1 characters";
    let [plugin, refusal, count] = told(&place, &text)?.try_into().map_err(|all| anyhow::anyhow!("{all:#?}"))?;
    assert!(plugin.contains("found no filter or service with the plugin"), "{plugin}");
    assert!(refusal.starts_with(&format!("mistake: envoy.yaml:{line}: static_resources.listeners[0].")), "{refusal}");
    assert!(refusal.contains(reason) && !refusal.contains("goo.gle"), "{refusal}");
    assert_eq!(count, "2 mistakes, 0 warnings");
    // The same in a ConfigMap is on the ConfigMap's lines.
    let below: String = text.lines().map(|line| format!("    {line}\n")).collect();
    let map = format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{ name: edge }}\ndata:\n  envoy.yaml: |\n{below}");
    let [_, refusal, _] = told(&place, &map)?.try_into().map_err(|all| anyhow::anyhow!("{all:#?}"))?;
    let start = format!("mistake: envoy.yaml:{}: data.envoy.yaml: static_resources.listeners[0].", line + 5);
    assert!(refusal.starts_with(&start) && refusal.contains(reason), "{refusal}");
    Ok(())
}

/// A10: Envoy names the first place only, which has been named already.
#[test]
fn the_v2_api_is_named_where_it_stands_and_not_once_more_by_envoy() -> Result<()> {
    let place = Place::new("check-v2")?;
    let text = "static_resources:\n  clusters:\n  - name: app\n    hosts: [{ socket_address: { address: app, port_value: 80 } }]\n";
    let [hosts, count] = told(&place, text)?.try_into().map_err(|all| anyhow::anyhow!("{all:#?}"))?;
    let expected = "mistake: envoy.yaml:4: static_resources.clusters[0].hosts: found hosts: this is Envoy's v2 API, which \
                    Envoy 1.40 refuses";
    assert!(hosts.starts_with(expected), "{hosts}");
    assert_eq!(count, "1 mistake, 0 warnings");
    Ok(())
}

#[test]
fn what_can_not_be_read_is_no_mistake_of_the_configuration() -> Result<()> {
    let output = check(Path::new("/nonexistent/envoy.yaml"), &[])?;
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8(output.stderr)?.contains("/nonexistent/envoy.yaml: can't be read"));
    Ok(())
}
