//! Root's work in somebody's directory, with that somebody's rights.
//!
//! Root reaches everything, so whoever owns a directory could lead root's work in it to any file. With the user and group
//! of the directory as the ones that the kernel asks for (credentials(7), "filesystem user ID"), root can do there what
//! the owner can do anyway, and nothing else; what is made belongs to the owner. They are this thread's alone, unlike
//! effective ones, which the C library changes for all threads: sockets and the user's own files stay root's business.

use std::io;

use nix::unistd::{Gid, Uid, setfsgid, setfsuid};

/// A user and a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Owner {
    pub(super) user: u32,
    pub(super) group: u32,
}

/// Does the work with the rights of `owner`, or with our own when there is none. Groups that we are in besides stay:
/// in a directory of its own a user has the owner's rights and needs no group's.
pub(super) fn acting<T>(owner: Option<Owner>, work: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    let Some(owner) = owner else { return work() };
    let acting = Acting { user: setfsuid(nobody()), group: setfsgid(no_group()) };
    setfsgid(Gid::from_raw(owner.group));
    setfsuid(Uid::from_raw(owner.user));
    // Neither call tells of failures.
    if setfsuid(nobody()).as_raw() != owner.user || setfsgid(no_group()).as_raw() != owner.group {
        let why = format!("this process may not act as the uid {} and the gid {}", owner.user, owner.group);
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, why));
    }
    let done = work();
    drop(acting);
    done
}

/// The rights there were before, which are taken back when this is dropped, also when the work panics.
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

/// No user's number: asking for it changes nothing, and gives the current one.
fn nobody() -> Uid {
    Uid::from_raw(u32::MAX)
}

fn no_group() -> Gid {
    Gid::from_raw(u32::MAX)
}
