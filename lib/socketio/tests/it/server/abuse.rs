//! What hostile clients send (group D): refused or closed, with an honest client served beside.

use std::time::Duration;

use bytes::BytesMut;
use tokio::io::AsyncWriteExt;
use trialogue_socketio::server::ServerConfig;
use trialogue_socketio::ws::{Header, Opcode, put_frame};

use super::Bench;
use super::wire::{MASK, Wire, frames, http};

fn frame(opcode: Opcode, payload: &[u8]) -> BytesMut {
    let mut out = BytesMut::new();
    put_frame(&mut out, opcode, &[payload], Some(MASK));
    out
}

#[tokio::test]
async fn wrong_requests_are_answered_400_and_harm_nobody() {
    let mut bench = Bench::new().await;
    let address = bench.served.address;
    let long = "a".repeat(5_000);
    for query in [
        "",
        "EIO=4",
        "EIO=3&transport=polling",
        "transport=polling",
        "EIO=4&EIO=3&transport=polling",
        "EIO=4&transport=foo",
        "EIO=4&transport=constructor",
        "EIO=4&transport=__proto__",
        "EIO=4&transport=polling&sid=",
        "EIO=4&transport=polling&sid=constructor",
        "EIO=4&transport=polling&sid=AAAAAAAAAAAAAAAAAAAAAA",
        "EIO=4&transport=websocket",
        "EIO=4&transport=websocket&sid=AAAAAAAAAAAAAAAAAAAAAA",
        "EIO=%34&transport=polling",
        &format!("EIO=4&transport=polling&sid={long}"),
    ] {
        for method in ["GET", "POST", "PUT", "DELETE", "PATCH"] {
            let (status, body) = http(address, method, query, "").await;
            assert_eq!(status, 400, "{method} {query}: {body}");
        }
    }
    let sid = super::wire::open_polling(address).await;
    let other = format!("EIO=4&transport=polling&sid={sid}");
    assert_eq!(http(address, "PUT", &other, "").await.0, 400);
    bench.serves_an_honest_client().await;
}

#[tokio::test]
async fn broken_handshakes_of_websockets_are_refused() {
    let mut bench = Bench::new().await;
    let address = bench.served.address;
    let good = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    let query = "EIO=4&transport=websocket";
    for (from, to, status) in [
        ("Upgrade: websocket\r\n", "", 400),
        ("dGhlIHNhbXBsZSBub25jZQ==", "short", 400),
        ("dGhlIHNhbXBsZSBub25jZQ==", "!!!!", 400),
        ("Version: 13", "Version: 8", 426),
    ] {
        let headers = good.replacen(from, to, 1);
        let answer = super::wire::http_with(address, "GET", query, &headers, "").await;
        assert_eq!(answer.0, status, "{headers}");
    }
    // Extensions are offered and never taken.
    let offer = "Sec-WebSocket-Extensions: permessage-deflate, constructor\r\n\
                 Sec-WebSocket-Protocol: a, b\r\n";
    let mut wire = Wire::upgrade_with(address, query, offer).await.unwrap();
    wire.expect_start("0{").await;
    bench.serves_an_honest_client().await;
}

