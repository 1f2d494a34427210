//! The cases: frames, what must come of them, and how it must end.

use bytes::Bytes;
use trialogue_socketio::ws::Message;

pub(super) const FIN: u8 = 0x80;
pub(super) const TEXT: u8 = 0x1;
const BINARY: u8 = 0x2;
const CLOSE: u8 = 0x8;
const PING: u8 = 0x9;
const PONG: u8 = 0xa;

/// A case: frames as first byte and payload, the messages that must come of them, and the code that
/// the connection must be closed with.
pub(super) struct Case {
    pub(super) id: String,
    pub(super) frames: Vec<(u8, Vec<u8>)>,
    pub(super) messages: Vec<Message>,
    pub(super) closed: Option<u16>,
}

fn case(id: &str, frames: &[(u8, &[u8])], messages: &[Message], closed: Option<u16>) -> Case {
    Case {
        id: id.to_owned(),
        frames: frames.iter().map(|(first, payload)| (*first, payload.to_vec())).collect(),
        messages: messages.to_vec(),
        closed,
    }
}

pub(super) fn text(payload: &[u8]) -> Message {
    Message::Text(Bytes::copy_from_slice(payload))
}

fn binary(payload: &[u8]) -> Message {
    Message::Binary(Bytes::copy_from_slice(payload))
}

fn ping(payload: &[u8]) -> Message {
    Message::Ping(Bytes::copy_from_slice(payload))
}

fn pong(payload: &[u8]) -> Message {
    Message::Pong(Bytes::copy_from_slice(payload))
}

/// Group 1 and group 10: every length at which the header changes, and a text in 50 fragments.
fn frames_and_lengths() -> Vec<Case> {
    let mut cases = Vec::new();
    for length in [1, 125, 126, 127, 128, 65_535, 65_536] {
        let payload = [&b"4"[..], &vec![b'*'; length - 1]].concat();
        let id = format!("1.1 a text of {length} bytes");
        cases.push(case(&id, &[(FIN | TEXT, &payload)], &[text(&payload)], None));
    }
    for length in [0, 125, 126, 127, 128, 65_535, 65_536] {
        let payload = vec![0xfe; length];
        let id = format!("1.2 {length} bytes");
        cases.push(case(&id, &[(FIN | BINARY, &payload)], &[binary(&payload)], None));
    }
    let payload = [&b"4"[..], &vec![b'*'; 65_535]].concat();
    let pieces: Vec<&[u8]> = payload.chunks(1_300).collect();
    let last = pieces.len() - 1;
    let fragments: Vec<(u8, &[u8])> = pieces
        .into_iter()
        .enumerate()
        .map(|(at, piece)| {
            let first = if at == 0 { TEXT } else { 0 };
            (first | if at == last { FIN } else { 0 }, piece)
        })
        .collect();
    cases.push(case("10.1.1", &fragments, &[text(&payload)], None));
    cases
}

/// Groups 2, 3 and 4.
fn pings_bits_and_opcodes() -> Vec<Case> {
    let ten: Vec<Vec<u8>> =
        (0..10).map(|number| format!("payload-{number}").into_bytes()).collect();
    let pings: Vec<(u8, &[u8])> = ten.iter().map(|payload| (FIN | PING, &payload[..])).collect();
    let heard: Vec<Message> = ten.iter().map(|payload| ping(payload)).collect();
    let full = [0xfe; 125];
    let mut cases = vec![
        case("2.1 empty", &[(FIN | PING, b"")], &[ping(b"")], None),
        case("2.2 text", &[(FIN | PING, b"Hello, world!")], &[ping(b"Hello, world!")], None),
        case("2.3 bytes", &[(FIN | PING, b"\0\xff\xfe\xfd")], &[ping(b"\0\xff\xfe\xfd")], None),
        case("2.4 125 bytes", &[(FIN | PING, &full)], &[ping(&full)], None),
        case("2.5 126 bytes", &[(FIN | PING, &[0xfe; 126])], &[], Some(1002)),
        case("2.7 a pong unasked", &[(FIN | PONG, b"")], &[pong(b"")], None),
        case("2.8 the same with bytes", &[(FIN | PONG, b"unasked")], &[pong(b"unasked")], None),
        case(
            "2.9 a pong unasked and a ping",
            &[(FIN | PONG, b"unasked"), (FIN | PING, b"ping")],
            &[pong(b"unasked"), ping(b"ping")],
            None,
        ),
        case("2.10 ten pings", &pings, &heard, None),
    ];
    let good: (u8, &[u8]) = (FIN | TEXT, b"4good");
    for bits in 1..8 {
        for opcode in [TEXT, BINARY, CLOSE, PING, PONG] {
            let id = format!("3.{bits} with opcode {opcode}");
            let broken: (u8, &[u8]) = (FIN | (bits << 4) | opcode, b"4bad");
            let frames = [good, broken, (FIN | PING, b"")];
            cases.push(case(&id, &frames, &[text(b"4good")], Some(1002)));
        }
    }
    for opcode in (3..=7).chain(11..=15) {
        for payload in [&b""[..], b"payload"] {
            let id = format!("4 opcode {opcode} with {} bytes", payload.len());
            let frames = [good, (FIN | opcode, payload), (FIN | PING, b"")];
            cases.push(case(&id, &frames, &[text(b"4good")], Some(1002)));
        }
    }
    cases
}

