//! Every target on its seeds, cut short and with bytes changed, as an ordinary test.

use std::fs;
use std::path::Path;

/// Larger seeds are run as they are: the work grows with the square.
const MUTATED: usize = 600;

fn seeds(target: &str) -> Vec<Vec<u8>> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds").join(target);
    let entries = fs::read_dir(&directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
    let read = |entry: std::io::Result<fs::DirEntry>| fs::read(entry.expect("an entry").path()).expect("a seed");
    entries.map(read).collect()
}

#[test]
fn nothing_breaks_on_the_seeds_or_near_them() {
    for (name, target) in fuzz::TARGETS {
        let seeds = seeds(name);
        assert!(seeds.len() >= 3, "{name} has {} seeds", seeds.len());
        for seed in seeds {
            target(&seed);
            for end in 0..seed.len().min(MUTATED) {
                target(&seed[..end]);
                let mut other = seed[..seed.len().min(MUTATED)].to_vec();
                for byte in [0, b'"', b'`', b'(', b'{', 0x80, 0xff] {
                    other[end] = byte;
                    target(&other);
                }
            }
        }
    }
}

#[test]
fn every_target_is_a_program_for_the_fuzzer() {
    let manifest = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml")).expect("the manifest");
    for (name, _) in fuzz::TARGETS {
        assert!(manifest.contains(&format!("path = \"targets/{name}.rs\"")), "{name}");
    }
}
