//! The usual proxy variables and `--cacert`, for requests and for sockets: a server that is known
//! only to a proxy, once bare and once under TLS with an authority that nobody else knows.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::thread;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

use crate::binary::{Ran, run};
use crate::story::Story;

/// A name that no resolver knows.
const HOST: &str = "chat.example";
const AUTHORITY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/certs/authority.pem");
/// Made for this test, for [`HOST`]; its key is public.
const CERTIFICATE: &[u8] = include_bytes!("certs/chat.example.pem");
const KEY: &[u8] = include_bytes!("certs/chat.example.key.pem");
/// `me:pass word` as a proxy gets it.
const AUTHORIZATION: &str = "Basic bWU6cGFzcyB3b3Jk";

/// A proxy to which every name means one server.
struct Proxy {
    address: SocketAddr,
    /// First line and authorization of everything that was asked.
    asked: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    fn before(upstream: SocketAddr, refuses: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let notes = Arc::clone(&asked);
        // Ends with this process; each connection with its two ends.
        thread::spawn(move || {
            for caller in listener.incoming().map_while(Result::ok) {
                let notes = Arc::clone(&notes);
                thread::spawn(move || carry(caller, upstream, refuses, &notes));
            }
        });
        Self { address, asked }
    }

    fn url(&self) -> String {
        format!("http://me:pass%20word@{}", self.address)
    }

    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut *self.asked.lock().unwrap())
    }
}

/// One connection: a tunnel for `CONNECT`, one request for anything else.
fn carry(caller: TcpStream, upstream: SocketAddr, refuses: bool, notes: &Mutex<Vec<String>>) {
    let mut reader = BufReader::new(caller.try_clone().unwrap());
    let mut head = Vec::new();
    let mut line = String::new();
    while reader.read_line(&mut line).is_ok_and(|read| read > 2) {
        head.push(std::mem::take(&mut line));
    }
    let Some(first) = head.first().cloned() else { return };
    let is_authorization = |line: &&String| line.to_lowercase().starts_with("proxy-authorization:");
    let authorization = head.iter().find(is_authorization);
    let authorization = authorization.and_then(|line| Some(line.split_once(": ")?.1.trim()));
    let authorization = authorization.unwrap_or("nobody");
    notes.lock().unwrap().push(format!("{} by {authorization}", first.trim_end()));
    let mut caller = caller;
    if refuses {
        let no = "HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n";
        let _ = caller.write_all(no.as_bytes());
        return;
    }
    let server = TcpStream::connect(upstream).unwrap();
    let mut to_server = server.try_clone().unwrap();
    if first.starts_with("CONNECT ") {
        caller.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").unwrap();
    } else {
        // To the server as if there were no proxy: the path alone, and one request.
        let words: Vec<&str> = first.split(' ').collect();
        let path = words[1].splitn(4, '/').nth(3).unwrap_or_default();
        write!(to_server, "{} /{path} {}Connection: close\r\n", words[0], words[2]).unwrap();
        for line in &head[1..] {
            to_server.write_all(line.as_bytes()).unwrap();
        }
        to_server.write_all(b"\r\n").unwrap();
    }
    let back = thread::spawn(move || copy(server, caller));
    copy(reader, to_server);
    let _ = back.join();
}

/// Until one end is closed, which closes the other.
fn copy(mut from: impl Read, mut to: TcpStream) {
    let _ = std::io::copy(&mut from, &mut to);
    let _ = to.shutdown(std::net::Shutdown::Write);
}

/// TLS in front of a server; ends with this process.
fn under_tls(upstream: SocketAddr) -> SocketAddr {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![CertificateDer::from_pem_slice(CERTIFICATE).unwrap()],
            PrivateKeyDer::from_pem_slice(KEY).unwrap(),
        )
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    listener.set_nonblocking(true).unwrap();
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async move {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            while let Ok((caller, _)) = listener.accept().await {
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    let Ok(mut caller) = acceptor.accept(caller).await else { return };
                    let mut server = tokio::net::TcpStream::connect(upstream).await.unwrap();
                    let _ = tokio::io::copy_bidirectional(&mut caller, &mut server).await;
                });
            }
        });
    });
    address
}

/// A customer and a chat; who is known by this token at any address of the server.
fn prepared() -> (Story, String, String, SocketAddr) {
    let mut story = Story::begin();
    story.enter("customer", "Amna", "Khan");
    story.enter("provider", "Ravi", "Kumar");
    let chat = story.book("amna", "2");
    let minted = story.operate(&["--json", "token", "mint", "--user", "1"]);
    let minted: serde_json::Value = serde_json::from_str(&minted.stdout).unwrap();
    let address = story.url().strip_prefix("http://").unwrap().parse().unwrap();
    (story, chat, minted["token"].as_str().unwrap().to_owned(), address)
}