/// Group 5.
fn fragments() -> Vec<Case> {
    let both = text(b"4ab");
    let good: (u8, &[u8]) = (FIN | TEXT, b"4good");
    vec![
        case("5.1 a ping in two", &[(PING, b"a"), (FIN, b"b")], &[], Some(1002)),
        case("5.2 a pong in two", &[(PONG, b"a"), (FIN, b"b")], &[], Some(1002)),
        case("5.3 a text in two", &[(TEXT, b"4a"), (FIN, b"b")], std::slice::from_ref(&both), None),
        case(
            "5.6 a ping between them",
            &[(TEXT, b"4a"), (FIN | PING, b"ping"), (FIN, b"b")],
            &[ping(b"ping"), both.clone()],
            None,
        ),
        case("5.9 a continuation of nothing", &[(FIN, b"a"), good], &[], Some(1002)),
        case("5.12 the same, to be continued", &[(0, b"a"), good], &[], Some(1002)),
        case(
            "5.15 a continuation of what has ended",
            &[(TEXT, b"4a"), (FIN, b"b"), (0, b"c"), good],
            std::slice::from_ref(&both),
            Some(1002),
        ),
        case("5.16 twice nothing", &[(0, b"a"), (TEXT, b"4a"), (FIN, b"b")], &[], Some(1002)),
        case("5.17 the same, final", &[(FIN, b"a"), (TEXT, b"4a"), (FIN, b"b")], &[], Some(1002)),
        case("5.18 two beginnings", &[(TEXT, b"4a"), (FIN | TEXT, b"b")], &[], Some(1002)),
        case(
            "5.19 five fragments and two pings",
            &[
                (TEXT, b"4a"),
                (0, b"b"),
                (FIN | PING, b"1"),
                (0, b""),
                (0, b"c"),
                (FIN | PING, b"2"),
                (FIN, b"d"),
            ],
            &[ping(b"1"), ping(b"2"), text(b"4abcd")],
            None,
        ),
        case("5 bytes in two", &[(BINARY, b"\xff"), (FIN, b"\0")], &[binary(b"\xff\0")], None),
        case("5 a binary inside a text", &[(TEXT, b"4"), (FIN | BINARY, b"b")], &[], Some(1002)),
    ]
}

