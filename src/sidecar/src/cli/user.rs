//! The flag of whoever may be started as root and goes on as somebody else.

use clap::Args;

use crate::privileges::{Keeps, PrivilegeError, User, become_user};

/// The user to go on as.
#[derive(Args, Clone, Debug, Default)]
pub struct UserArgs {
    /// User to go on as, when this is started as root: a name or number, and behind a colon the only group to be in
    /// instead of the user's own. Root is given up before any file or socket is opened.
    #[arg(long, env = "ENVOY_AUTOCERT_USER", value_name = "USER[:GROUP]", help_heading = "Running")]
    pub user: Option<User>,
}

impl UserArgs {
    /// Becomes that user, if there is one. To be called before there is a second thread.
    ///
    /// # Errors
    /// When this is not root, or the system refuses.
    pub(super) fn apply(&self, keeps: Keeps) -> Result<(), PrivilegeError> {
        self.user.as_ref().map_or(Ok(()), |user| become_user(user, keeps))
    }
}
