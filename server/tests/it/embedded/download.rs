//! The one download, from a mirror on this machine.

use std::collections::HashMap;
use std::os::unix::fs::PermissionsExt;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest, Sha256};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use trialogue_server::embedded::{Cluster, EmbeddedError, Options, Programs};

use super::text;

/// An archive as it is published, whose programs call the installed ones.
async fn archive() -> Vec<u8> {
    let cluster = Cluster::throwaway(false).await.unwrap();
    let sql = "SELECT setting FROM pg_config WHERE name = 'BINDIR'";
    let installed = text(&cluster.url_of("postgres"), sql).await;
    cluster.stop().await.unwrap();
    let mut tar = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    for name in ["postgres", "initdb", "pg_ctl"] {
        let script = format!("#!/bin/sh\nexec {installed}/{name} \"$@\"\n");
        let mut header = tar::Header::new_gnu();
        header.set_size(script.len() as u64);
        header.set_mode(0o755);
        let path = format!("postgresql-made-here/bin/{name}");
        tar.append_data(&mut header, path, script.as_bytes()).unwrap();
    }
    tar.into_inner().unwrap().finish().unwrap()
}

/// A server of two files: the archive, and the text of its `.sha256`.
struct Mirror {
    url: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Mirror {
    async fn start(archive: Vec<u8>, checksum: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/releases", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&asked);
        let files = HashMap::from([("gz", archive), ("sha256", checksum.into_bytes())]);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let path = answer(stream, &files).await;
                log.lock().unwrap().push(path);
            }
        });
        Self { url, asked }
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

/// Answers one request by the end of its path, and closes.
async fn answer(mut stream: TcpStream, files: &HashMap<&str, Vec<u8>>) -> String {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        request.push(stream.read_u8().await.unwrap());
    }
    let request = String::from_utf8(request).unwrap();
    let path = request.split(' ').nth(1).unwrap().to_owned();
    let body = path.rsplit('.').next().and_then(|end| files.get(end));
    let (status, body) = body.map_or(("404 Not Found", &[][..]), |body| ("200 OK", body));
    let head =
        format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(body).await.unwrap();
    path
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Settings that pass over what is installed.
fn download_from(mirror: &str, home: &tempfile::TempDir) -> (Options, Arc<Mutex<Vec<String>>>) {
    let notices = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&notices);
    let mut options = super::options(home.path());
    options.programs = Programs::Download;
    mirror.clone_into(&mut options.mirror);
    let options =
        options.with_listener(move |notice| heard.lock().unwrap().push(notice.to_string()));
    (options, notices)
}

async fn refused(options: &Options) -> String {
    let error = Cluster::throwaway_with(false, options).await.err().unwrap();
    assert!(matches!(error, EmbeddedError::NoBinaries { .. }), "{error}");
    error.to_string()
}

#[tokio::test]
async fn a_download_is_said_aloud_checked_used_and_made_once() {
    let home = tempfile::tempdir().unwrap();
    let archive = archive().await;
    let line = format!("{}  postgresql.tar.gz\n", sha256(&archive).to_uppercase());
    let mirror = Mirror::start(archive, line).await;
    let (options, notices) = download_from(&mirror.url, &home);
    for _ in 0..2 {
        let cluster = Cluster::throwaway_with(false, &options).await.unwrap();
        assert_eq!(text(&cluster.url_of("postgres"), "SELECT 'runs'").await, "runs");
        cluster.stop().await.unwrap();
    }
    let asked = mirror.asked();
    assert_eq!(asked.len(), 2, "one checksum and one archive: {asked:?}");
    assert!(asked[0].starts_with("/releases/") && asked[0].ends_with(".tar.gz.sha256"));
    let heard = notices.lock().unwrap().clone();
    let said = heard.iter().filter(|notice| notice.contains(&mirror.url)).count();
    assert_eq!(said, 1, "{heard:?}");
    // As root the programs run as another account, which has to get at them.
    let folder = home.path().join("data/postgresql");
    assert_eq!(folder.metadata().unwrap().permissions().mode() & 0o755, 0o755);
}

#[tokio::test]
async fn an_archive_that_does_not_match_its_checksum_is_not_unpacked() {
    let home = tempfile::tempdir().unwrap();
    let archive = archive().await;
    let mirror = Mirror::start(archive, sha256(b"another archive")).await;
    let (options, _) = download_from(&mirror.url, &home);
    let said = refused(&options).await;
    assert!(said.contains("checksum") && said.contains("not used"), "{said}");
    let left: Vec<_> = std::fs::read_dir(home.path().join("data/postgresql"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(left, ["lock"]);
}

#[tokio::test]
async fn an_archive_without_a_published_checksum_is_not_even_fetched() {
    let home = tempfile::tempdir().unwrap();
    let mirror = Mirror::start(b"anything".to_vec(), "<html>not here</html>".to_owned()).await;
    let (options, _) = download_from(&mirror.url, &home);
    let said = refused(&options).await;
    assert!(said.contains("holds no SHA-256 checksum"), "{said}");
    assert_eq!(mirror.asked().len(), 1);
}

#[tokio::test]
async fn an_archive_that_climbs_out_of_its_folder_is_refused() {
    let home = tempfile::tempdir().unwrap();
    let mut tar = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    let mut header = tar::Header::new_gnu();
    header.set_size(4);
    header.set_mode(0o755);
    // `append_data` would refuse the name, a hostile archive does not ask it.
    let name = b"top/../../../climbed";
    header.as_old_mut().name[..name.len()].copy_from_slice(name);
    header.set_cksum();
    tar.append(&header, &b"evil"[..]).unwrap();
    let archive = tar.into_inner().unwrap().finish().unwrap();
    let checksum = sha256(&archive);
    let mirror = Mirror::start(archive, checksum).await;
    let (options, _) = download_from(&mirror.url, &home);
    let said = refused(&options).await;
    assert!(said.contains("leads out of its folder"), "{said}");
    assert!(!home.path().join("data/climbed").exists() && !home.path().join("climbed").exists());
}

#[tokio::test]
async fn without_a_network_the_answer_comes_soon_and_says_what_to_install() {
    let home = tempfile::tempdir().unwrap();
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", nobody.local_addr().unwrap());
    drop(nobody);
    let (options, _) = download_from(&url, &home);
    let start = Instant::now();
    let said = refused(&options).await;
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
    assert!(said.contains("none could be downloaded") && said.contains("install it"), "{said}");
}
