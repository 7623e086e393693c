//! Root given up for good, but for the one right of root's that Envoy needs: to listen on ports below 1024.
//!
//! Promises: who becomes another user has that user's groups and no others, no capability in effect, and gets none back,
//! neither itself nor by any program that it starts. The right to listen is kept out of effect, by the thread that starts
//! Envoy alone, and is given to Envoy alone.
//!
//! In Linux each thread has credentials of its own, which it hands on to those that it starts. So all of this comes
//! before there is a second thread.

mod user;

use std::fmt;
use std::io;

use nix::unistd::{Gid, Uid, setgroups, setresgid, setresuid, setuid};
use rustix::io::Errno;
use rustix::process::{geteuid, getgid};
use rustix::thread::{
    CapabilitySet, CapabilitySets, capabilities, capability_is_in_bounding_set, clear_ambient_capability_set,
    configure_capability_in_ambient_set, remove_capability_from_bounding_set, set_capabilities, set_keep_capabilities,
    set_no_new_privs,
};

pub use user::User;

use base::environment;

/// The right to listen on ports below 1024.
const LISTENS: CapabilitySet = CapabilitySet::NET_BIND_SERVICE;

/// What is kept of root's rights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keeps {
    /// None.
    Nothing,
    /// The right to listen on ports below 1024, for an Envoy that this thread is to start.
    Ports,
}

/// Becomes this user, for good. To be called before there is a second thread.
///
/// # Errors
/// When this is not started as root, or the system refuses a step. What has been given up by then is not taken back:
/// the process is to end.
pub fn become_user(user: &User, keeps: Keeps) -> Result<(), PrivilegeError> {
    environment::home_is(&user.home);
    if !geteuid().is_root() {
        let (uid, gid) = (geteuid().as_raw(), getgid().as_raw());
        if (uid, gid) == (user.uid, user.gid) {
            return give_up(keeps);
        }
        return Err(PrivilegeError::NotRoot { uid, gid });
    }
    let kept = held()?.permitted & kept(keeps);
    forget_others(kept)?;
    step("to keep a capability", set_keep_capabilities(true))?;
    let groups: Vec<Gid> = user.groups.iter().copied().map(Gid::from_raw).collect();
    let (uid, gid) = (Uid::from_raw(user.uid), Gid::from_raw(user.gid));
    step("other groups", setgroups(&groups))?;
    step("another group", setresgid(gid, gid, gid))?;
    step("another user", setresuid(uid, uid, uid))?;
    step("to keep no capability", set_keep_capabilities(false))?;
    step("to gain no rights by programs", set_no_new_privs(true))?;
    give_up(keeps)?;
    let can_return = setuid(Uid::from_raw(0)).is_ok();
    if can_return || geteuid().as_raw() != user.uid {
        return Err(PrivilegeError::StillRoot);
    }
    tracing::info!(uid = user.uid, gid = user.gid, groups = ?user.groups, "root is given up");
    Ok(())
}

/// Gives up all capabilities but those that are kept, which are no longer in effect.
///
/// # Errors
/// When the system refuses.
pub fn give_up(keeps: Keeps) -> Result<(), PrivilegeError> {
    let held = held()?;
    if held.permitted.is_empty() && held.inheritable.is_empty() {
        // Some sandboxes let nobody even ask.
        return Ok(());
    }
    let kept = held.permitted & kept(keeps);
    let sets = CapabilitySets { effective: CapabilitySet::empty(), permitted: kept, inheritable: kept };
    step("to give up capabilities", set_capabilities(None, sets))?;
    step("to hand no capability on", ambient(clear_ambient_capability_set()))
}

/// Whether the process is root, and so has not given up anything.
pub fn is_root() -> bool {
    geteuid().is_root()
}

/// To be called on each new thread: what is kept for Envoy is kept by the first thread alone.
pub fn on_thread_start() {
    if !is_root()
        && let Err(error) = give_up(Keeps::Nothing)
    {
        tracing::warn!(%error, "a thread keeps a right of Envoy's");
    }
}

