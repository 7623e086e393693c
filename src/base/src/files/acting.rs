//! Root's work in another user's directory, with that user's rights.
//!
//! Root can access everything, so the owner of a directory could direct root's work in it to any file. With the
//! directory's user and group as filesystem IDs (credentials(7), "filesystem user ID"), root can do there what the
//! owner can do anyway, and nothing else; new files belong to the owner. Filesystem IDs are per thread, unlike
//! effective ones, which the C library changes for all threads: sockets and the user's own files are handled as root.

use std::io;

use nix::unistd::{Gid, Uid, setfsgid, setfsuid};

/// A user and a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Owner {
    pub(super) user: u32,
    pub(super) group: u32,
}

/// Does the work with the rights of `owner`, or with our own for `None`. Supplementary groups stay: in a directory of
/// its own a user has the owner's rights and needs no group's.
pub(super) fn acting<T>(owner: Option<Owner>, work: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    let Some(owner) = owner else { return work() };
    let acting = Acting { user: setfsuid(nobody()), group: setfsgid(no_group()) };
    setfsgid(Gid::from_raw(owner.group));
    setfsuid(Uid::from_raw(owner.user));
    // The calls themselves report no failures.
    if setfsuid(nobody()).as_raw() != owner.user || setfsgid(no_group()).as_raw() != owner.group {
        let why = format!("this process may not act as the uid {} and the gid {}", owner.user, owner.group);
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, why));
    }
    let done = work();
    drop(acting);
    done
}

/// The rights from before, restored on drop, also if the work panics.
struct Acting {
    user: Uid,
    group: Gid,
}

impl Drop for Acting {
    fn drop(&mut self) {
        setfsuid(self.user);
        setfsgid(self.group);
    }
}

/// An invalid user ID: setting it changes nothing, and returns the current one.
fn nobody() -> Uid {
    Uid::from_raw(u32::MAX)
}

fn no_group() -> Gid {
    Gid::from_raw(u32::MAX)
}
