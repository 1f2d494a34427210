//! Half request heads (M6), against the chat of the examples: the crate leaves the deadline for a
//! head to whoever serves HTTP, and the examples show how.

use std::time::Duration;

use futures_util::future::join_all;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, timeout_at};

use super::wire::Wire;

#[path = "../../../examples/chat/mod.rs"]
mod chat;

/// Twice the deadline that the examples set.
const CLOSED_WITHIN: Duration = Duration::from_secs(16);
/// Enough to be many, few enough for a process with 1,024 files that holds both ends of each.
const HEADS: usize = 200;

#[tokio::test]
async fn half_heads_are_closed_in_time_and_an_honest_client_is_served_meanwhile() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serving = tokio::spawn(chat::serve(listener, chat::lifted()));
    let end = Instant::now() + CLOSED_WITHIN;
    let mut attackers = Vec::new();
    for number in 0..HEADS {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let half = "GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: a\r\nX-Half: ";
        // Some have said nothing at all, some stop within the first word.
        let length = [0, 2, half.len()][number % 3];
        stream.write_all(&half.as_bytes()[..length]).await.unwrap();
        attackers.push(async move {
            let mut rest = Vec::new();
            // What it says before it closes, or whether it resets, does not matter.
            timeout_at(end, stream.read_to_end(&mut rest)).await.is_ok()
        });
    }
    let attacked = tokio::spawn(join_all(attackers));
    while !attacked.is_finished() {
        let mut wire = Wire::open(address).await;
        wire.text("40/chat,").await;
        wire.expect_start("40/chat,{").await;
        wire.expect_start("42/chat,[\"connected\"").await;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let closed = attacked.await.unwrap();
    assert_eq!(closed.into_iter().filter(|closed| *closed).count(), HEADS);
    serving.abort();
}
