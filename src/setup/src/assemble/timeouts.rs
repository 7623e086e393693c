//! `entryPoints.<name>.transport.respondingTimeouts`.

use std::time::Duration;

use config::duration;

use super::build::Build;
use crate::input::quoted;
use crate::model::Timeouts;
use crate::traefik::entry_points::Transport;
use crate::traefik::resolvers::Period;

/// Maximum timeout: a longer one is as good as none.
const MOST: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// Traefik's timeouts, with defaults for absent or wrong ones.
pub(super) fn timeouts(path: &str, written: Option<&Transport>, build: &mut Build<'_>) -> Timeouts {
    let Some(written) = written.and_then(|transport| transport.responding_timeouts.as_ref()) else {
        return Timeouts::default();
    };
    let mut time = |key: &str, period: &Option<Period>, default: Option<Duration>| match period {
        None => default,
        Some(period) => read(&format!("{path}.transport.respondingTimeouts.{key}"), period, build),
    };
    let Timeouts { read, write, idle } = Timeouts::default();
    Timeouts {
        read: time("readTimeout", &written.read_timeout, read),
        write: time("writeTimeout", &written.write_timeout, write),
        idle: time("idleTimeout", &written.idle_timeout, idle),
    }
}

fn read(path: &str, period: &Period, build: &mut Build<'_>) -> Option<Duration> {
    let (found, time) = match period {
        Period::Seconds(seconds) => (seconds.to_string(), u64::try_from(*seconds).ok().map(Duration::from_secs)),
        Period::Text(text) => (quoted(text), duration::parse(text.trim())),
    };
    let Some(time) = time.filter(|time| *time <= MOST) else {
        build.wrong(path, &found, "a duration from 0 to 8760h, as 90s, 1m30s or seconds; 0 disables the timeout");
        return None;
    };
    Some(time).filter(|time| !time.is_zero())
}
