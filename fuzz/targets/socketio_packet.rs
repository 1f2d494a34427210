//! Every Socket.IO packet that decodes comes back from its encoding; nothing panics.

#![no_main]

use bytes::{Bytes, BytesMut};
use libfuzzer_sys::fuzz_target;
use trialogue_socketio::packet::{Body, Decoder, Packet, PacketLimits};

fn decode(text: &[u8]) -> Option<Packet<'static>> {
    let limits = PacketLimits::default();
    let mut decoder = Decoder::default();
    let mut packet = decoder.text(text, &limits).ok()?.map(Packet::into_owned);
    while packet.is_none() {
        packet = decoder.binary(Bytes::from_static(b"attachment")).ok()?;
    }
    packet
}

fn encode(packet: &Packet<'_>) -> BytesMut {
    let mut text = BytesMut::new();
    packet.encode(&mut text);
    text
}

fuzz_target!(|input: &[u8]| {
    let Some(packet) = decode(input) else { return };
    let text = encode(&packet);
    let again = decode(&text).expect("what was encoded decodes");
    assert_eq!(encode(&again), text);
    assert_eq!(again.namespace, packet.namespace);
    if let (Body::Event { event, .. }, Body::Event { event: back, .. }) = (packet.body, again.body) {
        assert_eq!((event.name(), event.args()), (back.name(), back.args()));
        for index in 0..event.args().len() {
            assert!(event.args().raw(index).is_some());
        }
        assert!(event.args().raw(event.args().len()).is_none());
    }
});
