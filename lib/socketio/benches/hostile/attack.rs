//! Attacks of a few connections: events nobody waits for, messages without an end.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use futures_util::StreamExt as _;
use futures_util::stream;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{sleep, timeout};
use trialogue_socketio::ws::{Header, Opcode};

use crate::Failure;
use crate::honest::{UPGRADE, Visiting, Wire, frames};
use crate::target::Target;

/// Clients of m4, and how many of them at once.
const CLIENTS: usize = 1_000;
const AT_ONCE: usize = 16;
/// Sockets of m5, what each announces, and what it really sends if it is let.
const SOCKETS: usize = 10;
const MESSAGE_BYTES: usize = 60 << 20;
const SENT_BYTES: usize = MESSAGE_BYTES - 1;
/// How long an attacker holds what it has.
const HELD: Duration = Duration::from_secs(3);
/// No answer takes longer.
const PATIENCE: Duration = Duration::from_secs(20);

const ATTACKER: Ipv4Addr = Ipv4Addr::LOCALHOST;
const HONEST: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

/// One client that does not wait: CONNECT and an event in one piece, for every other one in one piece
/// with the request itself.
async fn hasty(target: &Target, number: usize) -> Result<(), Failure> {
    let early = frames(&["40/chat,", "42/chat,7[\"join_chat\",{\"chatId\":\"room\"}]"]);
    let mut stream = target.connect(HONEST).await?;
    if number.is_multiple_of(2) {
        stream.write_all(&[UPGRADE.as_bytes(), &early].concat()).await?;
    } else {
        stream.write_all(UPGRADE.as_bytes()).await?;
    }
    let mut wire = Wire::new(stream, BytesMut::new()).upgraded().await?;
    if !number.is_multiple_of(2) {
        wire.stream.write_all(&early).await?;
    }
    // Not acknowledged is not executed. A server that wants a token refuses both.
    wire.text(&["43/chat,7", "44/chat,"]).await?;
    Ok(())
}

/// m4: how many of the events right behind CONNECT are lost.
pub(crate) async fn events_behind_connect(target: &Target) -> Result<(), Failure> {
    let begun = Instant::now();
    let lost = stream::iter(0..CLIENTS)
        .map(|number| async move {
            let done = timeout(PATIENCE, hasty(target, number)).await;
            done.unwrap_or_else(|_| Err("no answer".into())).err().map(|error| error.to_string())
        })
        .buffer_unordered(AT_ONCE)
        .filter_map(std::future::ready)
        .collect::<Vec<String>>()
        .await;
    let first = lost.first().map(|why| format!(", first: {why}")).unwrap_or_default();
    println!(
        "m4 events right behind CONNECT: {} of {CLIENTS} lost, in {:.1} s{first}",
        lost.len(),
        begun.elapsed().as_secs_f64()
    );
    Ok(())
}

/// How a message is begun that is never ended.
#[derive(Debug, Clone, Copy)]
enum Way {
    Frame,
    Fragments,
    Body,
}

/// Sends until it is stopped or has sent all but the last byte, then holds the connection. The time
/// after which the server had closed, if it has.
async fn endless(target: &Target, way: Way) -> Result<Option<Duration>, Failure> {
    let mut stream = target.connect(ATTACKER).await?;
    let mask = Some([0; 4]);
    let (head, piece): (Vec<u8>, Vec<u8>) = match way {
        Way::Frame => {
            let header = Header::new(Opcode::Binary, MESSAGE_BYTES, mask);
            (header.as_ref().to_vec(), vec![0; 64 << 10])
        }
        Way::Fragments => {
            let mut fragment = Header::new(Opcode::Continuation, 60 << 10, mask).as_ref().to_vec();
            fragment[0] &= 0x7f;
            fragment.resize(fragment.len() + (60 << 10), 0);
            (vec![0x02, 0x80, 0, 0, 0, 0], fragment)
        }
        Way::Body => (Vec::new(), vec![b'4'; 64 << 10]),
    };
    if let Way::Body = way {
        let open = "GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: a\r\n\r\n";
        stream.write_all(open.as_bytes()).await?;
        let mut answer = vec![0; 4_096];
        let read = stream.read(&mut answer).await?;
        let answer = String::from_utf8_lossy(&answer[..read]).into_owned();
        let sid = answer.split("\"sid\":\"").nth(1).and_then(|rest| rest.split('"').next());
        let sid = sid.ok_or_else(|| format!("no session: {answer}"))?;
        let post = format!(
            "POST /socket.io/?EIO=4&transport=polling&sid={sid} HTTP/1.1\r\nHost: a\r\n\
             Content-Length: {MESSAGE_BYTES}\r\n\r\n"
        );
        stream.write_all(post.as_bytes()).await?;
    } else {
        stream.write_all(UPGRADE.as_bytes()).await?;
        let mut wire = Wire::new(stream, BytesMut::new()).upgraded().await?;
        wire.text(&["0{"]).await?;
        stream = wire.stream;
    }
    let begun = Instant::now();
    let sending = async {
        stream.write_all(&head).await?;
        for _ in 0..SENT_BYTES / piece.len() {
            stream.write_all(&piece).await?;
        }
        Ok::<_, std::io::Error>(())
    };
    let stopped = timeout(HELD, sending).await.is_ok_and(|sent| sent.is_err());
    let mut rest = [0; 4_096];
    let ended = async { while stream.read(&mut rest).await.is_ok_and(|read| read > 0) {} };
    let closed = stopped || timeout(PATIENCE, ended).await.is_ok();
    Ok(closed.then(|| begun.elapsed()))
}

/// m5: by how much the memory rises, and whether the attackers are closed.
pub(crate) async fn messages_without_end(target: &Target) -> Result<(), Failure> {
    // What the first connections cost once and for all is not theirs.
    Visiting::for_a_while(target, HONEST, Duration::from_secs(1)).await?;
    for way in [Way::Frame, Way::Fragments, Way::Body] {
        let watch = target.watch()?;
        let visiting = Visiting::begin(target, HONEST);
        let attackers = stream::iter(0..SOCKETS).map(|_| endless(target, way));
        let closed: Vec<_> = attackers.buffer_unordered(SOCKETS).collect().await;
        sleep(Duration::from_millis(200)).await;
        let visits = visiting.end().await?;
        let mut last = Duration::ZERO;
        let mut count = 0;
        for closed in closed {
            if let Some(after) = closed? {
                count += 1;
                last = last.max(after);
            }
        }
        println!(
            "m5 {SOCKETS} unfinished messages of 60 MiB ({way:?}): memory rose by {}; {count} closed, \
             the last after {:.2} s; {visits}",
            watch.risen(),
            last.as_secs_f64()
        );
    }
    Ok(())
}
