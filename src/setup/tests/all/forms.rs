//! The same configuration in every form that users write: all tabs of the specification give the same setup.

use crate::common::{file, flags, read, with_environment};
use setup::model::Setup;
use setup::{SourceFile, Sources};

/// Parts that the specification leaves out in all of its further tabs.
const REST: &str = "
entryPoints: {web: {address: ':80'}, websecure: {address: ':443'}}
certificatesResolvers:
  myresolver: {acme: {email: your-email@example.com, storage: acme.json, httpChallenge: {entryPoint: web}}}
";

/// The setup without its storage, in which the specification's tabs differ.
fn without_storage(mut setup: Setup) -> Setup {
    for resolver in &mut setup.resolvers {
        resolver.storage = None;
    }
    for (_, resolver) in &mut setup.resolver_options {
        resolver["acme"].as_object_mut().unwrap().remove("storage");
    }
    setup
}

#[test]
fn the_four_tabs_of_the_specification_are_one_setup() {
    let forms = [
        Sources { files: vec![file("forms/traefik.yml")], ..Sources::default() },
        Sources { files: vec![file("forms/traefik.toml")], ..Sources::default() },
        Sources { flags: flags("forms/flags.txt"), ..Sources::default() },
        Sources { files: vec![file("forms/values.yaml")], ..Sources::default() },
        Sources { values: vec![file("forms/values.yaml")], ..Sources::default() },
        with_environment(&[
            ("TRAEFIK_ENTRYPOINTS_WEB_ADDRESS", ":80"),
            ("TRAEFIK_ENTRYPOINTS_WEBSECURE_ADDRESS", ":443"),
            ("TRAEFIK_CERTIFICATESRESOLVERS_MYRESOLVER_ACME_EMAIL", "your-email@example.com"),
            ("TRAEFIK_CERTIFICATESRESOLVERS_MYRESOLVER_ACME_STORAGE", "acme.json"),
            ("TRAEFIK_CERTIFICATESRESOLVERS_MYRESOLVER_ACME_HTTPCHALLENGE_ENTRYPOINT", "web"),
        ]),
    ];
    let setups: Vec<Setup> = forms.iter().map(|sources| without_storage(read(sources).setup)).collect();
    let first = setups.first().unwrap();
    assert_eq!((first.entry_points.len(), first.resolvers.len()), (2, 1));
    assert_eq!(first.entry_points[0].port, 80);
    assert_eq!(first.resolvers[0].http_challenge.as_ref().unwrap().entry_point, "web");
    for (index, setup) in setups.iter().enumerate() {
        assert_eq!(setup, first, "form {index}");
    }
}

#[test]
fn the_tabs_of_options_are_one_setup_each() {
    for option in ["eab", "httpChallenge", "tlsChallenge"] {
        let rest = SourceFile { name: "rest.yml".into(), text: REST.into() };
        let with = |name: &str| Sources {
            files: vec![rest.clone(), file(&format!("forms/{option}/{name}"))],
            ..Sources::default()
        };
        let flags = flags(&format!("forms/{option}/flags.txt"));
        let by_flags = Sources { files: vec![rest.clone()], flags, ..Sources::default() };
        let yaml = read(&with("traefik.yml")).setup;
        assert_eq!(read(&with("traefik.toml")).setup, yaml, "{option}");
        assert_eq!(read(&by_flags).setup, yaml, "{option}");
        let resolver = yaml.resolvers.first().unwrap();
        assert_eq!(resolver.eab.is_some(), option == "eab");
        assert_eq!(resolver.tls_challenge.is_some(), option == "tlsChallenge");
    }
}

#[test]
fn dynamic_files_are_the_same_in_yaml_and_toml() {
    let with = |name: &str| Sources { files: vec![file("forms/traefik.yml"), file(name)], ..Sources::default() };
    let yaml = read(&with("forms/dynamic.yml")).setup;
    assert_eq!(read(&with("forms/dynamic.toml")).setup, yaml);
    let router = yaml.http_routers.first().unwrap();
    assert_eq!(router.tls.as_ref().unwrap().certificates, [["example.com", "www.example.com"]]);
}
