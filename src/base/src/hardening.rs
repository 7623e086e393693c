//! Protects the memory of a process that holds keys.

use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};

/// Disables core dumps, and debugging by other processes of the same user. The limit alone does not prevent a dump that
/// the kernel pipes to a program.
pub fn keep_memory_private() {
    let limited = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
    let private = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    for error in [limited.err(), private.err()].into_iter().flatten() {
        tracing::warn!(%error, "core dumps can't be turned off; one would hold private keys");
    }
}