#[tokio::test]
async fn broken_frames_close_their_connection_with_the_right_code() {
    let mut bench = Bench::new().await;
    let text = |payload: &[u8]| frame(Opcode::Text, payload);
    let with_first = |first: u8| {
        let mut bytes = text(b"4x");
        bytes[0] = first;
        bytes
    };
    let mut huge = BytesMut::from(&[0x81, 0xff][..]);
    huge.extend_from_slice(&(1_u64 << 63).to_be_bytes());
    let header = |length| BytesMut::from(Header::new(Opcode::Text, length, Some(MASK)).as_ref());
    let fragments =
        [&[0x01, 0x80, 1, 2, 3, 4][..], &[0x00, 0x80, 1, 2, 3, 4].repeat(2_000)].concat();
    for (name, bytes, code) in [
        ("reserved bits", with_first(0xc1), 1002),
        ("unknown opcode", with_first(0x83), 1002),
        ("unmasked", BytesMut::from(&b"\x81\x0240"[..]), 1002),
        ("continuation of nothing", with_first(0x80), 1002),
        ("fragmented control", with_first(0x09), 1002),
        ("long control", frame(Opcode::Ping, &[0; 126]), 1002),
        ("invalid close code", frame(Opcode::Close, &[0, 1]), 1002),
        ("length 2^63", huge, 1002),
        ("one byte over the limit", header(65_537), 1009),
        ("60 MiB announced", header(60 << 20), 1009),
        ("empty fragments for ever", BytesMut::from(&fragments[..]), 1009),
        ("not UTF-8", text(b"42[\"\xff\"]"), 1007),
    ] {
        let mut wire = Wire::open(bench.served.address).await;
        let _closed_meanwhile = wire.stream.write_all(&bytes).await;
        assert_eq!(wire.until_closed().await, Some(code), "{name}");
    }
    bench.serves_an_honest_client().await;
    // Exactly at the limit is fine.
    let (mut wire, mut side) = bench.connect().await;
    wire.text(&format!("42[\"a\",\"{}\"]", "x".repeat(65_536 - 10))).await;
    let event = crate::peer::soon(side.events.recv()).await.unwrap();
    assert_eq!(event.args().json().len(), 65_530);
}

/// Packets that a client may not send once it is connected to `/`.
const MALFORMED: &[&str] = &[
    "",
    "7",
    "8",
    "9",
    "x",
    "abc",
    "0{}",
    "2",
    "2probe",
    "5",
    "4",
    "4a",
    "47",
    "49",
    "42",
    "42[",
    "42{}",
    "42[]",
    "42[1]",
    "42[null]",
    "42[{\"toString\":1}]",
    "42[\"a\"",
    "42[\"a\",]",
    "42[\"a\"]]",
    "42[\"connect\"]",
    "42[\"disconnect\"]",
    "42[\"connect_error\"]",
    "42[\"disconnecting\"]",
    "42[\"newListener\"]",
    "42abc[\"a\"]",
    "43",
    "43[]",
    "43x[]",
    "4318446744073709551616[]",
    "4218446744073709551616[\"a\"]",
    "42/unknown,[\"a\"]",
    "41/unknown,",
    "43/unknown,1[]",
    "44",
    "44{\"message\":\"x\"}",
    "45",
    "45[\"a\"]",
    "45-[\"a\"]",
    "4511-[\"a\"]",
    "451000000000-[\"a\"]",
    "45-1-[\"a\"]",
    "451e3-[\"a\"]",
    "451-",
    "451-/unknown,[\"a\"]",
    "46[]",
    "461-[]",
    "40[]",
    "40\"x\"",
    "40{",
    "401{}",
    "41{}",
    "451-[\"a\",{\"_placeholder\":true,\"num\":1}]",
    "451-[\"a\",{\"_placeholder\":true,\"num\":-1}]",
    "451-[\"a\",{\"_placeholder\":true,\"num\":\"constructor\"}]",
    "\u{20ac}uro!!",
    "4\u{1f600}",
    "42[\"\\ud8\"]",
    "42[\"a\\x\"]",
    "42[\"a\u{0}\"]",
];

/// The same, and some that are too long to be written down.
fn malformed() -> Vec<String> {
    let mut texts: Vec<String> = MALFORMED.iter().map(|text| (*text).to_owned()).collect();
    texts.push(format!("40/{},", "n".repeat(60_000)));
    texts.push(format!("42[\"{}\"]", "e".repeat(60_000)));
    texts.push(format!("42[\"a\",{}", "[".repeat(60_000)));
    texts.push(format!("42[\"a\",{}{}]", "[".repeat(30_000), "]".repeat(30_000)));
    texts
}

