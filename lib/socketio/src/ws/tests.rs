//! Frames in, messages out; and what a hostile peer gets for its frames.

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Method, StatusCode, Version};
use proptest::prelude::*;

use super::*;

const MASK: [u8; 4] = [0x37, 0xFA, 0x21, 0x3D];

/// A frame with every bit under control; the mask is the one that a client would use.
fn raw(first: u8, payload: &[u8], mask: Option<[u8; 4]>) -> BytesMut {
    let mut frame = BytesMut::new();
    put_frame(&mut frame, Opcode::Text, &[payload], mask);
    frame[0] = first;
    frame
}

fn client_frame(first: u8, payload: &[u8]) -> BytesMut {
    raw(first, payload, Some(MASK))
}

fn decode_all(
    role: Role,
    limits: Limits,
    mut bytes: BytesMut,
) -> (Vec<Message>, Option<FrameError>) {
    let mut decoder = Decoder::new(role, limits);
    let mut messages = Vec::new();
    loop {
        match decoder.decode(&mut bytes) {
            Ok(Some(message)) => messages.push(message),
            Ok(None) => return (messages, None),
            Err(error) => return (messages, Some(error)),
        }
    }
}

#[track_caller]
fn refused(frames: &[BytesMut], expect: FrameError, code: u16) {
    let (_, error) = decode_all(Role::Server, Limits::default(), frames.concat().as_slice().into());
    assert_eq!(error, Some(expect));
    assert_eq!(expect.close_code(), code);
}

#[test]
fn the_example_of_the_standard_is_read() {
    // RFC 6455 §5.7: a masked "Hello", and the same in two fragments, unmasked.
    let masked = &[0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58][..];
    let (messages, error) = decode_all(Role::Server, Limits::default(), masked.into());
    assert_eq!((messages, error), (vec![Message::Text(Bytes::from_static(b"Hello"))], None));
    let halves = &[0x01, 0x03, 0x48, 0x65, 0x6c, 0x80, 0x02, 0x6c, 0x6f][..];
    let (messages, error) = decode_all(Role::Client, Limits::default(), halves.into());
    assert_eq!((messages, error), (vec![Message::Text(Bytes::from_static(b"Hello"))], None));
}

#[test]
fn an_unfragmented_payload_is_not_copied() {
    let mut bytes = raw(0x82, &[7; 100], None);
    let payload_at = bytes[2..].as_ptr();
    let mut decoder = Decoder::new(Role::Client, Limits::default());
    match decoder.decode(&mut bytes) {
        Ok(Some(Message::Binary(payload))) => assert_eq!(payload.as_ptr(), payload_at),
        other => panic!("a binary message, not {other:?}"),
    }
}

#[test]
fn broken_frames_are_refused_with_1002() {
    use close_code::PROTOCOL;
    refused(&[client_frame(0xC1, b"")], FrameError::ReservedBits, PROTOCOL);
    refused(&[client_frame(0x91, b"")], FrameError::ReservedBits, PROTOCOL);
    refused(&[client_frame(0x83, b"")], FrameError::BadOpcode(3), PROTOCOL);
    refused(&[client_frame(0x8F, b"")], FrameError::BadOpcode(15), PROTOCOL);
    refused(&[client_frame(0x09, b"")], FrameError::FragmentedControl, PROTOCOL);
    refused(&[client_frame(0x89, &[0; 126])], FrameError::ControlTooLong, PROTOCOL);
    refused(&[raw(0x81, b"hi", None)], FrameError::Unmasked, PROTOCOL);
    refused(&[client_frame(0x80, b"")], FrameError::UnexpectedContinuation, PROTOCOL);
    let first = client_frame(0x01, b"a");
    refused(&[first.clone(), client_frame(0x81, b"b")], FrameError::ExpectedContinuation, PROTOCOL);
    refused(&[first, client_frame(0x02, b"b")], FrameError::ExpectedContinuation, PROTOCOL);
    let high = [0x82, 0xFF, 0x80, 0, 0, 0, 0, 0, 0, 0];
    refused(&[high[..].into()], FrameError::LengthHighBit, PROTOCOL);
    refused(&[[0x82, 0xFE, 0, 125][..].into()], FrameError::LengthNotMinimal, PROTOCOL);
    let long_form = [0x82, 0xFF, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF];
    refused(&[long_form[..].into()], FrameError::LengthNotMinimal, PROTOCOL);
    let masked = decode_all(Role::Client, Limits::default(), client_frame(0x81, b"hi"));
    assert_eq!(masked.1, Some(FrameError::Masked));
}

