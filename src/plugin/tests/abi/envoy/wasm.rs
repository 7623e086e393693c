//! The module under test: built once, parsed once a thread.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use wasmi::{Engine, Module};

/// The module's file.
pub(crate) fn bytes() -> &'static [u8] {
    static BYTES: OnceLock<Vec<u8>> = OnceLock::new();
    BYTES.get_or_init(|| {
        let path = std::env::var_os("ENVOY_AUTOCERT_WASM").map_or_else(build, PathBuf::from);
        std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    })
}

/// The module, ready to be instantiated.
pub(crate) fn module() -> &'static Module {
    static MODULE: OnceLock<Module> = OnceLock::new();
    MODULE.get_or_init(|| Module::new(&Engine::default(), bytes()).expect("the module is valid"))
}

/// Brings the module up to date.
fn build() -> PathBuf {
    let target = target_directory();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let status = Command::new("make").arg("plugin").current_dir(root).env("CARGO_TARGET_DIR", &target).status();
    assert!(status.expect("make runs").success(), "`make plugin` fails");
    target.join("envoy_autocert.wasm")
}

/// The target directory that this test was built into: it lies in `<target>/<profile>/deps`.
fn target_directory() -> PathBuf {
    let test = std::env::current_exe().expect("a test has a path");
    test.ancestors().nth(3).expect("a test lies three levels below its target directory").to_owned()
}
