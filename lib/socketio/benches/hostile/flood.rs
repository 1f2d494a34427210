//! Attacks of many connections: half request heads, handshakes of nobody.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use futures_util::stream;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::Failure;
use crate::honest::Visiting;
use crate::target::{Target, affordable};

/// Half heads of m6.
const HEADS: usize = 5_000;
/// After so long a connection counts as never closed.
const GIVEN_UP: Duration = Duration::from_secs(60);
/// A byte now and then, by every other attacker: a deadline that each byte prolongs never comes.
const TRICKLE: Duration = Duration::from_secs(1);
/// Handshakes of m7, and how many of them at once.
const HANDSHAKES: usize = 20_000;
const AT_ONCE: usize = 32;
/// Addresses of the attackers when they come from several.
const ADDRESSES: usize = 100;
/// How long a transport may be without CONNECT, twice.
const RECLAIMED: Duration = Duration::from_secs(20);

const HONEST: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

/// Sends half a head and waits for the end; after how long it came, and why not, if not.
async fn half_head(mut stream: TcpStream, trickles: bool) -> Option<Duration> {
    let begun = Instant::now();
    let ended = async {
        let mut answer = [0; 1_024];
        loop {
            if trickles {
                if let Ok(read) = timeout(TRICKLE, stream.read(&mut answer)).await {
                    if read.is_ok_and(|read| read > 0) {
                        continue;
                    }
                    return;
                }
                if stream.write_all(b"x").await.is_err() {
                    return;
                }
            } else if !stream.read(&mut answer).await.is_ok_and(|read| read > 0) {
                return;
            }
        }
    };
    timeout(GIVEN_UP, ended).await.is_ok().then(|| begun.elapsed())
}

/// m6: how soon all of them are closed, and what an honest client notices meanwhile. From one
/// address, the honest client's own, and from a hundred.
pub(crate) async fn half_heads(target: &Target) -> Result<(), Failure> {
    let before = Visiting::for_a_while(target, HONEST, Duration::from_secs(2)).await?;
    println!("m6 before: {before}");
    let heads = affordable(HEADS);
    for addresses in [1, ADDRESSES] {
        let watch = target.watch()?;
        let honest = if addresses == 1 { address(0, 1) } else { HONEST };
        let visiting = Visiting::begin(target, honest);
        let begun = Instant::now();
        let mut attackers = JoinSet::new();
        let mut refused = 0;
        for number in 0..heads {
            let Ok(mut stream) = target.connect(address(number, addresses)).await else {
                refused += 1;
                continue;
            };
            let half = b"GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: a\r\nX-Half: ";
            if stream.write_all(half).await.is_err() {
                refused += 1;
                continue;
            }
            attackers.spawn(half_head(stream, number.is_multiple_of(2)));
        }
        let opened = begun.elapsed();
        let closed = attackers.join_all().await;
        let all = begun.elapsed();
        let visits = visiting.end().await?;
        let never = closed.iter().filter(|closed| closed.is_none()).count();
        let last = closed.iter().flatten().max().copied().unwrap_or_default();
        println!(
            "m6 {heads} half heads from {addresses} address(es), opened in {:.1} s: {never} never \
             closed, {refused} turned away, each closed within {:.1} s, the last {:.1} s after the \
             first came; memory rose by {}; {visits}",
            opened.as_secs_f64(),
            last.as_secs_f64(),
            all.as_secs_f64(),
            watch.risen(),
        );
    }
    Ok(())
}

/// The attacker's address: 127.0.0.1, or one of so many.
fn address(number: usize, addresses: usize) -> Ipv4Addr {
    let last = u8::try_from(number % addresses).unwrap_or_default();
    Ipv4Addr::new(127, 0, u8::from(addresses > 1), 1 + last)
}

/// One handshake over polling that nobody comes back for: the status of the answer.
async fn handshake(target: &Target, from: Ipv4Addr) -> Result<String, Failure> {
    let mut stream = target.connect(from).await?;
    let request = "GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: a\r\n\
        Connection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    let status = String::from_utf8_lossy(answer.get(9..12).unwrap_or_default()).into_owned();
    Ok(if status.is_empty() { "closed".to_owned() } else { status })
}

/// m7: what comes of handshakes that never become a client, and what an honest one notices.
pub(crate) async fn handshakes_of_nobody(target: &Target) -> Result<(), Failure> {
    Visiting::for_a_while(target, HONEST, Duration::from_secs(1)).await?;
    for addresses in [1, ADDRESSES] {
        let watch = target.watch()?;
        let visiting = Visiting::begin(target, HONEST);
        let begun = Instant::now();
        let mut answers = BTreeMap::<String, usize>::new();
        let mut coming = stream::iter(0..HANDSHAKES)
            .map(|number| handshake(target, address(number, addresses)))
            .buffer_unordered(AT_ONCE);
        while let Some(answer) = coming.next().await {
            *answers.entry(answer.unwrap_or_else(|error| error.to_string())).or_default() += 1;
        }
        let took = begun.elapsed().as_secs_f64();
        let during = visiting.end().await?;
        println!(
            "m7 {HANDSHAKES} handshakes from {addresses} address(es) in {took:.1} s: {answers:?}; \
             memory rose by {}; {during}",
            watch.risen()
        );
        // What was accepted is given up after the time for CONNECT.
        sleep(RECLAIMED).await;
        let after = Visiting::for_a_while(target, HONEST, Duration::from_secs(1)).await?;
        println!("m7 {} s later: {after}", RECLAIMED.as_secs());
    }
    Ok(())
}