#[test]
fn close_frames_are_checked() {
    use close_code::PROTOCOL;
    refused(&[client_frame(0x88, &[3])], FrameError::HalfCloseCode, PROTOCOL);
    for code in [0_u16, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535] {
        let frame = client_frame(0x88, &code.to_be_bytes());
        refused(&[frame], FrameError::BadCloseCode(code), PROTOCOL);
    }
    let frame = client_frame(0x88, &[3, 232, 0xFF]);
    refused(&[frame], FrameError::InvalidUtf8, close_code::INVALID_DATA);
    let (messages, _) = decode_all(
        Role::Server,
        Limits::default(),
        client_frame(0x88, &close_payload(1012, "bye")),
    );
    let close = CloseFrame { code: 1012, reason: Bytes::from_static(b"bye") };
    assert_eq!(messages, [Message::Close(Some(close))]);
    let (messages, _) = decode_all(Role::Server, Limits::default(), client_frame(0x88, b""));
    assert_eq!(messages, [Message::Close(None)]);
    assert_eq!(close_payload(1000, &"é".repeat(100)).len(), 2 + 122);
}

#[test]
fn a_message_over_the_limit_is_refused_at_its_header() {
    let limit = Limits::default().message_bytes_max;
    let too_long = FrameError::TooLong { limit };
    // Ten bytes of header announce 60 MiB; nothing of the payload is waited for.
    let mut header = BytesMut::from(Header::new(Opcode::Binary, 60 << 20, Some(MASK)).as_ref());
    header.truncate(10);
    refused(&[header], too_long, close_code::TOO_BIG);
    refused(&[client_frame(0x82, &vec![0; limit + 1])], too_long, close_code::TOO_BIG);
    let half = vec![0; limit / 2 + 1];
    let halves = [client_frame(0x02, &half), client_frame(0x80, &half)];
    refused(&halves, too_long, close_code::TOO_BIG);
    let (messages, error) =
        decode_all(Role::Server, Limits::default(), client_frame(0x82, &vec![1; limit]));
    assert_eq!((messages.len(), error), (1, None), "the limit itself is allowed");
}

#[test]
fn endless_fragments_are_refused() {
    let limit = Limits::default().fragments_max;
    for piece in [&b"x"[..], b""] {
        let mut frames = client_frame(0x01, b"");
        for _ in 0..limit {
            frames.extend_from_slice(&client_frame(0x00, piece));
        }
        let (messages, error) = decode_all(Role::Server, Limits::default(), frames);
        assert_eq!((messages.len(), error), (0, Some(FrameError::TooManyFragments { limit })));
    }
}

#[test]
fn control_frames_come_between_fragments() {
    let frames = [
        client_frame(0x01, "é".as_bytes().split_at(1).0),
        client_frame(0x89, b"are you there"),
        client_frame(0x80, "é".as_bytes().split_at(1).1),
    ];
    let (messages, error) =
        decode_all(Role::Server, Limits::default(), frames.concat().as_slice().into());
    let expect = [
        Message::Ping(Bytes::from_static(b"are you there")),
        Message::Text(Bytes::from_static("é".as_bytes())),
    ];
    assert_eq!((&messages[..], error), (&expect[..], None));
}

#[test]
fn text_that_cannot_become_valid_is_refused_before_it_ends() {
    // Only half of the frame has come, and the message has another fragment to go.
    let mut frame = client_frame(0x01, b"ab\xC0cdefgh");
    frame.truncate(2 + 4 + 3);
    refused(&[frame], FrameError::InvalidUtf8, close_code::INVALID_DATA);
    refused(&[client_frame(0x81, b"caf\xC3")], FrameError::InvalidUtf8, 1007);
    refused(&[client_frame(0x81, b"\xED\xA0\x80")], FrameError::InvalidUtf8, 1007);
}

