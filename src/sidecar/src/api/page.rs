//! Pages of long answers: as much as fits into Envoy's buffer for one answer.

use std::io;

use serde::Serialize;

/// The size at which a page ends, in bytes of JSON: half of Envoy's buffer where it is configured as `render` does, so
/// that one more item never makes the page too large.
pub(super) const PAGE: usize = acme::MAX_ANSWER / 2;

/// The size of a value in bytes of JSON.
pub(super) fn size_of(value: &impl Serialize) -> usize {
    let mut counter = Counter(0);
    // Counting never fails, and our types always have a JSON form.
    let _ = serde_json::to_writer(&mut counter, value);
    counter.0
}

struct Counter(usize);

impl io::Write for Counter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 = self.0.saturating_add(bytes.len());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