#[tokio::test]
async fn malformed_packets_close_their_connection_and_no_other() {
    let mut bench = Bench::new().await;
    let (mut honest, honest_side) = bench.connect().await;
    for text in malformed() {
        let (mut wire, mut side) = bench.connect().await;
        wire.text(&text).await;
        wire.until_closed().await;
        while crate::peer::soon(side.events.recv()).await.is_some() {}
        let reason = side.events.reason().unwrap();
        assert_eq!(reason, trialogue_socketio::DisconnectReason::Protocol, "{text:.60}");
    }
    honest_side.socket.emit(&super::numbered(1)).unwrap();
    honest.expect("42[\"n\",1]").await;
    bench.serves_an_honest_client().await;
}

#[tokio::test]
async fn malformed_packets_over_polling_end_their_session() {
    let config = ServerConfig { unclaimed_per_address_max: 1_000, ..Default::default() };
    let mut bench = Bench::with(config).await;
    let address = bench.served.address;
    for text in malformed() {
        let sid = super::wire::open_polling(address).await;
        let query = format!("EIO=4&transport=polling&sid={sid}");
        let (status, _) = http(address, "POST", &query, format!("40\x1e{text}")).await;
        assert_eq!(status, 400, "{text:.60}");
        assert_eq!(http(address, "GET", &query, "").await.0, 400, "{text:.60}");
    }
    bench.serves_an_honest_client().await;
}

#[tokio::test]
async fn text_and_binary_out_of_turn_close_the_connection() {
    let mut bench = Bench::new().await;
    let announced = "451-[\"a\",{\"_placeholder\":true,\"num\":0}]";
    for bytes in
        [frame(Opcode::Binary, b"x"), frames(&[announced, "42[\"b\"]"]), frames(&[announced, "41"])]
    {
        let (mut wire, _side) = bench.connect().await;
        wire.bytes(&bytes).await;
        wire.until_closed().await;
    }
    bench.serves_an_honest_client().await;
}

#[tokio::test]
async fn ten_thousand_unknown_namespaces_are_refused_without_growing() {
    let mut bench = Bench::new().await;
    let mut wire = Wire::open(bench.served.address).await;
    for first in (0..10_000).step_by(100) {
        let texts: Vec<_> = (first..first + 100).map(|n| format!("40/random{n},")).collect();
        wire.bytes(&frames(&texts)).await;
        for n in first..first + 100 {
            wire.expect(&format!("44/random{n},{{\"message\":\"Invalid namespace\"}}")).await;
        }
    }
    wire.text("40").await;
    wire.expect_start("40{").await;
    bench.joined().await;
    bench.serves_an_honest_client().await;
}

#[tokio::test]
async fn pings_of_the_websocket_are_echoed_exactly_and_a_flood_is_cut() {
    let mut bench = Bench::new().await;
    let (mut wire, _side) = bench.connect().await;
    for payload in [&b""[..], b"x", &[7; 125]] {
        wire.bytes(&frame(Opcode::Ping, payload)).await;
        let pong = trialogue_socketio::ws::Message::Pong(bytes::Bytes::copy_from_slice(payload));
        assert_eq!(wire.next().await, Some(pong));
    }
    // Pings without end, and never a byte read: the pongs pile up and cut the connection.
    let flood = frame(Opcode::Ping, &[7; 125]).repeat(1_000);
    let flooding = async { while wire.stream.write_all(&flood).await.is_ok() {} };
    assert!(tokio::time::timeout(Duration::from_secs(20), flooding).await.is_ok());
    bench.serves_an_honest_client().await;
}

