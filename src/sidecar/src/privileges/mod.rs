//! Gives up root for good, except the one capability that Envoy needs: to listen on ports below 1024.
//!
//! Promises: a process that becomes another user has that user's groups and no others, has no effective capability, and
//! regains none, neither itself nor by any program that it starts. The capability to listen is kept, not in effect, by
//! the thread that starts Envoy alone, and is given to Envoy alone.
//!
//! In Linux each thread has credentials of its own, which its child threads inherit. So all of this happens before
//! there is a second thread.

mod user;

use std::{fmt, io};

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

/// The capability to listen on ports below 1024.
const LISTENS: CapabilitySet = CapabilitySet::NET_BIND_SERVICE;

/// The capabilities kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keeps {
    /// No capability.
    Nothing,
    /// The capability to listen on ports below 1024, for an Envoy that this thread will start.
    Ports,
}

/// Becomes this user, for good. Call it before there is a second thread.
///
/// # Errors
/// When the process is not root, or the system refuses a step. The rights given up by then are lost: the process has to
/// end.
pub fn become_user(user: &User, keeps: Keeps) -> Result<(), PrivilegeError> {
    environment::home_is(&user.home);
    if !geteuid().is_root() {
        let uid = geteuid().as_raw();
        let gid = getgid().as_raw();
        if (uid, gid) == (user.uid, user.gid) {
            return give_up(keeps);
        }
        return Err(PrivilegeError::NotRoot { uid, gid });
    }
    let kept = held()?.permitted & kept(keeps);
    forget_others(kept)?;
    step("to keep a capability", set_keep_capabilities(true))?;
    let groups: Vec<Gid> = user.groups.iter().copied().map(Gid::from_raw).collect();
    let uid = Uid::from_raw(user.uid);
    let gid = Gid::from_raw(user.gid);
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
    tracing::info!(uid = user.uid, gid = user.gid, groups = ?user.groups, "root privileges dropped");
    Ok(())
}

/// Gives up all capabilities except those kept, which are no longer in effect.
///
/// # Errors
/// When the system refuses.
pub fn give_up(keeps: Keeps) -> Result<(), PrivilegeError> {
    let held = held()?;
    if held.permitted.is_empty() && held.inheritable.is_empty() {
        // Some sandboxes refuse even to list capabilities.
        return Ok(());
    }
    let kept = held.permitted & kept(keeps);
    let sets = CapabilitySets { effective: CapabilitySet::empty(), permitted: kept, inheritable: kept };
    step("to give up capabilities", set_capabilities(None, sets))?;
    step("to hand no capability on", ambient(clear_ambient_capability_set()))
}

/// True if the process is root, and so has given up nothing.
pub fn is_root() -> bool {
    geteuid().is_root()
}

/// Gives up the capability kept for Envoy, on each new thread: only the first thread keeps it.
pub fn on_thread_start() {
    if !is_root()
        && let Err(error) = give_up(Keeps::Nothing)
    {
        tracing::warn!(%error, "a thread could not drop the capability kept for Envoy");
    }
}

/// Starts Envoy, with the capability to listen on ports below 1024 if this thread has kept it.
///
/// # Errors
/// Those of `start`; and when the capability can't be given or taken back, in which case no other program may be
/// started.
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

/// Calls `look` with the capability to listen on ports below 1024 in effect, if this thread has kept it: so that it can
/// do what Envoy could.
///
/// # Errors
/// When the capability can't be put into effect or out of it; the process must do nothing else then.
pub fn exercising<T>(look: impl FnOnce() -> T) -> io::Result<T> {
    // Some sandboxes refuse even to list capabilities.
    let Some(held) = capabilities(None).ok().filter(|held| !is_root() && held.permitted.contains(LISTENS)) else {
        return Ok(look());
    };
    let in_effect = CapabilitySets { effective: held.effective | LISTENS, ..held };
    set_capabilities(None, in_effect)?;
    let seen = look();
    set_capabilities(None, held)?;
    Ok(seen)
}

/// Passes on to Envoy the capability lent to this process, which is about to become Envoy: the system drops it from a
/// program whose own file grants it (`setcap`).
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

/// Removes all other capabilities from the bounding set. Containers may forbid that; then `no_new_privs` must do.
fn forget_others(kept: CapabilitySet) -> Result<(), PrivilegeError> {
    if !held()?.effective.contains(CapabilitySet::SETPCAP) {
        return Ok(());
    }
    // Bit by bit: the kernel may know capabilities that have no name here.
    for capability in (0..u64::BITS).map(|bit| CapabilitySet::from_bits_retain(1 << bit)) {
        match capability_is_in_bounding_set(capability) {
            Ok(true) if !kept.contains(capability) => {
                step("to forget a capability", remove_capability_from_bounding_set(capability))?;
            }
            Ok(_) => {}
            // The kernel knows no higher capability.
            Err(_) => break,
        }
    }
    Ok(())
}

/// Treats kernels before 4.3 as having an empty ambient set.
fn ambient(done: Result<(), Errno>) -> Result<(), Errno> {
    if done == Err(Errno::INVAL) { Ok(()) } else { done }
}

fn step<T>(what: &'static str, done: Result<T, impl Into<io::Error>>) -> Result<T, PrivilegeError> {
    done.map_err(|error| PrivilegeError::Refused { what, error: error.into() })
}

/// Reasons why root is not given up.
#[derive(Debug)]
pub enum PrivilegeError {
    /// The process is neither root nor the user.
    NotRoot {
        /// The process's uid.
        uid: u32,
        /// The process's gid.
        gid: u32,
    },
    /// The system refused a step.
    Refused {
        /// The step.
        what: &'static str,
        /// The system's error.
        error: io::Error,
    },
    /// Root was given up, and can be regained.
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
