//! A polling payload that decodes is the same after encoding; nothing panics.

#![no_main]

use bytes::BytesMut;
use libfuzzer_sys::fuzz_target;
use trialogue_socketio::engine::{Payload, PayloadItem, put_binary, put_separator};

fuzz_target!(|input: &[u8]| {
    let Ok(items) = Payload::new(input, 1_024).collect::<Result<Vec<_>, _>>() else { return };
    let mut body = BytesMut::new();
    for item in &items {
        put_separator(&mut body);
        match item {
            PayloadItem::Text(packet) => {
                let (kind, content) = packet.parts();
                body.extend_from_slice(&[kind]);
                body.extend_from_slice(content.as_bytes());
            }
            PayloadItem::Binary(bytes) => put_binary(&mut body, bytes),
        }
    }
    let again: Result<Vec<_>, _> = Payload::new(&body, 1_024).collect();
    assert_eq!(again.as_ref(), Ok(&items));
});
