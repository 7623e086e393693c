//! Processes and their sockets: /proc/PID/fd.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

/// The name of this program.
pub const OURS: &str = "envoy-autocert";

/// A process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    /// The process's id.
    pub pid: u32,
    /// The process's own name: the first 15 bytes of its program's, unless it was changed.
    pub name: String,
    /// The parent's id and name.
    pub parent: Option<(u32, String)>,
    /// The start time, in ticks since the machine's start.
    pub started: u64,
}

impl Process {
    /// The process of this id, if it exists.
    pub fn of(pid: u32) -> Option<Self> {
        Self::at(Path::new("/proc"), pid)
    }

    fn at(proc: &Path, pid: u32) -> Option<Self> {
        let stat = |pid: u32| Stat::parse(&fs::read(proc.join(pid.to_string()).join("stat")).ok()?);
        let own = stat(pid)?;
        let parent = stat(own.parent).map(|stat| (own.parent, stat.name));
        Some(Self { pid, name: own.name, parent, started: own.started })
    }

    /// The arguments, the program's name first. Empty if they can't be read.
    pub fn arguments(&self) -> Vec<String> {
        let line = fs::read(format!("/proc/{}/cmdline", self.pid)).unwrap_or_default();
        line.split(|byte| *byte == 0).map(|argument| String::from_utf8_lossy(argument).into_owned()).collect()
    }
}

impl fmt::Display for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (pid {})", self.name, self.pid)?;
        match &self.parent {
            // The parent would only start the process again, so the parent has to be ended.
            Some((pid, name)) if name == OURS => write!(f, ", which {name} (pid {pid}) started"),
            _ => Ok(()),
        }
    }
}

/// The fields used of /proc/PID/stat.
struct Stat {
    name: String,
    parent: u32,
    started: u64,
}

impl Stat {
    /// Parses `PID (NAME) STATE PPID …`. The name may contain anything, brackets and blanks too.
    fn parse(text: &[u8]) -> Option<Self> {
        let text = String::from_utf8_lossy(text);
        let (_, rest) = text.split_once('(')?;
        let (name, rest) = rest.rsplit_once(')')?;
        // From the third field on; the fourth is the parent and the 22nd the start time.
        let mut fields = rest.split_ascii_whitespace();
        let parent = fields.nth(1)?.parse().ok()?;
        let started = fields.nth(17)?.parse().ok()?;
        Some(Self { name: acme::one_line(name), parent, started })
    }
}

/// The processes that have one of these sockets, each with the socket's inode. Processes that can't be inspected are
/// left out.
pub(super) fn owners(inodes: &[u64]) -> Vec<(u64, Process)> {
    if inodes.is_empty() {
        return Vec::new();
    }
    let pids = entries(Path::new("/proc")).into_iter().filter_map(|path| path.file_name()?.to_str()?.parse().ok());
    let of_process = |pid: u32| {
        let sockets = entries(&Path::new("/proc").join(pid.to_string()).join("fd"));
        let mut inodes: Vec<u64> = sockets
            .iter()
            .filter_map(|path| socket(fs::read_link(path).ok()?.to_str()?))
            .filter(|inode| inodes.contains(inode))
            .collect();
        inodes.dedup();
        inodes.into_iter().filter_map(move |inode| Some((inode, Process::of(pid)?))).collect::<Vec<_>>()
    };
    pids.flat_map(of_process).collect()
}

/// The number in `socket:[NUMBER]`.
fn socket(link: &str) -> Option<u64> {
    link.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
}

/// The entries of a directory; empty if it can't be read.
fn entries(path: &Path) -> Vec<PathBuf> {
    fs::read_dir(path).map(|entries| entries.flatten().map(|entry| entry.path()).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_process_is_read_whatever_it_calls_itself() {
        let text = b"123 (a) b\n(c) S 77 123 123 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 4242 1 2 3";
        let stat = Stat::parse(text).unwrap();
        assert_eq!((stat.name.as_str(), stat.parent, stat.started), ("a) b\\n(c", 77, 4242));
        assert!(Stat::parse(b"").is_none() && Stat::parse(b"1 (x) S").is_none() && Stat::parse(b")(").is_none());
    }

    #[test]
    fn this_process_has_a_parent_and_arguments() {
        let own = Process::of(std::process::id()).unwrap();
        assert_eq!(own.parent.as_ref().unwrap().0, std::os::unix::process::parent_id());
        assert!(!own.arguments().is_empty() && own.started > 0);
    }

    #[test]
    fn only_sockets_have_a_number() {
        assert_eq!(socket("socket:[4711]"), Some(4711));
        assert!(["pipe:[4711]", "/dev/null", "socket:[]", "socket:[1"].iter().all(|link| socket(link).is_none()));
    }

    #[test]
    fn who_is_to_be_ended_is_named() {
        let of = |parent: Option<(u32, &str)>| {
            let parent = parent.map(|(pid, name)| (pid, name.to_owned()));
            Process { pid: 9, name: "envoy".into(), parent, started: 0 }.to_string()
        };
        assert_eq!(of(Some((7, "envoy-autocert"))), "envoy (pid 9), which envoy-autocert (pid 7) started");
        assert_eq!(of(Some((8, "bash"))), "envoy (pid 9)");
        assert_eq!(of(None), "envoy (pid 9)");
    }
}
