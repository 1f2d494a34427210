//! Order, acknowledgements, attachments, text and rooms, on a server of the profile.

use crate::conform::frames::{Frame, Ws};
use crate::conform::socket::PLACES;
use crate::conform::{Cx, Outcome, failed, table, unimplemented};
use crate::engine::SEPARATOR;

table! { EVENTS, Ext,
    "ext.order.websocket", "a thousand events keep their order" => order_websocket,
    "ext.order.polling", "two hundred events in one body keep their order" => order_polling,
    "ext.order.upgrade", "events keep their order across the upgrade" => order_upgrade,
    "ext.order.slow-reader", "a slow reader gets all in order, or is cut off" => slow_reader,
    "ext.ack.big-id", "an acknowledgement id of 2^53 - 1 comes back" => big_ack_id,
    "ext.ack.question", "the server asks and gets the answer" => question,
    "ext.namespaces.both", "two namespaces share a connection" => both_namespaces,
    "ext.binary.polling", "attachments travel over polling" => binary_polling,
    "ext.text.websocket", "text of every script comes back over websocket" => text_websocket,
    "ext.text.polling", "text of every script comes back over polling" => text_polling,
    "ext.payload.limit", "an event just under the announced limit comes back" => just_fits,
    "ext.rooms.emit", "an event to a room reaches its members" => room_emit,
    "ext.rooms.except", "an event to the others does not reach its sender" => room_except,
    "ext.rooms.leave", "who has left a room is not reached" => room_leave,
}

const MANY: usize = 1_000;
/// Fewer than a server may keep for a client between two polls.
const IN_ONE_BODY: usize = 200;

impl Cx {
    /// A polling session inside `/`, past its greeting.
    async fn polling_inside(&self) -> Outcome<String> {
        if !self.subject.offers().profile {
            return unimplemented("the server does not echo (it is not set up for the suites)");
        }
        let sid = self.session().await?;
        self.post(&sid, "40").await?.is("ok")?;
        let packets = self.poll_packets(&sid, 2).await?;
        if packets[0].starts_with("40{") && packets[1] == "42[\"auth\",{}]" {
            return Ok(sid);
        }
        failed(format!("CONNECT over polling was answered by {packets:?}"))
    }

    /// Polls until so many packets have come, besides pings.
    async fn poll_packets(&self, sid: &str, count: usize) -> Outcome<Vec<String>> {
        let mut packets = Vec::new();
        while packets.len() < count {
            let answer = self.get(sid).await?;
            if !answer.status.is_success() {
                let came = packets.len();
                return failed(format!("{} after {came} of {count} packets", answer.status));
            }
            for packet in answer.body.split(char::from(SEPARATOR)) {
                match packet {
                    "2" => self.post(sid, "3").await?.is("ok")?,
                    packet => packets.push(packet.to_owned()),
                }
            }
        }
        Ok(packets)
    }

    async fn polling_echo(&self, send: &str, expect: &[&str]) -> Outcome {
        let sid = self.polling_inside().await?;
        self.post(&sid, send).await?.is("ok")?;
        let came = self.poll_packets(&sid, expect.len()).await?;
        if came == expect { Ok(()) } else { failed(format!("{expect:?} expected, {came:?} came")) }
    }
}

fn numbered(number: usize) -> String {
    format!("42[\"message\",{number}]")
}

fn echoed(number: usize) -> String {
    format!("42[\"message-back\",{number}]")
}

/// The echoes of those numbers come next, in order.
async fn expect_numbers(ws: &mut Ws, numbers: std::ops::Range<usize>) -> Outcome {
    for number in numbers {
        ws.expect(&echoed(number)).await?;
    }
    Ok(())
}

async fn order_websocket(cx: &Cx) -> Outcome {
    let mut ws = cx.inside_profile().await?;
    // A few at a time: the case is about order, not about queues.
    for begin in (0..MANY).step_by(50) {
        for number in begin..begin + 50 {
            ws.send(&numbered(number)).await?;
        }
        expect_numbers(&mut ws, begin..begin + 50).await?;
    }
    Ok(())
}