/// Starts Envoy, with the right to listen on ports below 1024 if this thread has kept it.
///
/// # Errors
/// Those of `start`; and when the right can't be given or taken back, in which case nothing else may be started.
pub fn lending<T>(start: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    let is_kept = !is_root() && capabilities(None)?.permitted.contains(LISTENS);
    if !is_kept {
        return start();
    }
    ambient(configure_capability_in_ambient_set(LISTENS, true))?;
    let started = start();
    ambient(clear_ambient_capability_set())?;
    started
}

/// Does something with the right to listen on ports below 1024 in effect, if this thread has kept it: what Envoy could do,
/// and nobody else here.
///
/// # Errors
/// When the right can't be put into effect or out of it, in which case nothing else may be done.
pub fn exercising<T>(look: impl FnOnce() -> T) -> io::Result<T> {
    // Some sandboxes let nobody even ask.
    let Some(held) = capabilities(None).ok().filter(|held| !is_root() && held.permitted.contains(LISTENS)) else {
        return Ok(look());
    };
    let in_effect = CapabilitySets { effective: held.effective | LISTENS, ..held };
    set_capabilities(None, in_effect)?;
    let seen = look();
    set_capabilities(None, held)?;
    Ok(seen)
}

/// Lends Envoy once more what was lent to this process, which is to become Envoy: the system takes it from a program
/// whose own file gives it (`setcap`).
///
/// # Errors
/// When the system refuses.
pub fn lend_on() -> io::Result<()> {
    let Ok(held) = capabilities(None) else { return Ok(()) };
    if is_root() || !(held.permitted & held.inheritable).contains(LISTENS) {
        return Ok(());
    }
    Ok(ambient(configure_capability_in_ambient_set(LISTENS, true))?)
}

fn kept(keeps: Keeps) -> CapabilitySet {
    match keeps {
        Keeps::Nothing => CapabilitySet::empty(),
        Keeps::Ports => LISTENS,
    }
}

fn held() -> Result<CapabilitySets, PrivilegeError> {
    step("to look at capabilities", capabilities(None))
}

/// Takes all other capabilities out of what programs could ever get. Containers may forbid that; then it is enough that
/// programs give no rights.
fn forget_others(kept: CapabilitySet) -> Result<(), PrivilegeError> {
    if !held()?.effective.contains(CapabilitySet::SETPCAP) {
        return Ok(());
    }
    // Each bit by itself: the kernel may know some that have no name yet.
    for capability in (0..u64::BITS).map(|bit| CapabilitySet::from_bits_retain(1 << bit)) {
        match capability_is_in_bounding_set(capability) {
            Ok(true) if !kept.contains(capability) => {
                step("to forget a capability", remove_capability_from_bounding_set(capability))?;
            }
            Ok(_) => {}
            // The kernel knows no more.
            Err(_) => break,
        }
    }
    Ok(())
}

/// Kernels before 4.3 have no ambient set, and nothing in it.
fn ambient(done: Result<(), Errno>) -> Result<(), Errno> {
    if done == Err(Errno::INVAL) { Ok(()) } else { done }
}

fn step<T>(what: &'static str, done: Result<T, impl Into<io::Error>>) -> Result<T, PrivilegeError> {
    done.map_err(|error| PrivilegeError::Refused { what, error: error.into() })
}

/// Why root is not given up.
#[derive(Debug)]
pub enum PrivilegeError {
    /// This is not root, and not the user either.
    NotRoot {
        /// Its uid.
        uid: u32,
        /// Its gid.
        gid: u32,
    },
    /// The system refuses a step.
    Refused {
        /// What it refuses.
        what: &'static str,
        /// What it says.
        error: io::Error,
    },
    /// It is given up, and can be had back.
    StillRoot,
}

impl fmt::Display for PrivilegeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotRoot { uid, gid } => write!(
                f,
                "--user: only root can become another user, and this runs as the uid {uid} with the gid {gid}: start it as \
                 root, or as that user without --user"
            ),
            Self::Refused { what, error } => write!(f, "rights can't be given up: the system refuses {what}: {error}"),
            Self::StillRoot => f.write_str("--user: root is not given up, since it can be had back"),
        }
    }
}

impl std::error::Error for PrivilegeError {}
