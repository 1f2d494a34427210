//! The proxy between a client and an echo server: clear, dark, slow, and cut.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use trialogue_faults::{Cut, Proxy, Weather};

use crate::PATIENCE;

/// Longer than loopback needs, shorter than anybody notices.
const MOMENT: Duration = Duration::from_millis(300);

async fn echo() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (mut from, mut to) = stream.split();
                // The end of a connection is the end of an echo.
                let _ = tokio::io::copy(&mut from, &mut to).await;
            });
        }
    });
    address
}

async fn connected() -> (Proxy, TcpStream) {
    let proxy = Proxy::start(echo().await).await.unwrap();
    let stream = TcpStream::connect(proxy.address()).await.unwrap();
    (proxy, stream)
}

async fn say(stream: &mut TcpStream, words: &str) -> String {
    stream.write_all(words.as_bytes()).await.unwrap();
    hear(stream, words.len()).await
}

async fn hear(stream: &mut TcpStream, bytes: usize) -> String {
    let mut heard = vec![0; bytes];
    timeout(PATIENCE, stream.read_exact(&mut heard)).await.unwrap().unwrap();
    String::from_utf8(heard).unwrap()
}

#[tokio::test]
async fn on_a_clear_day_every_byte_arrives() {
    let (proxy, mut stream) = connected().await;
    assert_eq!(proxy.weather(), Weather::default());
    let much = "0123456789".repeat(20_000);
    let (mut from, mut to) = stream.split();
    let mut heard = vec![0; much.len()];
    let (sent, read) = tokio::join!(to.write_all(much.as_bytes()), from.read_exact(&mut heard));
    assert_eq!((sent.unwrap(), read.unwrap()), ((), much.len()));
    assert_eq!(heard, much.as_bytes());
}

#[tokio::test]
async fn in_the_dark_nothing_passes_and_nothing_is_lost() {
    let (proxy, mut stream) = connected().await;
    assert_eq!(say(&mut stream, "before").await, "before");
    proxy.set(Weather { dark: true, ..Weather::default() });
    stream.write_all(b"hidden").await.unwrap();
    let mut one = [0];
    assert!(timeout(MOMENT, stream.read(&mut one)).await.is_err(), "neither bytes nor an end");
    let mut late = TcpStream::connect(proxy.address()).await.unwrap();
    late.write_all(b"late").await.unwrap();
    assert!(timeout(MOMENT, late.read(&mut one)).await.is_err(), "new callers see nothing either");
    proxy.set(Weather::default());
    assert_eq!(hear(&mut stream, 6).await, "hidden");
    assert_eq!(hear(&mut late, 4).await, "late");
}

#[tokio::test]
async fn a_cut_ends_what_is_there_and_spares_what_comes() {
    let (proxy, mut stream) = connected().await;
    assert_eq!(say(&mut stream, "x").await, "x");
    let mut one = [0];
    proxy.cut(Cut::Fin);
    assert_eq!(timeout(PATIENCE, stream.read(&mut one)).await.unwrap().unwrap(), 0);

    let mut next = TcpStream::connect(proxy.address()).await.unwrap();
    assert_eq!(say(&mut next, "y").await, "y");
    proxy.cut(Cut::Rst);
    let end = timeout(PATIENCE, next.read(&mut one)).await.unwrap();
    assert_eq!(end.unwrap_err().kind(), std::io::ErrorKind::ConnectionReset);

    let mut last = TcpStream::connect(proxy.address()).await.unwrap();
    assert_eq!(say(&mut last, "z").await, "z");
}

#[tokio::test]
async fn a_cut_is_felt_in_the_dark_too() {
    let (proxy, mut stream) = connected().await;
    assert_eq!(say(&mut stream, "x").await, "x");
    proxy.set(Weather { dark: true, ..Weather::default() });
    proxy.cut(Cut::Rst);
    let end = timeout(PATIENCE, stream.read(&mut [0])).await.unwrap();
    assert!(end.is_err());
}

#[tokio::test]
async fn slow_weather_is_slow_and_complete() {
    let (proxy, mut stream) = connected().await;
    let latency = Duration::from_millis(100);
    proxy.set(Weather { latency, slice: Some(3), ..Weather::default() });
    let begin = Instant::now();
    assert_eq!(say(&mut stream, "0123456").await, "0123456");
    // Three slices each way; the way back of the first overlaps the way there of the second.
    assert!(begin.elapsed() >= 4 * latency, "{:?}", begin.elapsed());

    proxy.set(Weather { bytes_per_second: Some(1_000), ..Weather::default() });
    let begin = Instant::now();
    assert_eq!(say(&mut stream, &"x".repeat(200)).await.len(), 200);
    assert!(begin.elapsed() >= Duration::from_millis(200), "{:?}", begin.elapsed());
}

#[tokio::test]
async fn callers_can_be_refused() {
    let (proxy, mut stream) = connected().await;
    assert_eq!(say(&mut stream, "x").await, "x");
    proxy.set(Weather { refuse: true, ..Weather::default() });
    assert_eq!(say(&mut stream, "old").await, "old", "whoever is there stays");
    let mut new = TcpStream::connect(proxy.address()).await.unwrap();
    assert!(timeout(PATIENCE, new.read(&mut [0])).await.unwrap().is_err());
}
