//! Tells the binary which commit it was built from, when there is one to tell.

use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let version = env!("CARGO_PKG_VERSION");
    let version = match commit() {
        Some(commit) => format!("{version} ({commit})"),
        None => version.to_owned(),
    };
    println!("cargo::rustc-env=TRIALOGUE_VERSION={version}");
}

/// The commit that is checked out, or nothing: no git, or an unpacked archive.
fn commit() -> Option<String> {
    let branch = git(&["symbolic-ref", "-q", "HEAD"]);
    // A file that is not there would make cargo run this script at every build.
    [Some("HEAD"), branch.as_deref(), Some("packed-refs")]
        .into_iter()
        .flatten()
        .filter_map(|name| git(&["rev-parse", "--git-path", name]))
        .filter(|path| Path::new(path).exists())
        .for_each(|path| println!("cargo::rerun-if-changed={path}"));
    // An archive unpacked inside somebody else's repository must not claim that one's commit.
    git(&["ls-files", "--error-unmatch", "build.rs"])?;
    git(&["rev-parse", "--short=12", "HEAD"])
}

/// What `git` prints, without the line's end; nothing when it fails or is missing.
fn git(args: &[&str]) -> Option<String> {
    let output = Command::new("git").args(args).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}
