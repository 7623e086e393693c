//! The configurations in the documents, as Envoy reads them.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use harness::{Bootstrap, Envoy, Place, artifacts};

/// Path of the installed plugin; here the plugin is elsewhere.
const INSTALLED: &str = "/usr/lib/envoy-autocert/envoy_autocert.wasm";

/// Envoy accepts this configuration, with the path of the plugin under test.
fn accept(name: &str, yaml: &str) -> Result<()> {
    ensure!(yaml.contains(INSTALLED), "{name} does not name {INSTALLED}");
    let place = Place::new("document")?;
    let file = place.file("envoy.yaml");
    fs::write(&file, yaml.replace(INSTALLED, &artifacts::wasm()?.display().to_string()))?;
    Envoy::validate(&file, &place.file("validate.log")).with_context(|| name.to_owned())
}

#[test]
fn envoy_takes_the_reference_configuration() -> Result<()> {
    let path = artifacts::repository().join("envoy/envoy.yaml");
    accept("envoy/envoy.yaml", &fs::read_to_string(path)?)
}

#[test]
fn the_filter_alone_is_the_one_of_the_reference_configuration() -> Result<()> {
    let alone = fs::read_to_string(artifacts::repository().join("envoy/filter.yaml"))?;
    let alone: Vec<serde_json::Value> = serde_saphyr::from_str(&alone)?;
    assert_eq!(alone, Bootstrap::shipped()?.web_filters()?[..1]);
    Ok(())
}

#[test]
fn envoy_takes_each_example_of_its_configuration() -> Result<()> {
    let mut count = 0;
    for example in fs::read_dir(artifacts::repository().join("examples"))? {
        let path = example?.path().join("envoy.yaml");
        if !path.exists() {
            continue;
        }
        accept(&path.display().to_string(), &fs::read_to_string(&path)?)?;
        count += 1;
    }
    ensure!(count > 0, "there is no example");
    Ok(())
}

/// The objects of the examples for meshes are what `render` prints, and `check` finds only placeholders to fill in.
#[test]
fn the_examples_of_meshes_are_what_is_rendered() -> Result<()> {
    let run = |example: &str, arguments: &[&str]| -> Result<std::process::Output> {
        let directory = artifacts::repository().join("examples").join(example);
        Ok(Command::new(artifacts::sidecar()?).current_dir(directory).args(arguments).output()?)
    };
    let plugin = "oci://registry.example.com/envoy-autocert-plugin:1.0.0";
    for (example, flags) in [("istio", &[][..]), ("envoy-gateway", &["--plugin", plugin])] {
        let render = [&["render", "--format", example, "--config", "config.yml"], flags].concat();
        let done = run(example, &render)?;
        ensure!(done.status.success(), "{example}: {}", String::from_utf8_lossy(&done.stderr));
        let path = artifacts::repository().join("examples").join(example).join("objects.yaml");
        let expected = fs::read_to_string(&path)?;
        let how = format!("in examples/{example}: envoy-autocert {} --output objects.yaml", render.join(" "));
        ensure!(String::from_utf8(done.stdout)? == expected, "{} is different; {how}", path.display());
        let checked = run(example, &["check", "--no-envoy", "objects.yaml"])?;
        let said = String::from_utf8(checked.stdout)?;
        ensure!(checked.status.success() && said.contains("found a placeholder"), "{example}: {said}");
        let readme = fs::read_to_string(path.with_file_name("README.md"))?;
        for flag in render.iter().filter(|flag| flag.starts_with("--")) {
            ensure!(readme.contains(flag), "examples/{example}/README.md does not say {flag}");
        }
    }
    Ok(())
}

#[test]
fn the_readme_shows_the_configuration_of_the_example() -> Result<()> {
    let repository = artifacts::repository();
    let readme = fs::read_to_string(repository.join("README.md"))?;
    let (_, rest) = readme.split_once("```yaml\n").context("README.md has no YAML")?;
    let (yaml, _) = rest.split_once("```").context("README.md's YAML has no end")?;
    assert_eq!(yaml, fs::read_to_string(repository.join("examples/lets-encrypt/envoy.yaml"))?);
    Ok(())
}

#[test]
fn each_promise_of_security_names_a_test_that_is_there() -> Result<()> {
    let repository = artifacts::repository();
    let text = fs::read_to_string(repository.join("envoy/security.md"))?;
    let mut count = 0;
    let promises = text.lines().filter(|line| line.starts_with("| ") && line.contains(".rs`: `"));
    for reference in promises.flat_map(|line| line.split('`')).collect::<Vec<_>>().windows(3) {
        let [file, ": ", test] = reference else { continue };
        let source = fs::read_to_string(repository.join(file)).with_context(|| (*file).to_owned())?;
        ensure!(source.contains(&format!("fn {test}(")), "{file} has no test {test}");
        count += 1;
    }
    ensure!(count > 20, "{count} promises were found");
    Ok(())
}
