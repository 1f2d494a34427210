//! Packets there and back, and the packets that are none.

use std::borrow::Cow;

use bytes::{Bytes, BytesMut};
use proptest::prelude::*;
use serde_json::value::RawValue;

use super::*;

fn decode_text(text: &str) -> Result<Packet<'static>, PacketError> {
    let mut decoder = Decoder::default();
    let packet = decoder.text(text.as_bytes(), &PacketLimits::default())?;
    Ok(packet.expect("a packet without attachments").into_owned())
}

fn encoded(packet: &Packet<'_>) -> String {
    let mut out = BytesMut::new();
    packet.encode(&mut out);
    String::from_utf8(out.to_vec()).unwrap()
}

fn event_of(packet: &Packet<'_>) -> (Option<u64>, String, String) {
    match &packet.body {
        Body::Event { id, event } => (*id, event.name().into(), event.args().json().into()),
        other => panic!("not an event: {other:?}"),
    }
}

#[test]
fn the_examples_of_the_protocol_page_decode_and_encode() {
    for text in [
        "0",
        "0/admin,",
        r#"0{"token":"123"}"#,
        r#"0/admin,{"token":"123"}"#,
        "1",
        "1/admin,",
        r#"2["foo"]"#,
        r#"2/admin,["bar",1,"2",{"3":[true]}]"#,
        r#"212["foo"]"#,
        r#"2/admin,456["project:delete",123]"#,
        "3/admin,456[]",
        r#"313["bar"]"#,
        r#"4{"message":"Not authorized"}"#,
        r#"4/random,{"message":"Invalid namespace"}"#,
    ] {
        assert_eq!(encoded(&decode_text(text).unwrap()), text);
    }
}

#[test]
fn a_namespace_may_stand_without_its_comma() {
    let packet = decode_text("0/custom").unwrap();
    assert_eq!(packet.namespace, "/custom");
    assert!(matches!(packet.body, Body::Connect(None)));
    assert!(matches!(decode_text("1/custom").unwrap().body, Body::Disconnect));
}