#[tokio::test]
async fn a_thousand_abandoned_upgrades_are_reclaimed() {
    let config = ServerConfig {
        upgrade_timeout: Duration::from_millis(500),
        connect_timeout: Duration::from_secs(1),
        unclaimed_per_address_max: 2_000,
        ..Default::default()
    };
    let mut bench = Bench::with(config).await;
    let address = bench.served.address;
    for round in 0..1_000 {
        let sid = super::wire::open_polling(address).await;
        let query = format!("EIO=4&transport=websocket&sid={sid}");
        let mut wire = Wire::upgrade(address, &query).await.unwrap();
        // Given up before the probe, after it, and after its answer.
        if round % 3 > 0 {
            wire.text("2probe").await;
        }
        if round % 3 > 1 {
            wire.expect("3probe").await;
        }
    }
    bench.served.until_empty().await;
    bench.serves_an_honest_client().await;
}

#[tokio::test]
async fn a_connection_cut_at_any_byte_leaves_nothing_behind() {
    let mut bench = Bench::new().await;
    let exchange = frames(&["40", "42[\"a\",1]", "421[\"b\"]", "41", "40/chat,{}", "1"]);
    for end in 0..=exchange.len() {
        let mut wire = Wire::open(bench.served.address).await;
        wire.bytes(&exchange[..end]).await;
        drop(wire);
    }
    bench.served.until_empty().await;
    while bench.joined.try_recv().is_ok() {}
    bench.serves_an_honest_client().await;
}

#[tokio::test]
async fn what_is_no_http_1_request_is_refused() {
    let mut bench = Bench::new().await;
    let many = "X-A: b\r\n".repeat(2_000);
    let long = format!("X-A: {}\r\n", "b".repeat(1 << 20));
    let head = "GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: test\r\n";
    let post = "POST /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: test\r\n";
    for (name, request) in [
        ("2,000 headers", format!("{head}{many}\r\n")),
        ("a header of 1 MiB", format!("{head}{long}\r\n")),
        (
            "a subprotocol of 9 KiB",
            format!("{head}Sec-WebSocket-Protocol: {}\r\n\r\n", "a".repeat(9_000)),
        ),
        ("HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned()),
        ("two lengths", format!("{post}Content-Length: 1\r\nContent-Length: 2\r\n\r\nab")),
        ("a bare line feed", "GET / HTTP/1.1\nHost: test\n\nGET".to_owned()),
        ("no HTTP", "\0\u{1}\u{2}\r\n\r\n".to_owned()),
    ] {
        let mut stream = tokio::net::TcpStream::connect(bench.served.address).await.unwrap();
        let _refused_early = stream.write_all(request.as_bytes()).await;
        let _refused_early = stream.shutdown().await;
        let mut answer = Vec::new();
        let read = tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut answer);
        let _reset = crate::peer::soon(read).await;
        let answer = String::from_utf8_lossy(&answer);
        assert!(!answer.contains(" 200 ") && !answer.contains(" 5"), "{name}: {answer}");
    }
    bench.serves_an_honest_client().await;
}

#[tokio::test]
async fn random_bytes_and_broken_packets_never_harm_the_others() {
    const PER_CONNECTION: usize = 200;
    let mut bench = Bench::new().await;
    let (mut honest, honest_side) = bench.connect().await;
    // A fixed sequence, so that a failure can be repeated.
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = move |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 33) as usize % below
    };
    for round in 0..200 {
        let mut wire = Wire::open(bench.served.address).await;
        let mut bytes = BytesMut::new();
        for _ in 0..PER_CONNECTION {
            let mut text = MALFORMED[random(MALFORMED.len())].as_bytes().to_vec();
            text.insert(random(text.len() + 1), random(256) as u8);
            let opcode = if random(8) == 0 { Opcode::Binary } else { Opcode::Text };
            bytes.extend_from_slice(&frame(opcode, &text));
        }
        if round % 2 == 0 {
            let at = random(bytes.len());
            bytes[at] ^= 1 << random(8);
        }
        let _closed_meanwhile = wire.stream.write_all(&bytes).await;
        drop(wire);
        honest_side.socket.emit(&super::numbered(round)).unwrap();
        honest.expect(&format!("42[\"n\",{round}]")).await;
    }
}