async fn order_polling(cx: &Cx) -> Outcome {
    let sid = cx.polling_inside().await?;
    let body = (0..IN_ONE_BODY).map(numbered).collect::<Vec<_>>().join("\x1e");
    let (posted, polled) = tokio::join!(cx.post(&sid, &body), cx.poll_packets(&sid, IN_ONE_BODY));
    posted?.is("ok")?;
    for (number, packet) in polled?.iter().enumerate() {
        if *packet != echoed(number) {
            return failed(format!("{packet:?} came as number {number}"));
        }
    }
    Ok(())
}

async fn order_upgrade(cx: &Cx) -> Outcome {
    let sid = cx.polling_inside().await?;
    let mut ws = cx.open_for(&sid).await?;
    for number in 0..10 {
        cx.post(&sid, &numbered(number)).await?.is("ok")?;
    }
    ws.send("2probe").await?;
    ws.expect("3probe").await?;
    let mut polled = cx.poll_packets(&sid, 1).await?;
    polled.retain(|packet| packet != "6");
    ws.send("5").await?;
    for number in 10..20 {
        ws.send(&numbered(number)).await?;
    }
    for (number, packet) in polled.iter().enumerate() {
        if *packet != echoed(number) {
            return failed(format!("{packet:?} was polled as number {number}"));
        }
    }
    expect_numbers(&mut ws, polled.len()..20).await
}

async fn slow_reader(cx: &Cx) -> Outcome {
    let mut ws = cx.inside_profile().await?;
    let filler = "x".repeat(10_000);
    for number in 0..MANY {
        let event = format!("42[\"message\",{number},\"{filler}\"]");
        // A server that does not read any further, or has hung up, has made its choice.
        if ws.send(&event).await.is_err() {
            break;
        }
    }
    let mut next = 0;
    while next < MANY {
        match ws.next().await {
            Ok(Frame::Closed(_)) => return Ok(()),
            Ok(Frame::Text(text)) if text == "2" => ws.send("3").await?,
            Ok(Frame::Text(text)) => {
                if !text.starts_with(&format!("42[\"message-back\",{next},")) {
                    return failed(format!("{text:.40} came as number {next}: not in order"));
                }
                next += 1;
            }
            other => return failed(format!("{next} of {MANY} came, then {other:?}")),
        }
    }
    Ok(())
}

async fn big_ack_id(cx: &Cx) -> Outcome {
    let id = (1_u64 << 53) - 1;
    let event = format!("42{id}[\"message-with-ack\",1]");
    cx.sends_and_gets(&event, &format!("43{id}[1]")).await.map(|_| ())
}

async fn question(cx: &Cx) -> Outcome {
    let mut ws = cx.inside_profile().await?;
    ws.send("42[\"ask\",1,\"2\"]").await?;
    let Ok(asked) = ws.packet().await else {
        return unimplemented("the server does not know the event ask");
    };
    let id = asked.strip_prefix("42").and_then(|rest| rest.strip_suffix("[\"question\",1,\"2\"]"));
    let Some(id) = id.filter(|id| id.parse::<u64>().is_ok()) else {
        return failed(format!("{asked:?} is no question with an id"));
    };
    ws.send(&format!("43{id}[\"because\"]")).await?;
    ws.expect("42[\"answered\",\"because\"]").await
}

async fn both_namespaces(cx: &Cx) -> Outcome {
    let mut ws = cx.inside_profile().await?;
    ws.send("40/custom,{\"a\":1}").await?;
    let granted = ws.packet().await?;
    if !granted.starts_with("40/custom,{\"sid\":\"") {
        return failed(format!("/custom was answered by {granted:?}"));
    }
    ws.expect("42/custom,[\"auth\",{\"a\":1}]").await?;
    ws.send("42/custom,[\"message\",1]").await?;
    ws.send("42[\"message\",2]").await?;
    ws.expect("42[\"message-back\",2]").await
}