#[test]
fn the_name_is_taken_out_of_the_arguments() {
    let event = |text| event_of(&decode_text(text).unwrap());
    assert_eq!(event(r#"2["a",1,"2"]"#), (None, "a".into(), r#"[1,"2"]"#.into()));
    assert_eq!(event(r#"27["a"]"#), (Some(7), "a".into(), "[]".into()));
    assert_eq!(event(r#"2 [ "a" , [ ] ] "#), (None, "a".into(), "[ [ ] ]".into()));
    assert_eq!(event(r#"2["\u00e9\"x",null]"#), (None, "\u{e9}\"x".into(), "[null]".into()));
    assert_eq!(event(r#"2["",1]"#), (None, String::new(), "[1]".into()));
    let (id, ..) = event(r#"218446744073709551615["a"]"#);
    assert_eq!(id, Some(u64::MAX));
}

#[test]
fn malformed_packets_are_refused() {
    use PacketError::{AckId, Attachments, Limit, OutOfTurn, Payload, Placeholder, Type, Utf8};
    for (text, expect) in [
        ("", Type),
        ("abc", Type),
        ("7[\"a\"]", Type),
        ("9", Type),
        ("\u{e9}", Type),
        ("2", Payload),
        ("2[", Payload),
        ("2[]", Payload),
        ("2{}", Payload),
        ("2[1]", Payload),
        ("2[null]", Payload),
        (r#"2[{"toString":"x"}]"#, Payload),
        ("2abc[\"a\"]", Payload),
        (r#"2["a"]x"#, Payload),
        (r#"2["a"]["b"]"#, Payload),
        (r#"2["a",]"#, Payload),
        (r#"2["a" "b"]"#, Payload),
        (r#"218446744073709551616["a"]"#, AckId),
        ("2/ns", Payload),
        ("3", AckId),
        ("3[]", AckId),
        ("31{}", Payload),
        ("0[]", Payload),
        ("0\"x\"", Payload),
        ("01{}", Payload),
        ("1{}", Payload),
        ("17", Payload),
        ("4", Payload),
        ("41", Payload),
        ("5[\"a\"]", Attachments),
        ("5", Attachments),
        ("5-[\"a\"]", Attachments),
        ("5-1-[\"a\"]", Attachments),
        ("51e3-[\"a\"]", Attachments),
        ("5+1-[\"a\"]", Attachments),
        ("511-[\"a\"]", Limit("attachments")),
        ("51000000000-[\"a\"]", Limit("attachments")),
        ("599999999999999999999-[\"a\"]", Limit("attachments")),
        (r#"51-["a",{"_placeholder":true,"num":1}]"#, Placeholder),
        (r#"50-["a",{"_placeholder":true,"num":0}]"#, Placeholder),
    ] {
        let result = decode(text.as_bytes(), &PacketLimits::default());
        assert_eq!(result.err(), Some(expect), "{text:?}");
    }
    assert_eq!(decode(b"2[\"\xff\"]", &PacketLimits::default()).err(), Some(Utf8));
    for name in crate::payload::RESERVED_EVENTS {
        let text = format!("2[{name:?}]");
        assert_eq!(decode_text(&text).err(), Some(PacketError::ReservedName), "{name}");
    }
    assert_eq!(Decoder::default().binary(Bytes::new()).err(), Some(OutOfTurn));
}

#[test]
fn sizes_are_limited() {
    let long = |bytes: usize| "n".repeat(bytes);
    let limits = PacketLimits::default();
    let refused = |text: String| decode(text.as_bytes(), &limits).err();
    assert_eq!(refused(format!("0/{}", long(255))), None);
    assert_eq!(refused(format!("0/{}", long(256))), Some(PacketError::Limit("namespace bytes")));
    assert_eq!(refused(format!("2[\"{}\"]", long(256))), None);
    let over = Some(PacketError::Limit("event name bytes"));
    assert_eq!(refused(format!("2[\"{}\"]", long(257))), over);
    let nested = |levels| format!("2[\"a\",{}{}]", "[".repeat(levels), "]".repeat(levels));
    assert_eq!(refused(nested(63)), None);
    assert_eq!(refused(nested(64)), Some(PacketError::Limit("nesting")));
}

#[test]
fn attachments_are_awaited_in_turn_and_within_their_limit() {
    let limits = PacketLimits { attachment_bytes_max: 8, ..PacketLimits::default() };
    let text = br#"52-/ns,["a",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]"#;
    let mut decoder = Decoder::default();
    assert!(decoder.text(text, &limits).unwrap().is_none());
    assert_eq!(decoder.pending_namespace(), Some("/ns"));
    assert!(decoder.binary(Bytes::from_static(b"1234")).unwrap().is_none());
    let packet = decoder.binary(Bytes::from_static(b"5678")).unwrap().unwrap();
    assert_eq!(packet.attachments(), [&b"1234"[..], b"5678"]);
    assert_eq!(encoded(&packet).as_bytes(), text);

    decoder.text(text, &limits).unwrap();
    assert_eq!(decoder.text(b"0", &limits).err(), Some(PacketError::OutOfTurn));
    assert!(decoder.binary(Bytes::from_static(b"1234")).unwrap().is_none());
    let over = decoder.binary(Bytes::from_static(b"56789")).err();
    assert_eq!(over, Some(PacketError::Limit("attachment bytes")));
    let none = decode(br#"50-["a"]"#, &limits).unwrap();
    assert!(matches!(none, Decoded::Packet(_)));
}

fn json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![any::<i64>().prop_map(Into::into), any::<String>().prop_map(Into::into)];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Into::into),
            proptest::collection::vec((any::<String>(), inner), 0..4)
                .prop_map(|pairs| serde_json::Value::Object(pairs.into_iter().collect())),
        ]
    })
}

fn namespace() -> impl Strategy<Value = String> {
    prop_oneof![Just("/".to_owned()), "/[^,\\PC]{0,20}"]
}

fn args() -> impl Strategy<Value = (Vec<serde_json::Value>, Vec<Vec<u8>>)> {
    let attachments = proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..9), 0..4);
    (proptest::collection::vec(json(), 0..4), attachments).prop_map(|(mut args, attachments)| {
        for number in 0..attachments.len() {
            args.push(serde_json::json!({"_placeholder": true, "num": number}));
        }
        (args, attachments)
    })
}

fn round_trip(text: &[u8], attachments: &[Vec<u8>]) -> Packet<'static> {
    let limits = PacketLimits::default();
    let mut decoder = Decoder::default();
    let mut packet = decoder.text(text, &limits).unwrap().map(Packet::into_owned);
    for attachment in attachments {
        assert!(packet.is_none());
        packet = decoder.binary(Bytes::copy_from_slice(attachment)).unwrap();
    }
    packet.unwrap()
}

proptest! {
    #[test]
    fn an_event_comes_back_as_it_was_sent(
        namespace in namespace(), id in any::<Option<u64>>(), name in any::<String>(),
        (args, attachments) in args(),
    ) {
        prop_assume!(name.len() <= 256 && !crate::payload::is_reserved_event(&name));
        let binary = attachments.iter().map(|bytes| Bytes::copy_from_slice(bytes)).collect();
        let outgoing = Outgoing::with_args(&name, &args).unwrap().attachments(binary);
        let mut text = BytesMut::new();
        encode_event(&mut text, &namespace, id, &outgoing);
        let packet = round_trip(&text, &attachments);
        prop_assert_eq!(&packet.namespace, &namespace);
        let again = encoded(&packet);
        prop_assert_eq!(again.as_bytes(), &text[..]);
        let Body::Event { id: came, event } = packet.body else { panic!("not an event") };
        prop_assert_eq!((came, event.name(), event.args().len()), (id, &name[..], args.len()));
        for (index, sent) in args.iter().enumerate() {
            prop_assert_eq!(&event.args().get::<serde_json::Value>(index).unwrap(), sent);
            prop_assert_eq!(event.args().raw(index).unwrap(), sent.to_string());
        }
        prop_assert_eq!(event.args().attachments(), &attachments[..]);
    }

    #[test]
    fn an_acknowledgement_comes_back_as_it_was_sent(
        namespace in namespace(), id in any::<u64>(), (args, attachments) in args(),
    ) {
        let array = serde_json::to_string(&args).unwrap();
        let mut text = BytesMut::new();
        encode_ack(&mut text, &namespace, id, &array, attachments.len());
        let packet = round_trip(&text, &attachments);
        let again = encoded(&packet);
        prop_assert_eq!(again.as_bytes(), &text[..]);
        let Body::Ack { id: came, args } = packet.body else { panic!("not an ack") };
        prop_assert_eq!((came, args.json()), (id, &array[..]));
    }

    #[test]
    fn a_connect_comes_back_as_it_was_sent(
        namespace in namespace(), refused in any::<bool>(), name in any::<String>(), value in json()
    ) {
        let data = RawValue::from_string(serde_json::json!({ name: value }).to_string()).unwrap();
        let body = if refused { Body::ConnectError(data) } else { Body::Connect(Some(data)) };
        let packet = Packet { namespace: Cow::Owned(namespace), body };
        let text = encoded(&packet);
        prop_assert_eq!(encoded(&round_trip(text.as_bytes(), &[])), text);
    }

    #[test]
    fn no_input_panics(text in proptest::collection::vec(any::<u8>(), 0..64)) {
        let _verdict = decode(&text, &PacketLimits::default());
    }

    #[test]
    fn no_text_panics(text in r#"[0-7]{0,2}[0-9]{0,2}-?(/[a-z]{0,3},?)?[0-9]{0,2}[\[\]{}",a_:0-9]*"#) {
        let _verdict = decode(text.as_bytes(), &PacketLimits::default());
    }
}
