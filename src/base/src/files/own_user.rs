//! The user whose rights this process has.

/// The effective user id of this process.
pub(super) fn own_user() -> u32 {
    rustix::process::geteuid().as_raw()
}
