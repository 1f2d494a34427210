//! What many clients and many messages cost: memory at rest, the way back after a crash, pages of a
//! long history.

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::task::LocalSet;
use tokio::time::sleep;

use crate::Failure;
use crate::driver;
use crate::stage::{Room, Server};

/// Sockets that do nothing.
const IDLE: usize = 5_000;
/// Clients that lose their server.
const CROWD: usize = 10_000;
/// Messages that each of their chats has before the crash, and after.
const BEFORE: usize = 3;
const AFTER: usize = 5;
/// Clients that knock at once.
const AT_ONCE: usize = 64;
/// The longest pause between two knocks.
const PAUSE: Duration = Duration::from_millis(500);
/// Length of the long chat, and of a page of it.
const LONG: i64 = 1_000_000;
const PAGE: usize = 50;
/// Pages read, each way.
const PAGES: usize = 200;

/// Resident bytes of the server for each joined socket.
pub(crate) async fn idle(server: &Server) -> Result<(), Failure> {
    let rooms = server.rooms(IDLE / 30).await?;
    // What a first client makes the server build once.
    let warm = driver::join(&server.address, &rooms[0].people[0].token, &rooms[0].chat).await?;
    let before = server.memory()?;
    let mut kept = vec![warm];
    for number in 0..IDLE {
        let (room, person) = place(&rooms, number);
        kept.push(driver::join(&server.address, &room.people[person].token, &room.chat).await?);
    }
    sleep(Duration::from_secs(5)).await;
    let each = (server.memory()? - before) / IDLE;
    println!("idle: {each} bytes of server memory per joined socket, {IDLE} sockets");
    Ok(())
}

/// Where client `number` belongs: people and rooms in turn.
fn place(rooms: &[Room], number: usize) -> (&Room, usize) {
    (&rooms[number % rooms.len()], number / rooms.len() % 3)
}

/// Everybody is in a room, the server is killed, messages are missed, everybody comes back.
pub(crate) async fn back(server: &mut Server) -> Result<(), Failure> {
    let rooms = Rc::new(server.rooms(CROWD / 50).await?);
    speak(server, &rooms, 0..BEFORE).await?;
    let mut crowd = Vec::with_capacity(CROWD);
    for number in 0..CROWD {
        let (room, person) = place(&rooms, number);
        crowd.push(driver::join(&server.address, &room.people[person].token, &room.chat).await?);
    }
    server.kill_and_restart()?;
    let begun = Instant::now();
    drop(crowd);
    speak(server, &rooms, BEFORE..BEFORE + AFTER).await?;
    let spoken = begun.elapsed();

    let local = LocalSet::new();
    let (next, caught_up, wrong) = <(Rc<Cell<usize>>, Rc<Cell<usize>>, Rc<Cell<usize>>)>::default();
    let refused = Rc::new(Cell::new(0_usize));
    for _ in 0..AT_ONCE {
        let (rooms, address) = (Rc::clone(&rooms), server.address.clone());
        let (next, caught_up, wrong) = (next.clone(), caught_up.clone(), wrong.clone());
        let refused = Rc::clone(&refused);
        local.spawn_local(async move {
            let mut kept = Vec::new();
            while next.get() < CROWD {
                let number = next.replace(next.get() + 1);
                let (room, person) = place(&rooms, number);
                let token = &room.people[person].token;
                let (listener, speaker, missed) = loop {
                    match driver::resume(&address, token, &room.chat, BEFORE).await {
                        Ok(back) => break back,
                        Err(_) => refused.set(refused.get() + 1),
                    }
                    sleep(PAUSE).await;
                };
                kept.push((listener, speaker));
                caught_up.set(caught_up.get() + 1);
                if !missed.iter().copied().eq(BEFORE..BEFORE + AFTER) {
                    wrong.set(wrong.get() + 1);
                }
            }
            kept
        });
    }
    local.await;
    println!(
        "back: {} clients joined and caught up {:.1} s after the restart ({:.1} s of it for what \
         they had missed), {} tries refused, {} with a wrong page",
        caught_up.get(),
        begun.elapsed().as_secs_f64(),
        spoken.as_secs_f64(),
        refused.get(),
        wrong.get(),
    );
    Ok(())
}

/// Messages with these numbers in every room.
async fn speak(
    server: &Server,
    rooms: &[Room],
    numbers: std::ops::Range<usize>,
) -> Result<(), Failure> {
    for room in rooms {
        let token = &room.people[0].token;
        let (mut listener, speaker) = driver::join(&server.address, token, &room.chat).await?;
        for number in numbers.clone() {
            speaker.say(&room.chat, number)?;
            listener.message().await?;
        }
    }
    Ok(())
}

/// The newest page of a chat with a million messages, and pages in the middle of it.
pub(crate) async fn million(server: &Server) -> Result<(), Failure> {
    let room = &server.rooms(1).await?[0];
    let mut database = server.database().await?;
    let chat: uuid::Uuid = room.chat.parse()?;
    for sql in [
        "insert into messages (chat_id, seq, id, sender_id, message_type, body, created_at)
         select $1, last_seq + n, gen_random_uuid(), $3, 'text', 'm' || lpad(n::text, 99, '0'), now()
         from chats, generate_series(1, $2) n where id = $1",
        "update chats set last_seq = last_seq + $2 where id = $1 and $3 > 0",
    ] {
        let sender = i64::try_from(room.people[0].id)?;
        sqlx::query(sql).bind(chat).bind(LONG).bind(sender).execute(&mut database).await?;
    }
    let before = server.memory()?;
    let url = format!("http://{}/chat/{}/messages?limit={PAGE}", server.address, room.chat);
    for (name, at) in [("the newest page", None), ("a page in the middle", Some(LONG / 2))] {
        let mut times = Vec::with_capacity(PAGES);
        for number in 0..PAGES {
            // Each time another page, so that none is kept from before.
            let url = match at {
                None => url.clone(),
                Some(at) => format!("{url}&beforeSeq={}", at + i64::try_from(number * PAGE)?),
            };
            let begun = Instant::now();
            let answer = server.http.get(url).bearer_auth(&room.people[0].token).send().await?;
            let body = answer.error_for_status()?.text().await?;
            times.push(begun.elapsed());
            let messages = body.matches("\"seq\":").count();
            if messages != PAGE {
                return Err(format!("{messages} messages in a page of {PAGE}").into());
            }
        }
        let first = times[0].as_secs_f64() * 1e3;
        times.sort_unstable();
        let (p50, p99) = (times[PAGES / 2], times[PAGES * 99 / 100]);
        println!(
            "million, {name} of {PAGE}: first {first:.1} ms, p50 {:.1} ms, p99 {:.1} ms",
            p50.as_secs_f64() * 1e3,
            p99.as_secs_f64() * 1e3,
        );
    }
    let url = format!("http://{}/chat/{}/messages", server.address, room.chat);
    let answer = server.http.get(url).bearer_auth(&room.people[0].token).send().await?;
    let mut answer = answer.error_for_status()?;
    let (mut bytes, mut most) = (0, before);
    let begun = Instant::now();
    while let Some(chunk) = answer.chunk().await? {
        if bytes >> 20 != (bytes + chunk.len()) >> 20 {
            most = most.max(server.memory()?);
        }
        bytes += chunk.len();
    }
    println!(
        "million, all of it: {bytes} bytes in {:.1} s; the server grew by {} bytes at most",
        begun.elapsed().as_secs_f64(),
        most - before,
    );
    Ok(())
}
