//! Trusted files are used; all others are left alone.

#![allow(clippy::unwrap_used)]

use std::ffi::OsStr;
use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{CWD, FileType, Mode, mknodat};
use tempfile::TempDir;

use super::atomic_file::Access;
use super::secret;
use super::{Directory, FileError, Owners};

/// A user that is neither root nor us.
const SOMEBODY: u32 = 65_534;
/// A third user.
const ANOTHER: u32 = 54_321;

struct Scratch(TempDir);

impl Scratch {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn directory(&self, name: &str, mode: u32) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(&path).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        path
    }

    fn file(&self, name: &str, content: &str) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        path
    }

    fn open(&self) -> Directory {
        Directory::open(self.0.path(), Owners::Anybody).unwrap()
    }
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

fn give(path: &Path, user: u32) {
    chown(path, Some(user), Some(user)).unwrap();
}

fn name(name: &str) -> &OsStr {
    OsStr::new(name)
}

fn put(directory: &Directory, at: &str, content: &str) -> io::Result<()> {
    let mut new = directory.new_file(name(".new"), 0o600)?;
    new.write(|out| out.write_all(content.as_bytes()))?;
    new.put(name(at))?;
    Ok(())
}

#[test]
fn a_directory_that_others_can_write_into_is_no_place_and_neither_is_one_below_it() {
    let scratch = Scratch::new();
    let below = scratch.directory("open/below", 0o700);
    for mode in [0o777, 0o757, 0o702] {
        let open = scratch.directory("open", mode);
        for path in [&open, &below] {
            let error = Directory::open(path, Owners::Anybody).unwrap_err();
            assert!(matches!(&error, FileError::OpenDirectory { path, .. } if *path == open), "{error}");
            assert!(error.to_string().contains(&format!("chmod go-w {}", open.display())), "{error}");
        }
    }
    for mode in [0o1777, 0o755, 0o700] {
        scratch.directory("open", mode);
        assert!(Directory::open(&below, Owners::Anybody).is_ok(), "{mode:o}");
    }
}

#[test]
fn what_is_no_secret_may_lie_where_others_write_but_no_link_of_theirs_is_followed() {
    let scratch = Scratch::new();
    let open = scratch.directory("open", 0o777);
    scratch.directory("roots", 0o755);
    assert!(Directory::of_output(&open.join("file")).is_ok());
    if is_root() {
        symlink(scratch.path("roots"), open.join("link")).unwrap();
        std::os::unix::fs::lchown(open.join("link"), Some(ANOTHER), None).unwrap();
        let error = Directory::of_output(&open.join("link/file")).unwrap_err();
        assert!(matches!(error, FileError::ForeignLink { owner: ANOTHER, .. }), "{error}");
    }
}

#[test]
fn a_group_may_write_only_when_it_is_the_owners_own() {
    if !is_root() {
        return;
    }
    let scratch = Scratch::new();
    let path = scratch.directory("home", 0o775);
    // Neither has a name, so the group with the user's own number is the user's.
    chown(&path, Some(ANOTHER), Some(ANOTHER)).unwrap();
    assert!(Directory::open(&path, Owners::Anybody).is_ok());
    for group in [ANOTHER + 1, 0] {
        chown(&path, Some(ANOTHER), Some(group)).unwrap();
        assert!(matches!(Directory::open(&path, Owners::Anybody), Err(FileError::OpenDirectory { .. })), "{group}");
    }
    // Debian's nogroup is the group of several users.
    chown(&path, Some(0), Some(SOMEBODY)).unwrap();
    assert!(matches!(Directory::open(&path, Owners::Anybody), Err(FileError::OpenDirectory { .. })));
}

#[test]
fn a_directory_below_one_of_somebody_else_is_no_place() {
    if !is_root() {
        return;
    }
    let scratch = Scratch::new();
    let below = scratch.directory("theirs/below", 0o700);
    give(&scratch.path("theirs"), ANOTHER);
    for owner in [0, SOMEBODY] {
        give(&below, owner);
        let error = Directory::open(&below, Owners::Anybody).unwrap_err();
        assert!(matches!(error, FileError::ForeignDirectory { owner: ANOTHER, .. }), "{error}");
    }
    give(&below, ANOTHER);
    assert!(Directory::open(&below, Owners::Anybody).is_ok());
    assert!(matches!(Directory::open(&below, Owners::OursOrRoot), Err(FileError::ForeignDirectory { .. })));
}