/// Group 6: what is text, what can never become text, and what only has not ended.
fn utf8() -> Vec<Case> {
    let mut cases = vec![
        case("6.1 empty fragments", &[(TEXT, b"4"), (0, b""), (FIN, b"")], &[text(b"4")], None),
        case(
            "6.1.3 empty ones around",
            &[(TEXT, b""), (0, b"4middle"), (FIN, b"")],
            &[text(b"4middle")],
            None,
        ),
    ];
    let good = [
        "4Hello-\u{b5}@\u{df}\u{f6}\u{e4}\u{fc}\u{e0}\u{e1}-UTF-8!!",
        "4\u{3ba}\u{1f79}\u{3c3}\u{3bc}\u{3b5}",
        "4\0\u{7f}\u{80}\u{7ff}\u{800}\u{ffff}\u{10000}\u{10ffff}",
        "4\u{d7ff}\u{e000}\u{fffd}\u{fffe}\u{feff}",
    ];
    for (number, good) in good.iter().enumerate() {
        let bytes = good.as_bytes();
        cases.push(case(&format!("6.2 {number}"), &[(FIN | TEXT, bytes)], &[text(bytes)], None));
        // Cut at every byte, inside of characters, too.
        for cut in 1..bytes.len() {
            let (first, rest) = bytes.split_at(cut);
            let id = format!("6.2 {number} cut at {cut}");
            cases.push(case(&id, &[(TEXT, first), (FIN, rest)], &[text(bytes)], None));
        }
    }
    let never: [&[u8]; 22] = [
        b"4\xce\xba\xe1\xbd\xb9\xed\xa0\x80edited",
        b"4\x80",
        b"4\xbf\xbf",
        b"4\xc0\x80",
        b"4\xc1\xbf",
        b"4\xe0\x80\xaf",
        b"4\xe0\x9f\xbf",
        b"4\xf0\x80\x80\xaf",
        b"4\xf0\x8f\xbf\xbf",
        b"4\xed\xa0\x80",
        b"4\xed\xbf\xbf",
        b"4\xed\xa0\x80\xed\xb0\x80",
        b"4\xf4\x90\x80\x80",
        b"4\xf5\x80\x80\x80",
        b"4\xf8\x88\x80\x80\x80",
        b"4\xfc\x84\x80\x80\x80\x80",
        b"4\xfe",
        b"4\xff",
        b"4\xc3 cut",
        b"4\xe2\x82 cut",
        b"4\xf0\x9f\x98 cut",
        b"4\xc3\xc3",
    ];
    for bytes in never {
        let id = format!("6.3 {bytes:x?}");
        cases.push(case(&id, &[(FIN | TEXT, bytes)], &[], Some(1007)));
        let (first, rest) = bytes.split_at(2);
        cases.push(case(&format!("{id} in two"), &[(TEXT, first), (FIN, rest)], &[], Some(1007)));
        // 6.4: it is refused where it is wrong, not where the message ends.
        cases.push(case(&format!("{id} without end"), &[(TEXT, bytes)], &[], Some(1007)));
    }
    for cut in ["\u{e9}", "\u{20ac}", "\u{1f600}"] {
        for bytes in 1..cut.len() {
            let id = format!("6.6 {bytes} bytes of {cut:?}");
            let cut = [b"4", &cut.as_bytes()[..bytes]].concat();
            cases.push(case(&id, &[(FIN | TEXT, &cut)], &[], Some(1007)));
            cases.push(case(&format!("{id} in two"), &[(TEXT, &cut), (FIN, b"")], &[], Some(1007)));
        }
    }
    cases
}

/// Group 7. After a close nothing is answered any more.
fn closing() -> Vec<Case> {
    let close = |code: u16, reason: &[u8]| [&code.to_be_bytes()[..], reason].concat();
    let normal = close(1000, b"bye");
    let ping: (u8, &[u8]) = (FIN | PING, b"");
    let mut cases = vec![
        case(
            "7.1.1 a message before",
            &[(FIN | TEXT, b"4a"), (FIN | CLOSE, &normal)],
            &[text(b"4a")],
            Some(1000),
        ),
        case("7.1.2 two", &[(FIN | CLOSE, &normal), (FIN | CLOSE, &normal)], &[], Some(1000)),
        case("7.1.3 a ping behind", &[(FIN | CLOSE, &normal), ping], &[], Some(1000)),
        case("7.1.4 a text behind", &[(FIN | CLOSE, &normal), (FIN | TEXT, b"4")], &[], Some(1000)),
        case(
            "7.1.5 inside of a message",
            &[(TEXT, b"4a"), (FIN | CLOSE, &normal), (FIN, b"b")],
            &[],
            Some(1000),
        ),
        case("7.3.1 empty", &[(FIN | CLOSE, b"")], &[], Some(1000)),
        case("7.3.2 half a code", &[(FIN | CLOSE, b"\x03")], &[], Some(1002)),
        case("7.3.3 a code alone", &[(FIN | CLOSE, &close(1000, b""))], &[], Some(1000)),
        case("7.3.5 123 bytes", &[(FIN | CLOSE, &close(1000, &[b'*'; 123]))], &[], Some(1000)),
        case("7.3.6 124 bytes", &[(FIN | CLOSE, &close(1000, &[b'*'; 124]))], &[], Some(1002)),
        case("7.5.1 not UTF-8", &[(FIN | CLOSE, &close(1000, b"\xed\xa0\x80"))], &[], Some(1007)),
        case("7 in two", &[(CLOSE, b"\x03"), (FIN, b"\xe8")], &[], Some(1002)),
    ];
    for code in [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999] {
        let id = format!("7.7 {code}");
        cases.push(case(&id, &[(FIN | CLOSE, &close(code, b""))], &[], Some(code)));
    }
    for code in [0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999, 5000, 65_535] {
        for reason in [&b""[..], b"because"] {
            let id = format!("7.9 {code} with {} bytes", reason.len());
            cases.push(case(&id, &[(FIN | CLOSE, &close(code, reason)), ping], &[], Some(1002)));
        }
    }
    cases
}

pub(super) fn cases() -> Vec<Case> {
    [frames_and_lengths(), pings_bits_and_opcodes(), fragments(), utf8(), closing()]
        .into_iter()
        .flatten()
        .collect()
}
