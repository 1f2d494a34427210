//! The proxy between a client and an echo server: clear, dark, slow, and cut.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::timeout;
use trialogue_faults::{Cut, Proxy, SCRIPTS_MAX, Then, Way, Weather};

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

/// A server that says nothing and hands its connections out.
async fn silent() -> (SocketAddr, mpsc::Receiver<TcpStream>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (hand, hands) = mpsc::channel(8);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            hand.send(stream).await.unwrap();
        }
    });
    (address, hands)
}

async fn connected() -> (Proxy, TcpStream) {
    let proxy = Proxy::start(echo().await).await.unwrap();
    let stream = TcpStream::connect(proxy.address()).await.unwrap();
    (proxy, stream)
}

/// Through the proxy: both ends of one connection.
async fn both_ends() -> (Proxy, TcpStream, TcpStream) {
    let (address, mut hands) = silent().await;
    let proxy = Proxy::start(address).await.unwrap();
    let client = TcpStream::connect(proxy.address()).await.unwrap();
    let server = timeout(PATIENCE, hands.recv()).await.unwrap().unwrap();
    (proxy, client, server)
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

/// How a stream ends after these last words: with a FIN (`Ok`) or an RST.
async fn last_words(stream: &mut TcpStream) -> (String, std::io::Result<()>) {
    let mut heard = Vec::new();
    let mut buffer = [0; 64];
    let end = loop {
        match timeout(PATIENCE, stream.read(&mut buffer)).await.unwrap() {
            Ok(0) => break Ok(()),
            Ok(read) => heard.extend_from_slice(&buffer[..read]),
            Err(error) => break Err(error),
        }
    };
    (String::from_utf8(heard).unwrap(), end)
}

async fn is_silent(stream: &mut TcpStream) -> bool {
    timeout(MOMENT, stream.read(&mut [0])).await.is_err()
}

const DARK: Weather = Weather {
    dark: true,
    latency: Duration::ZERO,
    jitter: Duration::ZERO,
    slice: None,
    bytes_per_second: None,
    refuse: false,
};

#[tokio::test]
async fn on_a_clear_day_every_byte_arrives() {
    let (proxy, mut stream) = connected().await;
    assert_eq!(proxy.weather(Way::ToClient), Weather::default());
    let much = "0123456789".repeat(200_000);
    let (mut from, mut to) = stream.split();
    let mut heard = vec![0; much.len()];
    let (sent, read) = tokio::join!(to.write_all(much.as_bytes()), from.read_exact(&mut heard));
    assert_eq!((sent.unwrap(), read.unwrap()), ((), much.len()));
    assert_eq!(heard, much.as_bytes());
    assert_eq!(proxy.carried(Way::ToServer), much.len() as u64);
    assert_eq!(proxy.carried(Way::ToClient), much.len() as u64);
}

#[tokio::test]
async fn what_one_end_does_is_done_to_the_other() {
    let (_proxy, mut client, mut server) = both_ends().await;
    client.write_all(b"question").await.unwrap();
    client.shutdown().await.unwrap();
    assert_eq!(last_words(&mut server).await.0, "question");
    // Half a connection is closed, the other still speaks.
    server.write_all(b"answer").await.unwrap();
    drop(server);
    let (words, end) = last_words(&mut client).await;
    assert_eq!(words, "answer");
    end.unwrap();

    let (_proxy, mut client, server) = both_ends().await;
    server.set_zero_linger().unwrap();
    drop(server);
    let (_, end) = last_words(&mut client).await;
    assert_eq!(end.unwrap_err().kind(), std::io::ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn in_the_dark_nothing_passes_and_nothing_is_lost() {
    let (proxy, mut stream) = connected().await;
    assert_eq!(say(&mut stream, "before").await, "before");
    proxy.set(DARK);
    stream.write_all(b"hidden").await.unwrap();
    assert!(is_silent(&mut stream).await, "neither bytes nor an end");
    let mut late = TcpStream::connect(proxy.address()).await.unwrap();
    late.write_all(b"late").await.unwrap();
    assert!(is_silent(&mut late).await, "new callers see nothing either");
    proxy.set(Weather::default());
    assert_eq!(hear(&mut stream, 6).await, "hidden");
    assert_eq!(hear(&mut late, 4).await, "late");
}

#[tokio::test]
async fn one_way_can_be_dark_alone() {
    let (proxy, mut client, mut server) = both_ends().await;
    proxy.set_way(Way::ToClient, DARK);
    client.write_all(b"anybody there?").await.unwrap();
    assert_eq!(hear(&mut server, 14).await, "anybody there?");
    server.write_all(b"yes").await.unwrap();
    assert!(is_silent(&mut client).await);
    proxy.set_way(Way::ToClient, Weather::default());
    assert_eq!(hear(&mut client, 3).await, "yes");
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
    proxy.set(DARK);
    proxy.cut(Cut::Rst);
    let end = timeout(PATIENCE, stream.read(&mut [0])).await.unwrap();
    assert!(end.is_err());
}

#[tokio::test]
async fn a_half_open_line_is_closed_at_one_end_and_silent_at_the_other() {
    let (proxy, mut client, mut server) = both_ends().await;
    proxy.cut(Cut::HalfOpen(Way::ToServer));
    let (words, end) = last_words(&mut server).await;
    assert_eq!(words, "");
    end.unwrap();
    client.write_all(b"hello?").await.unwrap();
    assert!(is_silent(&mut client).await);
    // Another cut ends what was left.
    proxy.cut(Cut::Rst);
    assert!(last_words(&mut client).await.1.is_err());

    let (proxy, mut client, mut server) = both_ends().await;
    proxy.cut(Cut::HalfOpen(Way::ToClient));
    last_words(&mut client).await.1.unwrap();
    assert!(is_silent(&mut server).await);
}

/// Bytes are not late one after the other: a line is long, not narrow.
#[tokio::test]
async fn slow_weather_is_slow_and_complete() {
    let (proxy, mut stream) = connected().await;
    let latency = Duration::from_millis(100);
    proxy.set(Weather { latency, slice: Some(3), ..Weather::default() });
    let begin = Instant::now();
    assert_eq!(say(&mut stream, "0123456").await, "0123456");
    assert!(begin.elapsed() >= 2 * latency, "{:?}", begin.elapsed());
    let much = "x".repeat(3_000);
    let begin = Instant::now();
    assert_eq!(say(&mut stream, &much).await, much);
    assert!(begin.elapsed() < 500 * latency, "a thousand slices one after the other");

    proxy.set(Weather { bytes_per_second: Some(1_000), ..Weather::default() });
    let begin = Instant::now();
    assert_eq!(say(&mut stream, &"x".repeat(200)).await.len(), 200);
    assert!(begin.elapsed() >= Duration::from_millis(200), "{:?}", begin.elapsed());
}

#[tokio::test]
async fn jitter_makes_late_and_changes_no_order() {
    let (proxy, mut stream) = connected().await;
    let jitter = Duration::from_millis(30);
    proxy.set(Weather { jitter, slice: Some(1), ..Weather::default() });
    let words: String = (0..200_u8).map(|n| char::from(b'a' + n % 26)).collect();
    let begin = Instant::now();
    assert_eq!(say(&mut stream, &words).await, words);
    // Of two hundred draws each way the largest is hardly under two thirds.
    assert!(begin.elapsed() >= jitter * 4 / 3, "{:?}", begin.elapsed());
}

#[tokio::test]
async fn callers_can_be_refused() {
    let (proxy, mut stream) = connected().await;
    assert_eq!(say(&mut stream, "x").await, "x");
    proxy.set(Weather { refuse: true, ..Weather::default() });
    assert_eq!(say(&mut stream, "old").await, "old", "whoever is there stays");
    let mut new = TcpStream::connect(proxy.address()).await.unwrap();
    assert!(timeout(PATIENCE, new.read(&mut [0])).await.unwrap().is_err());

    proxy.set(Weather::default());
    proxy.refuse_next(2);
    for _ in 0..2 {
        let mut new = TcpStream::connect(proxy.address()).await.unwrap();
        assert!(timeout(PATIENCE, new.read(&mut [0])).await.unwrap().is_err());
    }
    let mut third = TcpStream::connect(proxy.address()).await.unwrap();
    assert_eq!(say(&mut third, "at last").await, "at last");
}

/// A story of some bytes each way is cut at each of them: exactly that many arrive, and the next
/// connection is whole.
#[tokio::test]
async fn a_line_is_cut_at_every_byte() {
    const QUESTION: &str = "question";
    const ANSWER: &str = "answer";
    for how in [Cut::Fin, Cut::Rst] {
        for (way, words) in [(Way::ToServer, QUESTION), (Way::ToClient, ANSWER)] {
            for bytes in 1..=words.len() {
                let (proxy, mut client, mut server) = both_ends().await;
                let before = proxy.carried(way);
                assert!(proxy.at(way, before + bytes as u64, Then::Cut(how)));
                let (from, to) = match way {
                    Way::ToServer => (&mut client, &mut server),
                    Way::ToClient => (&mut server, &mut client),
                };
                from.write_all(words.as_bytes()).await.unwrap();
                let (heard, end) = last_words(to).await;
                assert_eq!(heard, words[..bytes], "{how:?} {way:?}");
                assert_eq!(end.is_ok(), how == Cut::Fin, "{how:?} {way:?}");
                assert_eq!(proxy.carried(way), bytes as u64);
            }
        }
    }
}

#[tokio::test]
async fn a_byte_can_change_the_weather() {
    let (proxy, mut stream) = connected().await;
    // The echo of a question is lost: it arrived, and its answer goes dark.
    assert!(proxy.at(Way::ToServer, 5, Then::Set(Way::ToClient, DARK)));
    stream.write_all(b"hello, world").await.unwrap();
    assert!(is_silent(&mut stream).await);
    assert_eq!(proxy.carried(Way::ToServer), 12);
    assert!(proxy.weather(Way::ToClient).dark && !proxy.weather(Way::ToServer).dark);
    // What is past happens at once.
    assert!(proxy.at(Way::ToServer, 5, Then::Set(Way::ToClient, Weather::default())));
    assert_eq!(hear(&mut stream, 12).await, "hello, world");
    for _ in 0..SCRIPTS_MAX {
        assert!(proxy.at(Way::ToServer, u64::MAX, Then::Cut(Cut::Rst)));
    }
    assert!(!proxy.at(Way::ToServer, u64::MAX, Then::Cut(Cut::Rst)));
}