#[test]
fn links_on_the_path_are_followed_if_their_owner_is_trusted() {
    let scratch = Scratch::new();
    let real = scratch.directory("real/deep", 0o700);
    symlink("real/../real", scratch.path("relative")).unwrap();
    symlink(scratch.path("relative/deep"), scratch.path("absolute")).unwrap();
    let (directory, file) = Directory::of(&scratch.path("absolute/../deep/file")).unwrap();
    assert_eq!((directory.path(), file.as_os_str()), (real.canonicalize().unwrap().as_path(), name("file")));
    symlink("round", scratch.path("round")).unwrap();
    assert!(Directory::of(&scratch.path("round/file")).is_err());
    if is_root() {
        std::os::unix::fs::lchown(scratch.path("relative"), Some(ANOTHER), None).unwrap();
        let error = Directory::of(&scratch.path("absolute/file")).unwrap_err();
        assert!(matches!(error, FileError::ForeignLink { owner: ANOTHER, .. }), "{error}");
    }
}

#[test]
fn a_link_in_somebodys_directory_leads_root_nowhere_else() {
    if !is_root() {
        return;
    }
    let scratch = Scratch::new();
    scratch.directory("theirs", 0o700);
    let victim = scratch.file("victim", "precious");
    symlink(&victim, scratch.path("theirs/acme.json")).unwrap();
    symlink(scratch.path("made-up"), scratch.path("theirs/nothing")).unwrap();
    give(&scratch.path("theirs"), ANOTHER);
    for file in ["theirs/acme.json", "theirs/nothing"] {
        let error = Directory::made_for(&scratch.path(file), 0o700).unwrap_err();
        assert!(matches!(error, FileError::ForeignDirectory { owner: ANOTHER, .. }), "{error}");
    }
    assert!(!scratch.path("made-up").exists());
}

#[test]
fn a_file_is_read_only_when_it_is_one_and_has_one_name() {
    let scratch = Scratch::new();
    let directory = scratch.open();
    scratch.file("file", "content");
    assert_eq!(directory.read(name("file"), 7).unwrap().unwrap().bytes, b"content");
    assert!(matches!(directory.read(name("file"), 6), Err(FileError::TooLarge { .. })));
    assert!(directory.read(name("none"), 7).unwrap().is_none());

    symlink("file", scratch.path("link")).unwrap();
    scratch.directory("directory", 0o700);
    mknodat(CWD, scratch.path("fifo"), FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
    let socket = std::os::unix::net::UnixListener::bind(scratch.path("socket")).unwrap();
    assert!(matches!(directory.read(name("link"), 7), Err(FileError::Link(_))));
    for other in ["directory", "fifo", "socket"] {
        assert!(matches!(directory.read(name(other), 7), Err(FileError::NotAFile(_))), "{other}");
        assert!(matches!(directory.lock(name(other)), Err(FileError::NotAFile(_))), "{other}");
    }
    drop(socket);
    fs::hard_link(scratch.path("file"), scratch.path("other")).unwrap();
    for one in ["file", "other"] {
        assert!(matches!(directory.read(name(one), 7), Err(FileError::ManyNames { count: 2, .. })));
        assert!(matches!(directory.lock(name(one)), Err(FileError::ManyNames { count: 2, .. })));
    }
    for path in ["../file", ".", "..", ""] {
        assert!(directory.read(name(path), 7).is_err(), "{path:?}");
    }
}

#[test]
fn a_file_of_somebody_else_is_left_alone() {
    if !is_root() {
        return;
    }
    let scratch = Scratch::new();
    give(&scratch.file("file", "theirs"), ANOTHER);
    let error = scratch.open().read(name("file"), 7).err().unwrap();
    assert!(matches!(error, FileError::ForeignFile { owner: ANOTHER, .. }), "{error}");
    assert!(error.to_string().contains("run: chown 0 "), "{error}");
}

#[test]
fn a_lock_is_for_one_and_never_behind_a_link() {
    let scratch = Scratch::new();
    let directory = scratch.open();
    let lock = directory.lock(name("lock")).unwrap();
    assert!(matches!(directory.lock(name("lock")), Err(FileError::Locked(_))));
    drop(lock);
    directory.lock(name("lock")).unwrap();
    assert_eq!(fs::metadata(scratch.path("lock")).unwrap().mode() & 0o7777, 0o600);
    let lock = directory.lock(name("lock")).unwrap();
    let waited = directory.wait_for_lock(name("lock"), Duration::from_millis(50));
    assert!(matches!(waited, Err(FileError::Locked(_))));
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| directory.wait_for_lock(name("lock"), Duration::from_secs(60)));
        drop(lock);
        waiting.join().unwrap().unwrap();
    });
    symlink("made-up", scratch.path("link")).unwrap();
    assert!(matches!(directory.lock(name("link")), Err(FileError::Link(_))));
    assert!(!scratch.path("made-up").exists());
}