#[test]
fn handshakes_are_checked_header_by_header() {
    assert_eq!(accept_key(b"dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    assert!(is_client_key(new_key([9; 16]).as_bytes()));
    for key in ["", "short", "dGhlIHNhbXBsZSBub25jZQ=", "dGhlIHNhbXBsZSBub25jZQ=x"] {
        assert!(!is_client_key(key.as_bytes()), "{key}");
    }
    let good = [
        ("upgrade", "WebSocket"),
        ("connection", "keep-alive, Upgrade"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ("sec-websocket-extensions", "constructor, permessage-deflate"),
    ];
    let request = |headers: &[(&'static str, &str)]| {
        let headers: HeaderMap = headers
            .iter()
            .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
            .collect();
        check_request(&Method::GET, Version::HTTP_11, &headers)
    };
    assert_eq!(request(&good), Ok("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=".to_owned()));
    let missing = [
        HandshakeError::NoUpgrade,
        HandshakeError::NoConnectionUpgrade,
        HandshakeError::BadVersion,
        HandshakeError::BadKey,
    ];
    for (at, expect) in missing.into_iter().enumerate() {
        let mut headers = good.to_vec();
        headers.remove(at);
        assert_eq!(request(&headers), Err(expect));
    }
    let twice = [&good[..], &[("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")]].concat();
    let mut headers = HeaderMap::new();
    for (name, value) in twice {
        headers.append(name, value.parse().unwrap());
    }
    let answer = check_request(&Method::GET, Version::HTTP_11, &headers);
    assert_eq!(answer, Err(HandshakeError::BadKey));
}

#[test]
fn a_server_that_did_not_see_our_key_is_refused() {
    let key = "dGhlIHNhbXBsZSBub25jZQ==";
    let mut headers = HeaderMap::new();
    headers.insert("upgrade", "websocket".parse().unwrap());
    headers.insert("connection", "Upgrade".parse().unwrap());
    headers.insert("sec-websocket-accept", accept_key(key.as_bytes()).parse().unwrap());
    let switching = StatusCode::SWITCHING_PROTOCOLS;
    assert_eq!(check_answer(switching, &headers, key), Ok(()));
    assert_eq!(
        check_answer(StatusCode::OK, &headers, key),
        Err(HandshakeError::Status(StatusCode::OK))
    );
    assert_eq!(check_answer(switching, &headers, "other"), Err(HandshakeError::BadAccept));
    headers.insert("sec-websocket-extensions", "permessage-deflate".parse().unwrap());
    assert!(matches!(check_answer(switching, &headers, key), Err(HandshakeError::NotOffered(_))));
}

/// A message and the places where its sender cuts it into fragments.
fn any_message() -> impl Strategy<Value = (bool, Vec<u8>, Vec<usize>)> {
    let text = ".{0,200}".prop_map(|text: String| (true, text.into_bytes()));
    let binary = prop::collection::vec(any::<u8>(), 0..70_000).prop_map(|bytes| (false, bytes));
    let short = prop::collection::vec(any::<u8>(), 0..200).prop_map(|bytes| (false, bytes));
    (prop_oneof![4 => text, 1 => binary, 4 => short], prop::collection::vec(0..300_usize, 0..4))
        .prop_map(|((is_text, payload), mut cuts)| {
            cuts.iter_mut().for_each(|cut| *cut = (*cut).min(payload.len()));
            cuts.sort_unstable();
            (is_text, payload, cuts)
        })
}

proptest! {
    #[test]
    fn what_is_sent_is_what_comes_however_it_is_cut(
        messages in prop::collection::vec(any_message(), 1..5),
        mask in prop::option::of(any::<[u8; 4]>()),
        reads in prop::collection::vec(1..2_000_usize, 1..50),
    ) {
        let mut wire = BytesMut::new();
        let mut sent = Vec::new();
        for (is_text, payload, cuts) in messages {
            let mut from = 0;
            let mut opcode = if is_text { Opcode::Text } else { Opcode::Binary };
            for to in cuts.into_iter().chain([payload.len()]) {
                let at = wire.len();
                put_frame(&mut wire, opcode, &[&payload[from..to]], mask);
                if to < payload.len() {
                    wire[at] &= 0x7F;
                }
                if to == payload.len() { break }
                (from, opcode) = (to, Opcode::Continuation);
            }
            let payload = Bytes::from(payload);
            sent.push(if is_text { Message::Text(payload) } else { Message::Binary(payload) });
        }
        let role = if mask.is_some() { Role::Server } else { Role::Client };
        let limits = Limits { message_bytes_max: 80_000, ..Limits::default() };
        let mut decoder = Decoder::new(role, limits);
        let (mut buf, mut come) = (BytesMut::new(), Vec::new());
        let mut reads = reads.into_iter().cycle();
        while !wire.is_empty() {
            let read = reads.next().unwrap_or(1).min(wire.len());
            buf.extend_from_slice(&wire.split_to(read));
            while let Some(message) = decoder.decode(&mut buf)? {
                come.push(message);
            }
        }
        prop_assert_eq!(come, sent);
        prop_assert!(decoder.is_idle() && buf.is_empty());
    }

    #[test]
    fn a_payload_made_on_the_way_out_is_framed_alike(
        payload in prop_oneof![
            prop::collection::vec(any::<u8>(), 0..200),
            prop::collection::vec(any::<u8>(), 65_500..65_600),
        ],
        mask in prop::option::of(any::<[u8; 4]>()),
    ) {
        let (mut known, mut made) = (BytesMut::from("before"), BytesMut::from("before"));
        put_frame(&mut known, Opcode::Binary, &[&payload], mask);
        put_frame_with(&mut made, Opcode::Binary, mask, |out| out.extend_from_slice(&payload));
        prop_assert_eq!(known, made);
    }

    #[test]
    fn any_bytes_never_panic_and_never_grow_the_buffer(
        bytes in prop::collection::vec(any::<u8>(), 0..400),
        server in any::<bool>(),
    ) {
        let role = if server { Role::Server } else { Role::Client };
        let limits = Limits { message_bytes_max: 50, fragments_max: 4 };
        let (messages, _) = decode_all(role, limits, bytes.as_slice().into());
        for message in messages {
            if let Message::Text(payload) | Message::Binary(payload) = message {
                prop_assert!(payload.len() <= 50);
            }
        }
    }

    #[test]
    fn a_mask_undoes_itself_from_any_offset(
        data in prop::collection::vec(any::<u8>(), 0..100),
        cut in 0..100_usize,
        mask in any::<[u8; 4]>(),
    ) {
        let cut = cut.min(data.len());
        let mut pieces = data.clone();
        apply_mask(&mut pieces[..cut], mask, 0);
        apply_mask(&mut pieces[cut..], mask, cut);
        let expect: Vec<u8> =
            data.iter().enumerate().map(|(at, byte)| byte ^ mask[at % 4]).collect();
        prop_assert_eq!(pieces, expect);
    }
}
