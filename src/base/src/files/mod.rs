//! Files of our own: all of them are opened, created, replaced, locked and removed here, and nowhere else.
//!
//! Promises: a file is accessed by its name in an open directory that has passed the checks, and never through a link;
//! it is a regular file with one name, owned by us, the directory's owner or root; a new file appears complete and
//! under an unused name, or atomically replaces the old one. Owners are never changed, and groups only of files that
//! the same call has created. As root in another user's directory, changes are made with that user's rights.
//!
//! Refuses: directories that another user could replace, or whose parents another user could replace. As with sshd's
//! configuration, every directory from the root on, and every link on the path, must be owned by root or by the user it
//! is for, and nobody else may write to it; sticky directories, such as `/tmp`, and those of a user's private group are
//! fine.
//!
//! | file | its part |
//! |---|---|
//! | `walk.rs` | from a path to an open directory, link by link |
//! | `trust.rs` | checks of directories, links and files |
//! | `directory.rs` | an open directory, and files in it |
//! | `inner.rs`, `lock.rs` | links and directories in it; locks |
//! | `new_file.rs` | a new file, or a replacement of one |
//! | `atomic_file.rs` | atomic creation and replacement of files |
//! | `acting.rs` | root's work with another user's rights |
//! | `secret.rs` | files with a secret: the user's, and our own |
//! | `socket.rs` | sockets |
//! | `users.rs` | the user's files, which are only read |
//! | `own_user.rs` | the user whose rights this process has |
//! | `error.rs` | what was found, what was expected, what to do |

mod acting;
pub mod atomic_file;
mod directory;
mod error;
mod inner;
mod lock;
mod new_file;
mod own_user;
pub mod secret;
mod socket;
mod trust;
pub mod users;
mod walk;

pub use directory::{Content, Directory};
pub use error::FileError;
pub use lock::Lock;
pub use new_file::NewFile;
pub use trust::Owners;

#[cfg(test)]
mod tests;
