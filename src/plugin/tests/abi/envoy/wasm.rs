//! The module under test: built once, parsed once a thread.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use wasmi::{Engine, Module};

/// The module, ready to be instantiated.
pub(crate) fn module() -> &'static Module {
    static MODULE: OnceLock<Module> = OnceLock::new();
    MODULE.get_or_init(|| {
        let path = std::env::var_os("ENVOY_AUTOCERT_WASM").map_or_else(build, PathBuf::from);
        let bytes = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Module::new(&Engine::default(), bytes).expect("the module is valid")
    })
}

/// Brings the module up to date; cargo knows whether there is anything to do.
fn build() -> PathBuf {
    let target = target_directory();
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
    let status = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--target", "wasm32-wasip1", "--profile", "wasm", "--manifest-path"])
        .arg(manifest)
        .arg("--target-dir")
        .arg(&target)
        .status()
        .expect("cargo runs");
    assert!(status.success(), "the wasm module does not build; is the target there? `rustup target add wasm32-wasip1`");
    target.join("wasm32-wasip1/wasm/envoy_autocert.wasm")
}

/// The target directory that this test was built into: it lies in `<target>/<profile>/deps`.
fn target_directory() -> PathBuf {
    let test = std::env::current_exe().expect("a test has a path");
    test.ancestors().nth(3).expect("a test lies three levels below its target directory").to_owned()
}
