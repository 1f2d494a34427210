//! The leanest server that still speaks the chat: whoever connects is in, messages of a room are
//! gathered while they come and leave with one write to each member. It reads no JSON and stores
//! nothing: what limits a run against it is the generator.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

use bytes::{Buf as _, BytesMut};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use trialogue_socketio::ws::{Decoder, Limits, Message, Opcode, Role, accept_key, put_frame};

use crate::Failure;

const KEY: &[u8] = b"sec-websocket-key: ";
const OPEN: &[u8] = b"0{\"sid\":\"bench\",\"upgrades\":[],\"pingInterval\":600000,\
    \"pingTimeout\":600000,\"maxPayload\":1000000}";
const CONNECTED: &[u8] = br#"42/chat,["connected",{"message":"Connected: userId=1","userId":1}]"#;
const CHAT: &[u8] = b"\"chatId\":\"";
const MESSAGE: &[u8] = b"\"message\":\"";
const CONNECT: &[u8] = b"40/chat,";
const EVENT: &[u8] = b"42/chat,";

/// A room: who is in it, and what has come since its members were last written to.
#[derive(Default)]
struct Room {
    /// Who has come since.
    arrivals: RefCell<Vec<OwnedWriteHalf>>,
    members: Cell<usize>,
    gathered: RefCell<BytesMut>,
    answers: RefCell<Vec<(usize, BytesMut)>>,
    seq: Cell<u64>,
    news: Notify,
}

type Rooms = Rc<RefCell<HashMap<Vec<u8>, Rc<Room>>>>;

/// Serves for ever.
pub(crate) async fn serve(listener: TcpListener) {
    let rooms = Rooms::default();
    while let Ok((stream, _)) = listener.accept().await {
        let rooms = rooms.clone();
        tokio::task::spawn_local(async move {
            // The driver counts what does not come.
            let _over = connection(stream, &rooms).await;
        });
    }
}

fn text(out: &mut BytesMut, parts: &[&[u8]]) {
    put_frame(out, Opcode::Text, parts, None);
}

/// What stands between `mark` and the next quotation mark.
fn field<'a>(packet: &'a [u8], mark: &[u8]) -> Option<&'a [u8]> {
    let begin = memchr::memmem::find(packet, mark)? + mark.len();
    let end = memchr::memchr(b'"', &packet[begin..])?;
    Some(&packet[begin..begin + end])
}

async fn connection(stream: TcpStream, rooms: &Rooms) -> Result<(), Failure> {
    stream.set_nodelay(true)?;
    let (mut read, mut write) = stream.into_split();
    let mut buffer = handshake(&mut read, &mut write).await?;
    let mut decoder = Decoder::new(Role::Server, Limits::default());
    // Ours until there is a room: then the room writes, and nobody else.
    let mut write = Some(write);
    let mut seat: Option<(Rc<Room>, usize)> = None;
    loop {
        while let Some(message) = decoder.decode(&mut buffer)? {
            let Message::Text(packet) = message else { continue };
            let packet = &packet[..];
            let mut answer = BytesMut::new();
            if packet.starts_with(CONNECT) {
                text(&mut answer, &[br#"40/chat,{"sid":"bench"}"#]);
                text(&mut answer, &[CONNECTED]);
                write.as_mut().ok_or("connected twice")?.write_all(&answer).await?;
            } else if let Some(event) = packet.strip_prefix(EVENT) {
                if let Some((room, member)) = &seat {
                    say(room, *member, event);
                    continue;
                }
                let chat = field(event, CHAT).ok_or("no chat")?;
                text(&mut answer, &[b"42/chat,[\"joined_chat\",{\"chatId\":\"", chat, b"\"}]"]);
                let mut write = write.take().ok_or("joined twice")?;
                write.write_all(&answer).await?;
                seat = Some(join(rooms, chat, write));
            }
        }
        if read.read_buf(&mut buffer).await? == 0 {
            return Ok(());
        }
    }
}

/// Answers the request for a websocket and says hello; what came behind the request is left.
async fn handshake(
    read: &mut OwnedReadHalf,
    write: &mut OwnedWriteHalf,
) -> Result<BytesMut, Failure> {
    let mut buffer = BytesMut::new();
    let end = loop {
        if let Some(end) = memchr::memmem::find(&buffer, b"\r\n\r\n") {
            break end + 4;
        }
        if read.read_buf(&mut buffer).await? == 0 {
            return Err("no request".into());
        }
    };
    let head = buffer[..end].to_ascii_lowercase();
    let key = memchr::memmem::find(&head, KEY).ok_or("no key")? + KEY.len();
    let length = memchr::memchr(b'\r', &head[key..]).ok_or("no end of the key")?;
    let mut answer = BytesMut::from(
        format!(
            "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Accept: {}\r\n\r\n",
            accept_key(&buffer[key..key + length])
        )
        .as_bytes(),
    );
    text(&mut answer, &[OPEN]);
    write.write_all(&answer).await?;
    buffer.advance(end);
    Ok(buffer)
}

fn join(rooms: &Rooms, chat: &[u8], write: OwnedWriteHalf) -> (Rc<Room>, usize) {
    let mut rooms = rooms.borrow_mut();
    let room = rooms.entry(chat.to_vec()).or_insert_with(|| {
        let room = Rc::<Room>::default();
        tokio::task::spawn_local(hand_out(room.clone()));
        room
    });
    room.arrivals.borrow_mut().push(write);
    (room.clone(), room.members.replace(room.members.get() + 1))
}

/// Takes a message in: its answer, and what everybody gets.
fn say(room: &Room, member: usize, event: &[u8]) {
    let digits = event.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (ack, event) = event.split_at(digits);
    let (Some(chat), Some(said)) = (field(event, CHAT), field(event, MESSAGE)) else { return };
    let seq = room.seq.get() + 1;
    room.seq.set(seq);
    if !ack.is_empty() {
        let mut answer = BytesMut::new();
        let stored = br#"[{"ok":true,"status":"stored"}]"#;
        text(&mut answer, &[b"43/chat,", ack, stored]);
        room.answers.borrow_mut().push((member, answer));
    }
    let head =
        format!(r#"42/chat,["new_message",{{"id":"00000000-0000-7000-8000-{seq:012x}","chatId":""#);
    let middle = format!(
        r#"","seq":{seq},"sender_type":"customer","sender_id":1,"sender_name":"Load Test","message":""#
    );
    let tail = br#"","message_type":"text","created_at":"2026-01-01T00:00:00.000Z"}]"#;
    let parts = [head.as_bytes(), chat, middle.as_bytes(), said, tail];
    text(&mut room.gathered.borrow_mut(), &parts);
    room.news.notify_one();
}

/// Writes what was gathered to everybody, again and again.
async fn hand_out(room: Rc<Room>) {
    let mut members = Vec::new();
    loop {
        room.news.notified().await;
        members.append(&mut room.arrivals.borrow_mut());
        let bytes = std::mem::take(&mut *room.gathered.borrow_mut());
        let answers = std::mem::take(&mut *room.answers.borrow_mut());
        for (member, answer) in answers {
            // Who is gone needs nothing.
            let _gone = members[member].write_all(&answer).await;
        }
        for member in &mut members {
            let _gone = member.write_all(&bytes).await;
        }
    }
}