#[test]
fn a_file_is_replaced_as_a_whole_and_never_through_what_lies_in_the_way() {
    let scratch = Scratch::new();
    let directory = scratch.open();
    let victim = scratch.file("victim", "precious");
    for at in [".new", "file"] {
        let _ = fs::remove_file(scratch.path("file"));
        symlink("victim", scratch.path(at)).unwrap();
        put(&directory, "file", "new").unwrap();
        fs::remove_file(scratch.path("file")).unwrap();
        fs::hard_link(&victim, scratch.path(at)).unwrap();
        put(&directory, "file", "new").unwrap();
        assert_eq!(fs::read_to_string(scratch.path("file")).unwrap(), "new");
    }
    assert_eq!((fs::read_to_string(&victim).unwrap(), fs::metadata(&victim).unwrap().nlink()), ("precious".into(), 1));
    let mut names = directory.names().unwrap();
    names.sort();
    assert_eq!(names, ["file", "victim"]);
}

#[test]
fn what_is_not_put_is_not_left() {
    let scratch = Scratch::new();
    let directory = scratch.open();
    let new = directory.new_file_for(name("file"), 0o600).unwrap();
    assert_eq!(directory.names().unwrap().len(), 1);
    drop(new);
    assert!(directory.names().unwrap().is_empty());
}

#[test]
fn root_works_in_somebodys_directory_as_that_user() {
    if !is_root() {
        return;
    }
    let scratch = Scratch::new();
    give(&scratch.directory("theirs", 0o700), SOMEBODY);
    let (directory, file) = Directory::made_for(&scratch.path("theirs/new/file"), 0o700).unwrap();
    put(&directory, "file", "x").unwrap();
    let _lock = directory.lock(name("file.lock")).unwrap();
    directory.make_link(name("link"), Path::new("file")).unwrap();
    for made in ["new", "new/file", "new/file.lock", "new/link"] {
        let metadata = fs::symlink_metadata(scratch.path("theirs").join(made)).unwrap();
        assert_eq!((metadata.uid(), metadata.gid()), (SOMEBODY, SOMEBODY), "{made}");
    }
    // Root can't do there what the owner can't do.
    fs::set_permissions(scratch.path("theirs/new"), Permissions::from_mode(0o500)).unwrap();
    assert_eq!(put(&directory, "file", "y").unwrap_err().kind(), io::ErrorKind::PermissionDenied);
    assert!(directory.remove(&file).is_err());
    // Elsewhere root's own rights count again.
    scratch.file("roots", "");
    assert_eq!(fs::metadata(scratch.path("roots")).unwrap().uid(), 0);
}

#[test]
fn a_file_that_root_has_left_in_somebodys_directory_is_taken_over() {
    if !is_root() {
        return;
    }
    let scratch = Scratch::new();
    scratch.directory("theirs", 0o700);
    scratch.file("theirs/file", "old");
    give(&scratch.path("theirs"), SOMEBODY);
    let (directory, file) = Directory::of(&scratch.path("theirs/file")).unwrap();
    assert_eq!(directory.read(&file, 10).unwrap().unwrap().bytes, b"old");
    put(&directory, "file", "new").unwrap();
    assert_eq!(fs::metadata(scratch.path("theirs/file")).unwrap().uid(), SOMEBODY);
}

#[test]
fn a_secret_that_others_may_write_is_refused_and_one_that_all_may_read_is_reported() {
    let scratch = Scratch::new();
    let path = scratch.file("token", "secret");
    let set = |mode| fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
    for mode in [0o600, 0o400, 0o640, 0o440] {
        set(mode);
        assert_eq!(secret::read(&path, 6).unwrap(), b"secret", "{mode:o}");
        assert!(secret::read_exposed(&path, 6).unwrap().doubts.is_empty());
    }
    for mode in [0o644, 0o604, 0o444] {
        set(mode);
        let error = secret::read(&path, 6).err().unwrap().to_string();
        assert!(error.contains(&format!("chmod o-r {}", path.display())), "{error}");
        let read = secret::read_exposed(&path, 6).unwrap();
        assert!(matches!(read.doubts[..], [FileError::Exposed { mode: told, .. }] if told == mode));
    }
    for mode in [0o602, 0o606, 0o622, 0o666] {
        set(mode);
        assert!(matches!(secret::read_exposed(&path, 6), Err(FileError::Writable { .. })), "{mode:o}");
    }
    set(0o600);
    assert!(matches!(secret::read(&path, 5), Err(FileError::TooLarge { .. })));
    assert!(matches!(secret::read(scratch.0.path(), 5), Err(FileError::NotAFile(_))));
    // Containers mount secrets in this way.
    symlink("token", scratch.path("link")).unwrap();
    assert_eq!(secret::read(&scratch.path("link"), 6).unwrap(), b"secret");
}

