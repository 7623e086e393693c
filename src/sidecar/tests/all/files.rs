//! Files of ours in directories where others can write: the reproductions of what once gave root's files away.
//!
//! Those that need two users run as root alone, with the sidecar's directory in another user's hands.

use std::fs::{self, Permissions};
use std::io::{Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::harness::{Home, TestCa, id, traefik_certificate};
use rustix::fs::{CWD, FileType, Mode, mknodat};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

const BINARY: &str = env!("CARGO_BIN_EXE_envoy-autocert");
/// The sidecar's user.
const USER: u32 = 65_534;
/// The time for an operation that takes a moment on an idle machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// The end of a command, or that it serves.
#[derive(Debug)]
enum Outcome {
    Ended(Option<i32>, String),
    Serves,
}

impl Outcome {
    fn refusal(&self) -> &str {
        match self {
            Self::Ended(Some(1), told) => told,
            other => panic!("{other:?}"),
        }
    }
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

/// True if the API answers: it is bound before everything that is refused has been looked at, and serves after that.
fn answers(socket: &Path) -> bool {
    let Ok(mut api) = UnixStream::connect(socket) else { return false };
    api.set_read_timeout(Some(PATIENCE)).unwrap();
    let asked = api.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    asked.is_ok() && api.read(&mut [0; 1]).is_ok_and(|length| length > 0)
}

/// Waits until the command ends, or answers on its socket; then it is told to end.
fn run(home: &Home, command: &mut Command) -> Outcome {
    let errors = fs::File::create(home.path("stderr")).unwrap();
    let mut child = command.stdout(Stdio::null()).stderr(errors).spawn().unwrap();
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return Outcome::Ended(status.code(), fs::read_to_string(home.path("stderr")).unwrap());
        }
        if answers(&home.api_socket()) {
            end(&mut child);
            return Outcome::Serves;
        }
        if start.elapsed() > PATIENCE {
            child.kill().unwrap();
            child.wait().unwrap();
            panic!("it hangs");
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn end(child: &mut Child) {
    kill_process(Pid::from_child(child), Signal::TERM).unwrap();
    child.wait().unwrap();
}

/// A directory of the sidecar's user, whose storage is `d/acme.json`, and beside it what root has.
struct Scene {
    home: Home,
}

impl Scene {
    fn new() -> Self {
        let scene = Self { home: Home::new() };
        set_mode(&scene.home.path("."), 0o755);
        fs::create_dir(scene.path("d")).unwrap();
        scene.write("d/acme.json", "{}", USER);
        chown(scene.path("d"), Some(USER), Some(USER)).unwrap();
        scene.write("victim", "precious", 0);
        let ca = TestCa::new();
        let (chain, key) = ca.pair(&id(&["a.example"]), 60);
        let certificates = [traefik_certificate(&chain, &key, "a.example", &[])];
        scene.write("source.json", &json!({"le": {"Certificates": certificates}}).to_string(), 0);
        scene
    }

    fn path(&self, name: &str) -> PathBuf {
        self.home.path(name)
    }

    fn write(&self, name: &str, text: &str, owner: u32) {
        fs::write(self.path(name), text).unwrap();
        set_mode(&self.path(name), 0o600);
        chown(self.path(name), Some(owner), Some(owner)).unwrap();
    }

    fn commands(&self) -> [(&'static str, Command); 3] {
        let mut commands = ["import", "import --dry-run", "sidecar"].map(|words| {
            let mut command = Command::new(BINARY);
            command.args(words.split(' ')).arg("--storage").arg(self.path("d/acme.json"));
            (words, command)
        });
        commands[0].1.arg(self.path("source.json"));
        commands[1].1.arg(self.path("source.json"));
        let sockets = [self.path("run/api.sock"), self.path("run/sds.sock")];
        commands[2].1.arg("--api-socket").arg(&sockets[0]).arg("--sds-socket").arg(&sockets[1]);
        commands
    }

    /// Checks that root's file is unchanged, and nothing of root's was created.
    fn assert_untouched(&self, why: &str) {
        let metadata = fs::metadata(self.path("victim")).unwrap();
        assert_eq!((metadata.uid(), metadata.gid(), metadata.mode() & 0o7777), (0, 0, 0o600), "{why}");
        assert_eq!(fs::read_to_string(self.path("victim")).unwrap(), "precious", "{why}");
        assert!(fs::symlink_metadata(self.path("made-up")).is_err(), "{why}: it was made");
    }

    fn owned_by_user(&self, name: &str) {
        let metadata = fs::symlink_metadata(self.path(name)).unwrap();
        assert_eq!((metadata.uid(), metadata.mode() & 0o7777), (USER, 0o600), "{name}");
    }
}

/// S1: `import`, also with `--dry-run`, and `sidecar` as root followed a link at the lock and gave its target away.
#[test]
fn root_gives_nothing_away_by_a_link_in_the_storages_directory() {
    if !is_root() {
        return;
    }
    for at in ["acme.json.lock", "acme.json", ".acme.json.new"] {
        for target in ["victim", "made-up"] {
            let scene = Scene::new();
            for (what, mut command) in scene.commands() {
                let link = scene.path("d").join(at);
                let _ = fs::remove_file(&link);
                symlink(scene.path(target), &link).unwrap();
                std::os::unix::fs::lchown(&link, Some(USER), Some(USER)).unwrap();
                let outcome = run(&scene.home, &mut command);
                scene.assert_untouched(&format!("{what}, {at} leads to the {target}"));
                match at {
                    // What a crash left there is removed before a new one is made.
                    ".acme.json.new" => assert!(!matches!(outcome, Outcome::Ended(Some(1), _)), "{outcome:?}"),
                    // A dry run has no use for a lock.
                    "acme.json.lock" if what.contains("dry") => assert!(matches!(outcome, Outcome::Ended(Some(0), _))),
                    _ => assert!(outcome.refusal().contains("link") || at == "acme.json", "{outcome:?}"),
                }
            }
        }
    }
}

#[test]
fn root_gives_nothing_away_by_a_second_name_of_a_file() {
    if !is_root() {
        return;
    }
    for at in ["acme.json.lock", "acme.json", ".acme.json.new"] {
        let scene = Scene::new();
        for (what, mut command) in scene.commands() {
            let name = scene.path("d").join(at);
            let _ = fs::remove_file(&name);
            fs::hard_link(scene.path("victim"), &name).unwrap();
            let outcome = run(&scene.home, &mut command);
            scene.assert_untouched(&format!("{what}, {at}"));
            if at == "acme.json" || (at == "acme.json.lock" && !what.contains("dry")) {
                assert!(outcome.refusal().contains("2 names"), "{outcome:?}");
            }
        }
    }
}

/// Whoever owns a directory on the way could lead it elsewhere at any moment.
#[test]
fn root_follows_no_directory_of_somebody_who_is_not_the_storages_owner() {
    if !is_root() {
        return;
    }
    let scene = Scene::new();
    fs::create_dir(scene.path("roots")).unwrap();
    scene.write("roots/acme.json", "{}", 0);
    fs::rename(scene.path("d/acme.json"), scene.path("d/other.json")).unwrap();
    symlink(scene.path("roots/acme.json"), scene.path("d/acme.json")).unwrap();
    for (what, mut command) in scene.commands() {
        let outcome = run(&scene.home, &mut command);
        assert!(outcome.refusal().contains(&format!("belongs to the uid {USER}")), "{what}: {outcome:?}");
        assert_eq!(fs::read_dir(scene.path("roots")).unwrap().count(), 1, "{what}");
    }
}

#[test]
fn what_root_imports_into_somebodys_directory_is_that_users() {
    if !is_root() {
        return;
    }
    for is_new in [true, false] {
        let scene = Scene::new();
        if is_new {
            fs::remove_file(scene.path("d/acme.json")).unwrap();
        }
        let [(_, mut import), (_, mut dry_run), (_, mut sidecar)] = scene.commands();
        let count = || fs::read_dir(scene.path("d")).unwrap().count();
        let before = count();
        assert!(matches!(run(&scene.home, &mut dry_run), Outcome::Ended(Some(0), _)));
        assert_eq!(count(), before);
        assert!(matches!(run(&scene.home, &mut import), Outcome::Ended(Some(0), _)));
        for name in ["d/acme.json", "d/acme.json.lock"] {
            scene.owned_by_user(name);
        }
        assert!(matches!(run(&scene.home, &mut sidecar), Outcome::Serves));
        scene.owned_by_user("d/acme.json");
        // And that user's sidecar starts with it.
        let sockets = ["api.sock", "sds.sock"].map(|name| scene.path("run").join(name));
        let _ = fs::remove_dir_all(scene.path("run"));
        fs::create_dir(scene.path("run")).unwrap();
        chown(scene.path("run"), Some(USER), Some(USER)).unwrap();
        let mut theirs = Command::new(BINARY);
        theirs.arg("sidecar").arg("--storage").arg(scene.path("d/acme.json")).uid(USER).gid(USER);
        theirs.arg("--api-socket").arg(&sockets[0]).arg("--sds-socket").arg(&sockets[1]);
        let outcome = run(&scene.home, &mut theirs);
        assert!(matches!(outcome, Outcome::Serves), "{outcome:?}");
    }
}

/// A container whose root has used a volume of another user before.
#[test]
fn a_storage_that_root_left_in_somebodys_directory_goes_on_working_for_root() {
    if !is_root() {
        return;
    }
    let scene = Scene::new();
    scene.write("d/acme.json", "{}", 0);
    scene.write("d/acme.json.lock", "", 0);
    let [(_, mut import), _, (_, mut sidecar)] = scene.commands();
    assert!(matches!(run(&scene.home, &mut import), Outcome::Ended(Some(0), _)));
    assert!(matches!(run(&scene.home, &mut sidecar), Outcome::Serves));
    scene.owned_by_user("d/acme.json");
}

/// S13: `/etc/shadow.lock`, say, stops `passwd`.
#[test]
fn nothing_is_made_beside_what_a_link_leads_to_before_it_is_judged() {
    let home = Home::new();
    fs::create_dir(home.path("etc")).unwrap();
    fs::write(home.path("etc/shadow"), "{}").unwrap();
    set_mode(&home.path("etc/shadow"), 0o640);
    symlink(home.path("etc/shadow"), home.storage()).unwrap();
    let outcome = run(&home, Command::new(BINARY).args(home.arguments()));
    assert!(outcome.refusal().contains("run: chmod 600"), "{outcome:?}");
    let names: Vec<_> = fs::read_dir(home.path("etc")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["shadow"]);
}

#[test]
fn a_storage_that_the_user_has_linked_is_used_where_it_is() {
    let home = Home::new();
    fs::create_dir(home.path("volume")).unwrap();
    set_mode(&home.path("volume"), 0o700);
    symlink("volume/acme.json", home.storage()).unwrap();
    for _ in 0..2 {
        assert!(matches!(run(&home, Command::new(BINARY).args(home.arguments())), Outcome::Serves));
        assert!(fs::symlink_metadata(home.storage()).unwrap().is_symlink());
        assert!(fs::symlink_metadata(home.path("volume/acme.json")).unwrap().is_file());
    }
}

/// S13: opening it for writing waited for a reader that never came.
#[test]
fn a_fifo_where_the_lock_is_to_be_holds_up_nobody() {
    let home = Home::new();
    mknodat(CWD, home.path("acme.json.lock"), FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
    let outcome = run(&home, Command::new(BINARY).args(home.arguments()));
    assert!(outcome.refusal().contains("acme.json.lock: expected a regular file"), "{outcome:?}");
}

/// S14.
#[test]
fn a_token_that_others_know_is_no_token() {
    let home = Home::new();
    let token = home.path("token");
    fs::write(&token, "0123456789abcdef\n").unwrap();
    let start = || {
        let mut command = Command::new(BINARY);
        command.args(home.arguments()).args(["--api-address", "127.0.0.1:0", "--api-token-file"]).arg(&token);
        run(&home, &mut command)
    };
    for (mode, remedy) in [(0o644, "chmod o-r"), (0o604, "chmod o-r"), (0o666, "chmod go-w"), (0o602, "chmod go-w")] {
        set_mode(&token, mode);
        assert!(start().refusal().contains(&format!("{remedy} {}", token.display())), "{mode:o}");
    }
    for mode in [0o600, 0o640] {
        set_mode(&token, mode);
        assert!(matches!(start(), Outcome::Serves), "{mode:o}");
    }
}

/// M6: a stranger's file, or one that a stranger can put another in the place of.
#[test]
fn a_token_that_strangers_can_replace_is_no_token() {
    let home = Home::new();
    let (directory, token) = (home.path("tokens"), home.path("tokens/token"));
    fs::create_dir(&directory).unwrap();
    fs::write(&token, "0123456789abcdef\n").unwrap();
    set_mode(&token, 0o600);
    let start = || {
        let mut command = Command::new(BINARY);
        command.args(home.arguments()).args(["--api-address", "127.0.0.1:0", "--api-token-file"]).arg(&token);
        run(&home, &mut command)
    };
    set_mode(&directory, 0o777);
    assert!(start().refusal().contains(&format!("chmod go-w {}", directory.display())));
    set_mode(&directory, 0o755);
    assert!(matches!(start(), Outcome::Serves));
    if is_root() {
        chown(&token, Some(USER), Some(USER)).unwrap();
        assert!(start().refusal().contains(&format!("chown 0 {}", token.display())));
        // In that user's own directory it is that user's sidecar that root starts.
        chown(&directory, Some(USER), Some(USER)).unwrap();
        assert!(matches!(start(), Outcome::Serves));
    }
}

/// S14.
#[tokio::test]
async fn a_key_that_others_can_change_is_not_served() {
    let (home, ca) = (Home::new(), TestCa::new());
    let (chain, key) = ca.pair(&id(&["own.example"]), 60);
    fs::write(home.path("own.crt"), chain).unwrap();
    fs::write(home.path("own.key"), key).unwrap();
    let pair = format!("{},{}", home.path("own.crt").display(), home.path("own.key").display());
    for (mode, is_served) in [(0o666, false), (0o602, false), (0o600, true), (0o640, true), (0o644, true)] {
        set_mode(&home.path("own.key"), mode);
        let sidecar = home.start_with(&["--cert", &pair]).await.unwrap();
        let provided = home.engine().await.state().await.provided;
        let names: Vec<_> = provided.into_iter().flat_map(|provided| provided.names).collect();
        assert_eq!(names.contains(&"own.example".to_owned()), is_served, "{mode:o}");
        sidecar.stop().await.unwrap();
    }
}

/// S15: somebody renames the directory, and puts another one there.
#[test]
fn no_directory_is_safe_below_one_that_others_can_write_into() {
    let home = Home::new();
    let open = home.path("open");
    fs::create_dir_all(open.join("below")).unwrap();
    set_mode(&open, 0o777);
    let path = |name: &str| open.join(name).display().to_string();
    let expected = format!("run: chmod go-w {}", open.display());
    let more = [
        ["--api-socket".to_owned(), path("below/api.sock")],
        ["--sds-socket".to_owned(), path("new/deep/sds.sock")],
        ["--storage".to_owned(), path("below/acme.json")],
        ["--storage".to_owned(), path("new/acme.json")],
    ];
    for more in more {
        let mut command = Command::new(BINARY);
        let ours = ["--api-socket", "--sds-socket", "--storage"].iter().filter(|flag| **flag != more[0]);
        let paths = [home.path("run/api.sock"), home.path("run/sds.sock"), home.storage()];
        command.arg("sidecar").args(&more);
        for flag in ours {
            let at = ["--api-socket", "--sds-socket", "--storage"].iter().position(|known| known == flag).unwrap();
            command.arg(flag).arg(&paths[at]);
        }
        let outcome = run(&home, &mut command);
        assert!(outcome.refusal().contains(&expected), "{more:?}: {outcome:?}");
        assert!(!open.join("new").exists(), "{more:?}");
    }
    let mut command = Command::new(BINARY);
    command.args(["run", "--domain", "a.example", "--email", "a@b.example", "--upstream", "127.0.0.1:1"]);
    command.arg("--runtime-dir").arg(open.join("below"));
    let outcome = run(&home, &mut command);
    assert!(outcome.refusal().contains(&expected), "{outcome:?}");
}

/// S17: the name could be foreseen, and was written through a link.
#[test]
fn what_is_rendered_is_not_written_through_a_link() {
    let home = Home::new();
    fs::write(home.path("victim"), "precious").unwrap();
    let output = home.path("envoy.yaml");
    // The shell's process becomes the command, so its number is known beforehand.
    let script = "ln -s \"$VICTIM\" \"$OUTPUT.$$.part\"; exec \"$0\" \"$@\"";
    let mut command = Command::new("sh");
    command.args(["-c", script, BINARY, "render", "--domain", "a.example", "--email", "a@b.example"]);
    command.args(["--upstream", "127.0.0.1:1", "--output"]).arg(&output);
    command.env("VICTIM", home.path("victim")).env("OUTPUT", &output);
    let outcome = run(&home, &mut command);
    assert!(matches!(outcome, Outcome::Ended(Some(0), _)), "{outcome:?}");
    assert_eq!(fs::read_to_string(home.path("victim")).unwrap(), "precious");
    assert!(fs::symlink_metadata(&output).unwrap().is_file());
}
