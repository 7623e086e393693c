//! Files of our own: every one of them is opened, made, replaced, locked and removed here, and nowhere else.
//!
//! Promises: a file is reached by its name in a directory that is open and has been judged, and never through a link; it
//! is a regular file with one name, of ours, the directory's owner or root; what is new appears whole and under a name
//! that was free, or takes the place of the old one by one step. Owners are never changed, and groups only of what the
//! same call has made. As root in somebody's directory, whatever is changed there is changed with that user's rights.
//!
//! Refuses: directories in which, or above which, somebody else could put another one in its place. As with sshd's
//! configuration, every directory from the root on, and every link on the way, must be of root or of whom it is for, and
//! nobody else may write into it; sticky ones, such as `/tmp`, and ones of a user's private group are fine.
//!
//! | file | what it does |
//! |---|---|
//! | `walk.rs` | from a path to an open directory, link by link |
//! | `trust.rs` | whether directories, links and files are to be trusted |
//! | `directory.rs` | an open directory, and files in it |
//! | `inner.rs`, `lock.rs` | links and directories in it; locks |
//! | `new_file.rs` | a file that is not there yet, or is to take the place of another one |
//! | `atomic_file.rs` | files that are replaced whole, for whoever writes one |
//! | `acting.rs` | root's work with another user's rights |
//! | `secret.rs` | files with a secret: the user's, and those that we make |
//! | `socket.rs` | sockets |
//! | `users.rs` | the user's files that are only read |
//! | `error.rs` | what was found, what was expected, what to do |

mod acting;
pub mod atomic_file;
mod directory;
mod error;
mod inner;
mod lock;
mod new_file;
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