async fn binary_polling(cx: &Cx) -> Outcome {
    let send = format!("452-[\"message\",{PLACES}]\x1ebAQID\x1ebBAUG");
    let back = format!("452-[\"message-back\",{PLACES}]");
    cx.polling_echo(&send, &[&back, "bAQID", "bBAUG"]).await
}

/// Several scripts, four bytes per character, what JSON escapes, both line ends of JavaScript.
const SCRIPTS: &str = concat!(
    "[\"e\u{301}\u{e9}\",\"\u{65e5}\u{672c}\",\"\u{1f468}\u{200d}\u{1f469}\",",
    "\"\u{2028}\u{2029}\",\"\\\"\\\\\\n\",\"\u{202e}\"]"
);

async fn text_websocket(cx: &Cx) -> Outcome {
    let send = format!("42[\"message\",{SCRIPTS}]");
    cx.sends_and_gets(&send, &format!("42[\"message-back\",{SCRIPTS}]")).await.map(|_| ())
}

async fn text_polling(cx: &Cx) -> Outcome {
    let back = format!("42[\"message-back\",{SCRIPTS}]");
    cx.polling_echo(&format!("42[\"message\",{SCRIPTS}]"), &[&back]).await
}

async fn just_fits(cx: &Cx) -> Outcome {
    let mut ws = cx.inside_profile().await?;
    let limit = cx.subject.offers().websocket.as_ref().map_or(0, |offer| offer.max_payload);
    let filler = usize::try_from(limit).unwrap_or_default().saturating_sub(100);
    let filler = "x".repeat(filler);
    ws.send(&format!("42[\"message\",\"{filler}\"]")).await?;
    let came = ws.packet().await?;
    if came == format!("42[\"message-back\",\"{filler}\"]") {
        return Ok(());
    }
    failed(format!("{} bytes came back for {}", came.len(), filler.len()))
}

/// A socket that is in the room, if the server has rooms to try.
async fn member(cx: &Cx, room: &str) -> Outcome<Ws> {
    let mut ws = cx.inside_profile().await?;
    ws.send(&format!("427[\"join\",\"{room}\"]")).await?;
    match ws.packet().await {
        Ok(text) if text == "437[true]" => Ok(ws),
        Ok(text) => failed(format!("joining a room was acknowledged by {text:?}")),
        Err(_) => unimplemented("the server does not know the event join"),
    }
}

/// A name that no other run uses at the same time.
fn room() -> String {
    format!("room-{:016x}", rand::random::<u64>())
}

async fn room_emit(cx: &Cx) -> Outcome {
    let room = room();
    let (mut first, mut second) = (member(cx, &room).await?, member(cx, &room).await?);
    let mut outsider = cx.inside_profile().await?;
    for number in 0..20 {
        first.send(&format!("42[\"to-room\",\"{room}\",{number}]")).await?;
    }
    for number in 0..20 {
        first.expect(&format!("42[\"room\",{number}]")).await?;
        second.expect(&format!("42[\"room\",{number}]")).await?;
    }
    outsider.send("42[\"message\",1]").await?;
    outsider.expect("42[\"message-back\",1]").await
}

async fn room_except(cx: &Cx) -> Outcome {
    let room = room();
    let (mut first, mut second) = (member(cx, &room).await?, member(cx, &room).await?);
    first.send(&format!("42[\"to-room-except\",\"{room}\",1]")).await?;
    second.expect("42[\"room\",1]").await?;
    first.send("42[\"message\",2]").await?;
    first.expect("42[\"message-back\",2]").await
}

async fn room_leave(cx: &Cx) -> Outcome {
    let room = room();
    let (mut first, mut second) = (member(cx, &room).await?, member(cx, &room).await?);
    second.send(&format!("428[\"leave\",\"{room}\"]")).await?;
    second.expect("438[true]").await?;
    first.send(&format!("42[\"to-room\",\"{room}\",1]")).await?;
    first.expect("42[\"room\",1]").await?;
    second.send("42[\"message\",2]").await?;
    second.expect("42[\"message-back\",2]").await
}