/// The verb at this server, with these variables besides.
fn at(story: &Story, server: &str, token: &str, args: &[&str], more: &[(&str, &str)]) -> Command {
    let mut command = story.command("behind-a-proxy", args);
    for name in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"] {
        command.env_remove(name).env_remove(name.to_lowercase());
    }
    command.env("TRIALOGUE_SERVER", server).env("TRIALOGUE_TOKEN", token);
    command.env("TRIALOGUE_TIMEOUT", "20s").envs(more.iter().copied());
    command
}

fn check_all_verbs(run_verb: &dyn Fn(&[&str]) -> Ran, chat: &str) {
    for verb in [&["whoami"][..], &["send", chat, "hello"], &["read", chat], &["doctor"]] {
        let ran = run_verb(verb);
        assert_eq!(ran.code, Some(0), "{verb:?} {ran}");
    }
    let listen = ["listen", chat, "--since", "0", "--count", "1", "--event", "new_message"];
    let ran = run_verb(&[&listen[..], &["--for", "20s"]].concat());
    assert!(ran.code == Some(0) && ran.stdout.contains("hello"), "{ran}");
}

#[test]
fn under_tls_requests_and_sockets_go_through_the_proxy_and_trust_the_authority() {
    let (story, chat, token, address) = prepared();
    let proxy = Proxy::before(under_tls(address), false);
    let server = format!("https://{HOST}");
    let url = proxy.url();
    let trust = [("HTTPS_PROXY", url.as_str()), ("TRIALOGUE_CACERT", AUTHORITY)];
    let run_verb = |args: &[&str]| run(&mut at(&story, &server, &token, args, &trust));
    check_all_verbs(&run_verb, &chat);
    let asked = proxy.asked();
    // A request each, and a socket for four of them and three of doctor's checks.
    assert!(asked.len() >= 11, "{asked:#?}");
    let expect = format!("CONNECT {HOST}:443 HTTP/1.1 by {AUTHORIZATION}");
    assert_eq!(asked.iter().find(|line| **line != expect), None);

    // Whoever does not know the authority does not speak to its server, in either way.
    let ran = run(&mut at(&story, &server, &token, &["whoami"], &trust[..1]));
    assert_eq!(ran.code, Some(5), "{ran}");
    // Nor is the proxy asked for what is excepted; and the name means nothing here.
    proxy.asked();
    let excepted = [&trust[..], &[("NO_PROXY", HOST)]].concat();
    let ran = run(&mut at(&story, &server, &token, &["whoami"], &excepted));
    assert_eq!(ran.code, Some(5), "{ran}");
    assert_eq!(proxy.asked(), [""; 0]);
}

#[test]
fn bare_requests_and_sockets_go_through_the_proxy_too() {
    let (story, chat, token, address) = prepared();
    let proxy = Proxy::before(address, false);
    let server = format!("http://{HOST}:3000");
    let url = proxy.url();
    let more = [("http_proxy", url.as_str()), ("TRIALOGUE_PLAIN_HTTP", "1")];
    check_all_verbs(&|args| run(&mut at(&story, &server, &token, args, &more)), &chat);
    let asked = proxy.asked();
    let count = |begin: &str| asked.iter().filter(|line| line.starts_with(begin)).count();
    assert!(count(&format!("GET http://{HOST}:3000/")) >= 2, "{asked:#?}");
    assert!(count(&format!("CONNECT {HOST}:3000 ")) >= 6, "{asked:#?}");
}

#[test]
fn a_proxy_that_refuses_or_cannot_be_used_is_named() {
    let (story, chat, token, address) = prepared();
    let proxy = Proxy::before(address, true);
    let server = format!("https://{HOST}");
    let refusing = proxy.url();
    let at = |args: &[&str], proxy: &str| {
        let more = [("ALL_PROXY", proxy), ("TRIALOGUE_TIMEOUT", "2s")];
        run(&mut at(&story, &server, &token, args, &more))
    };
    let ran = at(&["whoami"], &refusing);
    assert_eq!(ran.code, Some(5), "{ran}");
    let ran = at(&["send", &chat, "hello"], &refusing);
    assert_eq!(ran.code, Some(6), "{ran}");
    let word = format!("the proxy {} answered 407", proxy.address);
    assert!(ran.stderr.contains(&word), "{ran}");
    assert!(!ran.stderr.contains("pass"), "{ran}");
    for other in ["socks5h://127.0.0.1:1080", "https://127.0.0.1:1"] {
        let ran = at(&["whoami"], other);
        assert_eq!(ran.code, Some(2), "{ran}");
        let scheme = other.split(':').next().unwrap();
        assert!(ran.stderr.contains(&format!("a proxy over {scheme} is not supported")), "{ran}");
    }
}

#[test]
fn this_very_machine_needs_no_proxy() {
    let (story, _, token, _) = prepared();
    let more = [("ALL_PROXY", "http://127.0.0.1:1")];
    let ran = run(&mut at(&story, story.url(), &token, &["doctor"], &more));
    assert_eq!(ran.code, Some(0), "{ran}");
    assert!(ran.stdout.contains("--  proxy      not for this very machine"), "{ran}");
}
