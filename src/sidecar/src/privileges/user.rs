//! A user that root may become.

use std::ffi::CString;
use std::path::PathBuf;
use std::str::FromStr;

use nix::unistd::{self, Gid, Group, Uid, getgrouplist};

/// A user with its groups. Never root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    pub(super) uid: u32,
    pub(super) gid: u32,
    /// The supplementary groups.
    pub(super) groups: Vec<u32>,
    pub(super) home: PathBuf,
}

impl FromStr for User {
    type Err = String;

    /// Parses `NAME` or `UID`, with the groups that the system lists for the user; a group after a colon is the only
    /// one. A UID unknown to the system has the group of the same number.
    fn from_str(text: &str) -> Result<Self, String> {
        let (name, group) = match text.split_once(':') {
            Some((name, group)) => (name, Some(group)),
            None => (text, None),
        };
        let number = name.parse::<u32>().ok();
        let known = match number {
            Some(uid) => unistd::User::from_uid(Uid::from_raw(uid)),
            None => unistd::User::from_name(name),
        };
        let known = known.map_err(|error| format!("users can't be looked up: {error}"))?;
        let uid = known
            .as_ref()
            .map(|known| known.uid.as_raw())
            .or(number)
            .ok_or("there is no such user; `useradd --system NAME` makes one")?;
        let home = known.as_ref().map_or_else(|| PathBuf::from("/"), |known| known.dir.clone());
        let (gid, groups) = match (group, known) {
            (Some(group), _) => (of_text(group)?, Vec::new()),
            (None, Some(known)) => (known.gid.as_raw(), of_user(&known)?),
            (None, None) => (uid, Vec::new()),
        };
        // In the system calls, the largest number means "leave unchanged".
        if uid == 0 || uid == u32::MAX || gid == u32::MAX {
            return Err("expected a user other than root, as in nobody, 65534 or 1000:1000".to_owned());
        }
        Ok(Self { uid, gid, groups, home })
    }
}

fn of_text(group: &str) -> Result<u32, String> {
    if let Ok(number) = group.parse() {
        return Ok(number);
    }
    match Group::from_name(group) {
        Ok(Some(group)) => Ok(group.gid.as_raw()),
        Ok(None) => Err("there is no such group".to_owned()),
        Err(error) => Err(format!("groups can't be looked up: {error}")),
    }
}

/// All groups of a user that the system knows.
fn of_user(user: &unistd::User) -> Result<Vec<u32>, String> {
    let name = CString::new(user.name.as_str()).map_err(|error| error.to_string())?;
    let groups = getgrouplist(&name, user.gid).map_err(|error| format!("groups can't be looked up: {error}"))?;
    Ok(groups.into_iter().map(Gid::as_raw).collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn user(text: &str) -> Result<User, String> {
        text.parse()
    }

    #[test]
    fn a_user_that_the_system_knows_has_its_own_groups_and_one_that_is_given_is_the_only_one() {
        let nobody = unistd::User::from_name("nobody").unwrap().unwrap();
        let uid = nobody.uid.as_raw();
        let gid = nobody.gid.as_raw();
        let known = User { uid, gid, groups: vec![gid], home: nobody.dir.clone() };
        assert_eq!((user("nobody"), user(&uid.to_string())), (Ok(known.clone()), Ok(known)));
        let alone = User { uid, gid: 4242, groups: Vec::new(), home: nobody.dir };
        assert_eq!(user("nobody:4242"), Ok(alone));
    }

    #[test]
    fn a_number_that_the_system_does_not_know_has_the_group_of_the_same_number() {
        let made_up = |gid| Ok(User { uid: 3_123_456, gid, groups: Vec::new(), home: "/".into() });
        assert_eq!((user("3123456"), user("3123456:77")), (made_up(3_123_456), made_up(77)));
    }

    #[test]
    fn root_and_what_is_no_user_are_refused() {
        // setresuid takes the last one as "leave unchanged", so root would stay.
        for text in ["root", "0", "0:1000", "4294967295", "1000:4294967295", "-1"] {
            assert!(user(text).is_err(), "{text}");
        }
        assert_eq!(user("no such user"), Err("there is no such user; `useradd --system NAME` makes one".to_owned()));
        assert_eq!(user("1000:no such group"), Err("there is no such group".to_owned()));
        assert!(user("").is_err() && user(":").is_err() && user("1000:").is_err());
    }
}
