//! What is sent comes once and in order, however it travels.

use crate::conform::frames::{Frame, Ws};
use crate::conform::{Cx, Outcome, failed, table};
use crate::ws::Opcode;

table! { ORDER, Ext,
    "ext.order.websocket", "a thousand events keep their order" => order_websocket,
    "ext.order.polling", "two hundred events in one body keep their order" => order_polling,
    "ext.order.one-poll", "events that wait come in one poll, in their order" => one_poll,
    "ext.order.binary", "events with and without attachments keep their order" => order_binary,
    "ext.order.upgrade", "events keep their order across the upgrade" => order_upgrade,
    "ext.order.slow-reader", "a slow reader gets all in order, or is cut off" => slow_reader,
}

const MANY: usize = 1_000;
/// Fewer than a server may keep for a client between two polls.
const IN_ONE_BODY: usize = 200;

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

/// These packets are the echoes of the numbers from 0, in order.
fn check_numbers(packets: &[String]) -> Outcome {
    for (number, packet) in packets.iter().enumerate() {
        if *packet != echoed(number) {
            return failed(format!("{packet:?} was polled as number {number}"));
        }
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

fn one_body() -> String {
    (0..IN_ONE_BODY).map(numbered).collect::<Vec<_>>().join("\x1e")
}

async fn order_polling(cx: &Cx) -> Outcome {
    let sid = cx.polling_inside().await?;
    let body = one_body();
    let (posted, polled) = tokio::join!(cx.post(&sid, &body), cx.poll_packets(&sid, IN_ONE_BODY));
    posted?.is("ok")?;
    check_numbers(&polled?)
}

async fn one_poll(cx: &Cx) -> Outcome {
    let sid = cx.polling_inside().await?;
    cx.post(&sid, &one_body()).await?.is("ok")?;
    // Nobody has polled: what waits leaves together, though a server may still be at work.
    let first = cx.polled(&sid).await?;
    let rest = cx.poll_packets(&sid, IN_ONE_BODY.saturating_sub(first.len())).await?;
    let polled = [first, rest].concat();
    check_numbers(&polled)?;
    match polled.len() {
        IN_ONE_BODY => Ok(()),
        came => failed(format!("{came} packets came for {IN_ONE_BODY}")),
    }
}

async fn order_binary(cx: &Cx) -> Outcome {
    const PLACE: &str = r#"{"_placeholder":true,"num":0}"#;
    let mut ws = cx.inside_profile().await?;
    for number in 0..20_u8 {
        ws.send(&format!("451-[\"message\",{number},{PLACE}]")).await?;
        ws.send_frame(Opcode::Binary, &[number; 3]).await?;
        ws.send(&numbered(number.into())).await?;
    }
    for number in 0..20_u8 {
        ws.expect(&format!("451-[\"message-back\",{number},{PLACE}]")).await?;
        ws.expect_binary(&[number; 3]).await?;
        ws.expect(&echoed(number.into())).await?;
    }
    Ok(())
}

async fn order_upgrade(cx: &Cx) -> Outcome {
    let sid = cx.polling_inside().await?;
    cx.needs_upgrade()?;
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
    check_numbers(&polled)?;
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
