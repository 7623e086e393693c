//! The certified hosts, in shared data: each name that has a certificate, with the certificate's serial number, end and
//! issuer. The leader writes the table, the responders of all threads read it, and so may other plugins with the same
//! `vm_id`: `envoy/shared-data.md` documents keys and format for them, and changes with this module.
//!
//! Promises: the number of keys is fixed, since none is ever freed, and each value is bounded. A line past its end
//! counts as none, whoever wrote it and whenever. A leader that lost its lease overwrites nothing of a later one.
//! Refuses: any key of a certificate.

mod shard;

use protocol::fnv;

use self::shard::{Line, Shard};
use crate::proxy::Status;
use crate::shared::Shared;

/// How many shards there are. With 8 KiB each they hold some 24,000 names in 2 MiB, and a thousand names are four lines
/// to search.
const SHARDS: u64 = 256;

/// A line that a request asked for is not marked again within this, in seconds: marking is a write.
const MARK_PERIOD: i64 = 3_600;

/// A certificate, as far as the table tells of it.
pub(crate) struct Certificate<'a> {
    /// DNS names, wildcards among them, and IP addresses.
    pub(crate) names: &'a [String],
    /// Lower-case hexadecimal; empty where nobody told it.
    pub(crate) serial: &'a str,
    /// The issuer's name; empty where nobody told it.
    pub(crate) issuer: &'a str,
    /// End of validity, seconds since 1970.
    pub(crate) not_after: i64,
    /// The rank in a full shard, where the lines with the lowest rank are dropped: start of validity, seconds since
    /// 1970, and later the last time that a request asked for the name.
    pub(crate) rank: i64,
}

impl<'a> Certificate<'a> {
    fn line(&self, name: &'a str) -> Option<Line<'a>> {
        Line::new(name, self.serial, self.issuer, self.not_after, self.rank)
    }
}

/// The whole table as it should be, gathered one certificate after the other.
pub(crate) struct Snapshot(Vec<String>);

impl Snapshot {
    /// A table without any name.
    pub(crate) fn new() -> Self {
        Self((0..SHARDS).map(|_| String::new()).collect())
    }

    /// Adds the names of a certificate.
    pub(crate) fn add(&mut self, shared: &Shared, certificate: &Certificate<'_>, now: i64) {
        for name in certificate.names {
            let Some(line) = certificate.line(name) else { continue };
            let number = shard_of(name);
            let Some(lines) = self.0.get_mut(usize::try_from(number).unwrap_or_default()) else { continue };
            line.write(lines);
            // What a shard could not hold is not kept either.
            if lines.len() > 2 * shard::MAX {
                let value = shared.read(&key(number)).ok().flatten().unwrap_or_default();
                *lines = shard::joined(Shard::read(&value).ranked(lines), 0, now);
            }
        }
    }
}

/// Writes the whole table, in the name of a leader with this epoch.
pub(crate) fn replace(shared: &Shared, epoch: u64, snapshot: &Snapshot, now: i64) -> Result<(), Status> {
    for (number, new) in (0..SHARDS).zip(&snapshot.0) {
        let key = key(number);
        if new.is_empty() && shared.read(&key)?.is_none() {
            continue;
        }
        shared.update(&key, |value| {
            let old = Shard::read(value);
            old.replaced_by(epoch, old.ranked(new), now)
        })?;
    }
    Ok(())
}

/// Writes the names of a certificate that has just been issued, in the name of a leader with this epoch.
pub(crate) fn publish(shared: &Shared, epoch: u64, certificate: &Certificate<'_>, now: i64) -> Result<(), Status> {
    for name in certificate.names {
        let Some(line) = certificate.line(name) else { continue };
        shared.update(&key(shard_of(name)), |value| {
            let old = Shard::read(value);
            let mut lines = old.lines();
            lines.retain(|other| other.name != line.name);
            lines.push(line);
            old.replaced_by(epoch, lines, now)
        })?;
    }
    Ok(())
}

/// The end of the valid certificate that covers this name, itself or by a wildcard.
pub(crate) fn not_after(shared: &Shared, name: &str, now: i64) -> Option<i64> {
    find(shared, name, now).or_else(|| {
        let (_, parent) = name.split_once('.')?;
        find(shared, &format!("*.{parent}"), now)
    })
}

fn find(shared: &Shared, name: &str, now: i64) -> Option<i64> {
    let key = key(shard_of(name));
    let value = shared.read_often(&key, now).ok()??;
    let line = Shard::read(&value).line(name).filter(|line| line.not_after > now)?;
    if value.len() > shard::MAX / 2 && line.rank < now.saturating_sub(MARK_PERIOD) {
        // The name stays in a full shard before others that nobody asks for. Failing to mark it costs only that.
        let _ = shared.update(&key, |value| Shard::read(value).marked(name, now));
    }
    Some(line.not_after)
}

fn shard_of(name: &str) -> u64 {
    // No secret hangs on the hash. Names that collide only fill one shard.
    fnv::hash(name.as_bytes()) % SHARDS
}

fn key(shard: u64) -> String {
    format!("envoy-autocert/certified/{shard}")
}

#[cfg(test)]
mod tests;
