//! Every target on its seeds, truncated and with bytes changed, and on random inputs grown from them, as an ordinary
//! test. `EACH=60 ONLY=abi` grows inputs for so many seconds, where the fuzzer itself isn't available.

use std::env;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::{Duration, Instant};

/// Size limit of mutated seeds: the work grows with the square.
const MUTATED: usize = 600;

fn seeds(target: &str) -> Vec<Vec<u8>> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds").join(target);
    let entries = fs::read_dir(&directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    paths.iter().map(|path| fs::read(path).expect("a seed")).collect()
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

/// Number of inputs grown for each target in an ordinary run.
const GROWN: u64 = 300;

/// Directory of inputs that broke something.
const ARTIFACTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/artifacts");

/// SplitMix64: the seed reproduces an input.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let number = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((number ^ (number >> 31)) % sides as u64).expect("it is below the sides")
    }

    /// Makes another input: parts of two, with some bytes changed.
    fn grow(&mut self, one: &[u8], other: &[u8]) -> Vec<u8> {
        let mut grown = one[..self.roll(one.len() + 1)].to_vec();
        grown.extend_from_slice(&other[self.roll(other.len() + 1)..]);
        for _ in 0..self.roll(12) {
            let at = self.roll(grown.len() + 1);
            let byte = u8::try_from(self.roll(256)).expect("a byte");
            match self.roll(5) {
                0 => grown.truncate(at),
                1 => grown.insert(at, byte),
                2 if at < grown.len() => grown[at] = byte,
                3 if grown.len() < 4096 => grown.extend_from_within(at..),
                _ if at < grown.len() => grown[at] ^= 1 << self.roll(8),
                _ => {}
            }
        }
        grown
    }
}

#[test]
fn nothing_breaks_on_what_grows_from_the_seeds() {
    let only = env::var("ONLY").unwrap_or_default();
    let each = env::var("EACH").ok().and_then(|seconds| seconds.parse().ok()).map(Duration::from_secs);
    for (name, target) in fuzz::TARGETS.into_iter().filter(|(name, _)| name.contains(&only)) {
        let seeds = seeds(name);
        let start = Instant::now();
        let mut dice = Dice(each.map_or(0, |_| u64::from(std::process::id()) << 32));
        let mut count = 0;
        while each.map_or(count < GROWN, |each| start.elapsed() < each) {
            count += 1;
            let one = dice.roll(seeds.len());
            let other = dice.roll(seeds.len());
            let grown = dice.grow(&seeds[one], &seeds[other]);
            if catch_unwind(AssertUnwindSafe(|| target(&grown))).is_err() {
                fs::create_dir_all(ARTIFACTS).expect("a directory");
                let path = Path::new(ARTIFACTS).join(format!("{name}-{count}"));
                fs::write(&path, &grown).expect("it is kept");
                panic!("{name} breaks on {}", path.display());
            }
        }
        println!("{name}: {count} inputs");
    }
}

#[test]
fn every_target_is_a_program_for_the_fuzzer() {
    let manifest = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml")).expect("the manifest");
    for (name, _) in fuzz::TARGETS {
        assert!(manifest.contains(&format!("path = \"targets/{name}.rs\"")), "{name}");
    }
}
