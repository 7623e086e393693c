//! Parallel work on many items.

use std::thread;

/// Minimum number of items per thread: for fewer, a thread costs more than it saves.
const CHUNK: usize = 64;

/// Does `work` on every item, and returns the results in the items' order. Blocks.
pub fn in_parallel<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let chunk = items.len().div_ceil(cores).max(CHUNK);
    let run = |chunk: &[T]| chunk.iter().map(&work).collect::<Vec<R>>();
    let run = &run;
    thread::scope(|scope| {
        let threads: Vec<_> = items.chunks(chunk).map(|chunk| scope.spawn(move || run(chunk))).collect();
        #[expect(clippy::expect_used, reason = "the work panics only by a bug, and there is nothing to save yet")]
        threads.into_iter().flat_map(|thread| thread.join().expect("the work does not panic")).collect()
    })
}
