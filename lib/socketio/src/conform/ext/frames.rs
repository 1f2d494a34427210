//! RFC 6455 as an attacker knows it, on a fresh session.

use std::time::Duration;

use bytes::BytesMut;

use crate::conform::frames::{Frame, Ws};
use crate::conform::{Cx, Outcome, failed, non_strict, table, unimplemented};
use crate::ws::{Header, Opcode, close_code, put_frame};

table! { FRAMES, Ext,
    "ext.frame.ping", "a websocket ping is answered with its payload" => ping,
    "ext.frame.close", "a close frame is answered by one" => close,
    "ext.frame.fragments", "a message in fragments, with a ping between them, is one" => fragments,
    "ext.frame.unmasked", "a frame without a mask closes with 1002" => unmasked,
    "ext.frame.reserved-bits", "a reserved bit closes with 1002" => reserved_bits,
    "ext.frame.opcode", "an unknown opcode closes with 1002" => opcode,
    "ext.frame.fragmented-control", "a ping in fragments closes with 1002" => fragmented_control,
    "ext.frame.long-control", "a ping over 125 bytes closes with 1002" => long_control,
    "ext.frame.continuation", "a continuation of nothing closes with 1002" => continuation,
    "ext.frame.interrupted", "a message inside another closes with 1002" => interrupted,
    "ext.frame.length", "a length of 2^63 closes with 1002 or 1009" => length,
    "ext.frame.close-code", "an invalid close code closes with 1002" => invalid_close_code,
    "ext.frame.utf8", "text that is not UTF-8 closes with 1007" => utf8,
    "ext.frame.surrogate", "half a surrogate pair in bytes closes with 1007" => surrogate,
    "ext.frame.split-character", "a character in two fragments is one" => split_character,
    "ext.frame.too-long",
        "a message over the announced limit closes with 1009 at its header" => too_long,
    "ext.frame.endless", "endless empty fragments are cut off" => endless,
}

impl Cx {
    async fn fresh(&self) -> Outcome<Ws> {
        Ok(self.open().await?.0)
    }

    /// Those bytes must end the connection with one of the codes.
    async fn ends(&self, bytes: &[u8], codes: &[u16]) -> Outcome {
        let mut ws = self.fresh().await?;
        ws.send_bytes(bytes).await?;
        ws.closes_with(codes).await
    }
}

/// A masked frame whose first byte is that one.
fn raw(first: u8, payload: &[u8]) -> BytesMut {
    let mut frame = BytesMut::new();
    put_frame(&mut frame, Opcode::Text, &[payload], Some([1, 2, 3, 4]));
    frame[0] = first;
    frame
}

async fn ping(cx: &Cx) -> Outcome {
    let mut ws = cx.fresh().await?;
    ws.send_frame(Opcode::Ping, b"are you there").await?;
    ws.pong(b"are you there").await
}

async fn close(cx: &Cx) -> Outcome {
    let mut ws = cx.fresh().await?;
    ws.send_frame(Opcode::Close, &close_code::NORMAL.to_be_bytes()).await?;
    ws.closes_with(&[close_code::NORMAL]).await
}

async fn fragments(cx: &Cx) -> Outcome {
    let mut ws = cx.fresh().await?;
    for piece in [raw(0x01, b"40/no"), raw(0x89, b"between"), raw(0x00, b""), raw(0x80, b"where,")]
    {
        ws.send_bytes(&piece).await?;
    }
    ws.pong(b"between").await?;
    let answer = ws.packet().await?;
    if answer.starts_with("44/nowhere,") || answer.starts_with("40/nowhere,") {
        return Ok(());
    }
    failed(format!("a CONNECT in fragments was answered by {answer:?}"))
}

async fn unmasked(cx: &Cx) -> Outcome {
    let mut frame = BytesMut::new();
    put_frame(&mut frame, Opcode::Text, &[b"40"], None);
    cx.ends(&frame, &[close_code::PROTOCOL]).await
}

async fn reserved_bits(cx: &Cx) -> Outcome {
    cx.ends(&raw(0xC1, b"40"), &[close_code::PROTOCOL]).await
}

async fn opcode(cx: &Cx) -> Outcome {
    cx.ends(&raw(0x83, b"40"), &[close_code::PROTOCOL]).await
}

async fn fragmented_control(cx: &Cx) -> Outcome {
    cx.ends(&raw(0x09, b"half"), &[close_code::PROTOCOL]).await
}

async fn long_control(cx: &Cx) -> Outcome {
    cx.ends(&raw(0x89, &[0; 126]), &[close_code::PROTOCOL]).await
}

async fn continuation(cx: &Cx) -> Outcome {
    cx.ends(&raw(0x80, b"40"), &[close_code::PROTOCOL]).await
}

async fn interrupted(cx: &Cx) -> Outcome {
    cx.ends(&[raw(0x01, b"4"), raw(0x81, b"40")].concat(), &[close_code::PROTOCOL]).await
}

async fn length(cx: &Cx) -> Outcome {
    let header = [0x82, 0xFF, 0x80, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4];
    cx.ends(&header, &[close_code::PROTOCOL, close_code::TOO_BIG]).await
}

async fn invalid_close_code(cx: &Cx) -> Outcome {
    cx.ends(&raw(0x88, &1005_u16.to_be_bytes()), &[close_code::PROTOCOL]).await
}

async fn utf8(cx: &Cx) -> Outcome {
    cx.ends(&raw(0x81, b"42[\"\xC3\x28\"]"), &[close_code::INVALID_DATA]).await
}

async fn surrogate(cx: &Cx) -> Outcome {
    cx.ends(&raw(0x81, b"42[\"\xED\xA0\x80\"]"), &[close_code::INVALID_DATA]).await
}

async fn split_character(cx: &Cx) -> Outcome {
    let mut ws = cx.fresh().await?;
    let (first, second) = "40/no\u{1f468}where,".as_bytes().split_at(7);
    ws.send_bytes(&raw(0x01, first)).await?;
    ws.send_bytes(&raw(0x80, second)).await?;
    let answer = ws.packet().await?;
    if answer.starts_with("44/no\u{1f468}where,") {
        return Ok(());
    }
    failed(format!("a CONNECT cut inside a character was answered by {answer:?}"))
}

async fn too_long(cx: &Cx) -> Outcome {
    let limit = match cx.needs_websocket()?.max_payload {
        0 => return unimplemented("no limit is announced"),
        limit => limit,
    };
    let announced = usize::try_from(limit).unwrap_or(usize::MAX).saturating_add(1);
    let header = Header::new(Opcode::Binary, announced, Some([1, 2, 3, 4]));
    cx.ends(header.as_ref(), &[close_code::TOO_BIG]).await
}

async fn endless(cx: &Cx) -> Outcome {
    const FRAGMENTS: usize = 100_000;
    const AT_ONCE: usize = 1_000;
    let mut ws = cx.fresh().await?;
    ws.send_bytes(&raw(0x01, b"")).await?;
    let many = raw(0x00, b"").repeat(AT_ONCE);
    for _ in 0..FRAGMENTS / AT_ONCE {
        ws.send_bytes(&many).await?;
        if let Ok(Ok(Frame::Closed(_))) =
            tokio::time::timeout(Duration::from_millis(1), ws.next()).await
        {
            return Ok(());
        }
    }
    match ws.closes().await {
        Ok(_) => Ok(()),
        Err(_) => non_strict(format!("{FRAGMENTS} empty fragments of one message were taken")),
    }
}
