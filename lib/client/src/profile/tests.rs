//! What other users of the machine may see of an account: nothing.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};

use super::*;

fn saved(server: &str) -> Saved {
    let tokens = TokenPair { access_token: "a".to_owned(), refresh_token: "r".to_owned() };
    Saved {
        server: server.parse().unwrap(),
        dialect: Dialect::Stm,
        user: None,
        tokens: Some(tokens),
    }
}

fn profile(folder: &Path) -> Profile {
    Profiles::at(folder.join("profiles")).profile("amna".parse().unwrap())
}

const HERE: &str = "http://127.0.0.1:3000/";
const THERE: &str = "https://chat.example.org/";

#[test]
fn an_account_is_kept_for_its_owner_alone() {
    let folder = tempfile::tempdir().unwrap();
    let profile = profile(folder.path());
    assert_eq!(profile.load().unwrap(), None);
    profile.keep(&saved(HERE)).unwrap();
    assert_eq!(profile.load().unwrap(), Some(saved(HERE)));
    let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o777;
    assert_eq!(mode(profile.folder()), 0o700);
    assert_eq!(mode(&profile.folder().join(FILE)), 0o600);
    let left = fs::read_dir(profile.folder()).unwrap().count();
    assert_eq!(left, 1, "nothing but the account stays");
    let names = Profiles::at(folder.path().join("profiles")).names().unwrap();
    assert_eq!(names, ["amna".parse().unwrap()]);
}

#[test]
fn what_others_could_read_is_refused_with_the_command_that_mends_it() {
    let folder = tempfile::tempdir().unwrap();
    let profile = profile(folder.path());
    profile.keep(&saved(HERE)).unwrap();
    let file = profile.folder().join(FILE);
    let open_up = |path: &Path, mode| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    };
    open_up(&file, 0o644);
    let error = profile.load().unwrap_err().to_string();
    assert!(error.contains(&format!("chmod 600 '{}'", file.display())), "{error}");
    open_up(&file, 0o600);
    open_up(profile.folder(), 0o777);
    let error = profile.keep(&saved(HERE)).unwrap_err().to_string();
    assert!(error.contains("chmod 700"), "{error}");
    assert!(profile.load().is_err());
}

#[test]
fn a_link_in_the_place_of_the_account_is_replaced_and_never_followed() {
    let folder = tempfile::tempdir().unwrap();
    let profile = profile(folder.path());
    profile.keep(&saved(HERE)).unwrap();
    let (file, bait) = (profile.folder().join(FILE), folder.path().join("bait"));
    fs::rename(&file, &bait).unwrap();
    symlink(&bait, &file).unwrap();
    let error = profile.load().unwrap_err();
    assert!(error.to_string().ends_with(": it is a link, which is not followed"), "{error}");
    assert!(std::error::Error::source(&error).is_none(), "nothing is told twice");
    profile.keep(&saved(THERE)).unwrap();
    assert_eq!(profile.load().unwrap(), Some(saved(THERE)));
    assert!(fs::read_to_string(&bait).unwrap().contains(HERE), "the bait is untouched");
}

#[test]
fn tokens_of_one_server_are_never_handed_to_another() {
    let folder = tempfile::tempdir().unwrap();
    let profile = profile(folder.path());
    profile.keep(&saved(HERE)).unwrap();
    assert!(profile.tokens_at(HERE.parse().unwrap()).load().is_some());
    let there = profile.tokens_at(THERE.parse().unwrap());
    assert!(there.load().is_none());
    // Signing in over there makes this the account of that server.
    there.keep(saved(THERE).tokens.as_ref()).unwrap();
    // How that one speaks is not known from this one.
    let moved = Saved { dialect: Dialect::default(), ..saved(THERE) };
    assert_eq!(profile.load().unwrap(), Some(moved));

    profile.keep(&saved(HERE)).unwrap();
    profile.tokens_at(HERE.parse().unwrap()).keep(None).unwrap();
    let signed_out = Saved { tokens: None, ..saved(HERE) };
    assert_eq!(profile.load().unwrap(), Some(signed_out));
}

#[test]
fn a_name_cannot_leave_the_folder() {
    for wrong in ["", ".", "..", "../x", "a/b", ".hidden", "a b", "é", &"x".repeat(65)] {
        assert!(wrong.parse::<ProfileName>().is_err(), "{wrong}");
    }
    for right in ["default", "amna@work".replace('@', "-").as_str(), "a.b_c-1"] {
        assert!(right.parse::<ProfileName>().is_ok(), "{right}");
    }
}

#[test]
fn garbage_is_named_and_does_not_panic() {
    let folder = tempfile::tempdir().unwrap();
    let profile = profile(folder.path());
    profile.keep(&saved(HERE)).unwrap();
    fs::write(profile.folder().join(FILE), "half a fi").unwrap();
    let error = profile.load().unwrap_err();
    assert!(matches!(error, ProfileError::Garbled { .. }), "{error}");
}

#[test]
fn what_a_killed_writer_left_is_removed_and_a_living_one_keeps_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let profile = profile(folder.path());
    profile.keep(&saved(HERE)).unwrap();
    let half = |name: &str| {
        let path = profile.folder().join(name);
        (file::create(&path).unwrap(), path)
    };
    let (writer, dead) = half(".1.new");
    fs::write(&dead, "tokens").unwrap();
    drop(writer);
    let (writer, alive) = half(".2.new");
    writer.lock().unwrap();
    profile.keep(&saved(THERE)).unwrap();
    assert!(!dead.exists(), "tokens stay");
    assert!(alive.exists(), "its writer could not put it in its place");
    drop(writer);
    once_swept(profile.folder(), &alive);
    assert_eq!(profile.load().unwrap(), Some(saved(THERE)));
}

/// A process that another test is starting has our locks too, until it is itself.
#[expect(clippy::disallowed_methods, reason = "no runtime here, and nobody tells of a free lock")]
fn once_swept(folder: &Path, file: &Path) {
    for _ in 0..500 {
        file::sweep(folder);
        if !file.exists() {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    panic!("it stays");
}