/// M6: the owner of the file, or of a directory on the path, decides its content.
#[test]
fn a_secret_that_a_stranger_can_replace_is_refused_as_a_token_and_reported_as_a_key() {
    let scratch = Scratch::new();
    let open = scratch.directory("open", 0o777);
    let below = scratch.file("open/token", "secret");
    symlink("open/token", scratch.path("link")).unwrap();
    for path in [&below, &scratch.path("link")] {
        let error = secret::read(path, 6).err().unwrap();
        assert!(matches!(&error, FileError::OpenDirectory { path, .. } if *path == open), "{error}");
        let read = secret::read_exposed(path, 6).unwrap();
        assert!(matches!(&read.doubts[..], [FileError::OpenDirectory { path, .. }] if *path == open));
        assert_eq!(read.bytes, b"secret");
    }
    if !is_root() {
        return;
    }
    let theirs = scratch.file("token", "secret");
    give(&theirs, ANOTHER);
    let error = secret::read(&theirs, 6).err().unwrap();
    assert!(error.to_string().contains(&format!("run: chown 0 {}", theirs.display())), "{error}");
    assert!(matches!(secret::read_exposed(&theirs, 6).unwrap().doubts[..], [FileError::ForeignSecret { .. }]));
    // A sticky directory keeps others from renaming existing entries, not from creating them first.
    scratch.directory("sticky", 0o1777);
    fs::rename(&theirs, scratch.path("sticky/token")).unwrap();
    assert!(matches!(secret::read(&scratch.path("sticky/token"), 6), Err(FileError::ForeignSecret { .. })));
    // A stranger's link to a file of ours.
    scratch.file("ours", "secret");
    symlink(scratch.path("ours"), scratch.path("sticky/link")).unwrap();
    std::os::unix::fs::lchown(scratch.path("sticky/link"), Some(ANOTHER), None).unwrap();
    assert!(matches!(secret::read(&scratch.path("sticky/link"), 6), Err(FileError::ForeignLink { .. })));
}

#[test]
fn secrets_are_taken_as_kubernetes_and_certbot_have_them_and_from_a_users_own_directory() {
    let scratch = Scratch::new();
    // A volume: everybody may write, and the sticky bit has no effect.
    scratch.directory("volume/..2026", 0o755);
    scratch.directory("volume", 0o1777);
    fs::set_permissions(scratch.file("volume/..2026/token", "secret"), Permissions::from_mode(0o400)).unwrap();
    symlink("..2026", scratch.path("volume/..data")).unwrap();
    symlink("..data/token", scratch.path("volume/token")).unwrap();
    scratch.directory("letsencrypt/archive/a.example", 0o700);
    scratch.directory("letsencrypt/live/a.example", 0o700);
    scratch.file("letsencrypt/archive/a.example/privkey1.pem", "secret");
    let link = "letsencrypt/live/a.example/privkey.pem";
    symlink("../../archive/a.example/privkey1.pem", scratch.path(link)).unwrap();
    for path in ["volume/token", link] {
        assert_eq!(secret::read(&scratch.path(path), 6).unwrap(), b"secret", "{path}");
    }
    fs::set_permissions(scratch.path("volume/token"), Permissions::from_mode(0o444)).unwrap();
    let read = secret::read_exposed(&scratch.path("volume/token"), 6).unwrap();
    assert!(matches!(read.doubts[..], [FileError::Exposed { mode: 0o444, .. }]));
    if is_root() {
        // With the umask of a user who has a group of the same number, without a name.
        scratch.directory("home", 0o770);
        fs::set_permissions(scratch.file("home/token", "secret"), Permissions::from_mode(0o660)).unwrap();
        give(&scratch.path("home/token"), ANOTHER);
        give(&scratch.path("home"), ANOTHER);
        assert_eq!(secret::read(&scratch.path("home/token"), 6).unwrap(), b"secret");
    }
}

