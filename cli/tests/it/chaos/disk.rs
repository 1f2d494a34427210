//! A disk that is full (E13): a small one of its own for the database, which needs root.

use std::fs::File;
use std::path::PathBuf;
use std::process::Command;

use super::form::Form;
use super::kills::judge;
use super::place::Place;
use super::storm::Storm;

/// A new cluster with its first WAL files, and room for the messages of a storm.
const DISK_BYTES: u64 = 192 * 1024 * 1024;
/// Refusals after which the disk was full for long enough.
const REFUSALS: u64 = 20;

/// A file system in memory; gone with the value.
struct Disk(tempfile::TempDir);

impl Disk {
    /// `None` where nothing may be mounted.
    fn mount() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let options = format!("size={DISK_BYTES},mode=0755");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(folder.path());
        let mounted = mount.output().is_ok_and(|output| output.status.success());
        mounted.then(|| Self(folder))
    }

    /// Takes all the space that is left; answers what holds it.
    fn fill(&self) -> PathBuf {
        let path = self.0.path().join("ballast");
        let file = File::create(&path).unwrap();
        let free = || {
            let found = rustix::fs::statvfs(self.0.path()).unwrap();
            found.f_bavail * found.f_frsize
        };
        let mut length = 0;
        // What the database takes or gives meanwhile is taken the next time.
        while free() > 0 {
            let more = free();
            let all = rustix::fs::FallocateFlags::empty();
            if rustix::fs::fallocate(&file, all, length, more).is_ok() {
                length += more;
            }
        }
        path
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily: after a failure the database may still be at work in it.
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_is_unavailable_and_is_over_when_there_is_space_again() {
    let Some(disk) = Disk::mount() else {
        println!("SKIPPED: a full disk. It needs the right to mount a small one (root).");
        return;
    };
    // As root the database runs as somebody else, who has to pass through.
    std::fs::set_permissions(disk.0.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755))
        .unwrap();
    let data = disk.0.path().join("data");
    let place = Place::apart_in(tempfile::tempdir().unwrap(), &data).await;
    let form = Form::of_environment();
    let mut storm = Storm::begin(place, form.rooms()).await;
    let server = storm.place.server.pid();
    let before = storm.run.told().messages("unavailable");
    let fault = storm.fault("full-disk").await;
    let ballast = disk.fill();
    storm.run.hears(|told| told.messages("unavailable") >= before + REFUSALS).await;
    std::fs::remove_file(ballast).unwrap();
    // Without space for its log the database may have ended, or may be about to.
    storm.place.revive_database().await;
    storm.over(&fault);
    storm.run.more(form.between()).await;
    assert_eq!(storm.place.server.ended(), None);
    assert_eq!(storm.place.server.pid(), server, "the server outlives a full disk");
    judge("a full disk", storm).await;
}
