//! The flag that makes a process started as root become another user.

use clap::Args;

use crate::privileges::{Keeps, PrivilegeError, User, become_user};

/// The user to run as.
#[derive(Args, Clone, Debug, Default)]
pub struct UserArgs {
    /// User to run as, when started as root: a name or number, and behind a colon the only group to be in instead of
    /// the user's own. Root is given up before any file or socket is opened.
    #[arg(long, env = "ENVOY_AUTOCERT_USER", value_name = "USER[:GROUP]", help_heading = "Running")]
    pub user: Option<User>,
}

impl UserArgs {
    /// Becomes that user, if there is one. Call it before there is a second thread.
    ///
    /// # Errors
    /// When the process is not root, or the system refuses.
    pub(super) fn apply(&self, keeps: Keeps) -> Result<(), PrivilegeError> {
        self.user.as_ref().map_or(Ok(()), |user| become_user(user, keeps))
    }
}