#[test]
fn a_secret_of_ours_is_made_once_and_replaced_whole() {
    let scratch = Scratch::new();
    let path = scratch.path("run/token");
    let access = Access { mode: 0o640, group: is_root().then_some(ANOTHER) };
    assert!(secret::create(&path, access, b"first").unwrap());
    assert!(!secret::create(&path, access, b"second").unwrap());
    assert_eq!(fs::read(&path).unwrap(), b"first");
    secret::replace(&path, access, b"third").unwrap();
    assert_eq!(secret::read(&path, 10).unwrap(), b"third");
    let metadata = fs::metadata(&path).unwrap();
    assert_eq!(metadata.mode() & 0o7777, 0o640);
    assert!(!is_root() || metadata.gid() == ANOTHER);
    assert_eq!(fs::read_dir(scratch.path("run")).unwrap().count(), 1);
    symlink("token", scratch.path("run/link")).unwrap();
    secret::replace(&scratch.path("run/link"), access, b"fourth").unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"fourth");
}

#[test]
fn a_secret_of_ours_is_never_behind_a_link() {
    let scratch = Scratch::new();
    scratch.file("other", "0123456789abcdef");
    symlink("other", scratch.path("token")).unwrap();
    assert!(matches!(secret::read_own(&scratch.path("token"), 20), Err(FileError::Link(_))));
    fs::remove_file(scratch.path("token")).unwrap();
    fs::hard_link(scratch.path("other"), scratch.path("token")).unwrap();
    assert!(matches!(secret::read_own(&scratch.path("token"), 20), Err(FileError::ManyNames { .. })));
    fs::remove_file(scratch.path("other")).unwrap();
    assert_eq!(secret::read_own(&scratch.path("token"), 20).unwrap().len(), 16);
}

/// No other module opens, creates, renames or removes a file of ours: the names of the functions that could do so are
/// in no other module, except in those that read the user's own files.
#[test]
fn nothing_but_this_module_touches_files() {
    const READERS: [(&str, &str); 10] = [
        ("sidecar/src/cli/input_files.rs", "configurations"),
        ("sidecar/src/cli/render/into.rs", "whether two paths are one file"),
        ("dns01/src/lookup/recursive.rs", "/etc/resolv.conf"),
        ("sidecar/src/holder/", "what the kernel tells of sockets and processes"),
        ("storage/src/import/", "another tool's files"),
        ("sidecar/src/provided/", "when the user's certificates changed, and what lies in their directories"),
        ("sidecar/src/run/directory.rs", "a temporary directory of a random name, which is judged like any other"),
        ("sidecar/src/run/plugin.rs", "where the plugin is"),
        ("sidecar/src/run/ports/", "what the kernel says of ports, and whether Envoy is a script"),
        ("storage/src/file/", "whether two paths are one file"),
    ];
    const READING: [&str; 6] =
        ["File::open", "fs::canonicalize", "fs::metadata", "fs::read", "fs::symlink_metadata", "OpenOptions"];
    const WRITING: [&str; 24] = [
        "DirBuilder",
        "File::create",
        "File::options",
        "UnixDatagram::bind",
        "UnixListener::bind",
        "chmod(",
        "chmodat(",
        "chown(",
        "chownat(",
        "create_new",
        "fs::copy",
        "fs::create_dir",
        "fs::hard_link",
        "fs::remove",
        "fs::rename",
        "fs::set_permissions",
        "fs::write",
        "openat",
        "set_permissions",
        "setfsuid",
        " symlink(",
        "fs::symlink(",
        "truncate(true)",
        "write(true)",
    ];
    const CRATES: [&str; 6] = ["base", "dns01", "pki", "sds", "sidecar", "storage"];
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let (mut found, mut looked_at) = (Vec::new(), 0);
    let mut left: Vec<_> = CRATES.iter().map(|name| root.join(name).join("src")).collect();
    while let Some(path) = left.pop() {
        if path.is_dir() {
            left.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            continue;
        }
        let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
        let is_test = name.contains("/tests/") || name.ends_with("tests.rs") || name.ends_with("testing.rs");
        if is_test || name.starts_with("base/src/files/") {
            continue;
        }
        looked_at += 1;
        let text = fs::read_to_string(&path).unwrap();
        let code = text.split("#[cfg(test)]\nmod tests").next().unwrap();
        let is_reader = READERS.iter().any(|(reader, _)| name.starts_with(reader));
        let banned = WRITING.iter().chain(READING.iter().filter(|_| !is_reader)).chain(["tempfile"].iter());
        // `LastGoodFile::open` is not `File::open`.
        let is_word = |(start, _): (usize, &str)| !code[..start].ends_with(|c: char| c.is_alphanumeric() || c == '_');
        for word in banned.filter(|word| code.match_indices(**word).any(is_word)) {
            found.push(format!("{name}: {word}"));
        }
    }
    // The test directory is removed by the same descriptors.
    found.retain(|line| line != "sidecar/src/run/directory.rs: tempfile");
    assert!(found.is_empty() && looked_at > 150, "{looked_at} files, of which use files by themselves: {found:#?}");
}
