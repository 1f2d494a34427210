//! What one packet costs: decoding, encoding, framing.
//! `cargo bench -p trialogue-socketio --bench codec`

use std::hint::black_box;

use bytes::BytesMut;
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use serde::Deserialize;
use trialogue_socketio::engine::Payload;
use trialogue_socketio::packet::{Body, Decoder, Packet, PacketLimits, encode_event};
use trialogue_socketio::ws::{self, Limits, Opcode, Role, put_frame};
use trialogue_socketio::{Args, Outgoing};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Say<'a> {
    chat_id: &'a str,
    message: &'a str,
}

/// An event with a text of 100 bytes and an acknowledgement.
fn event() -> String {
    let text = "x".repeat(100);
    let id = "0190d3f4-0000-7000-8000-000000000001";
    format!("2/chat,17[\"send_message\",{{\"chatId\":\"{id}\",\"message\":\"{text}\"}}]")
}

fn args(packet: &Packet<'_>) -> Option<Args> {
    match &packet.body {
        Body::Event { event, .. } => Some(event.args().clone()),
        Body::Connect(_) | Body::Disconnect | Body::Ack { .. } | Body::ConnectError(_) => None,
    }
}

fn packets(criterion: &mut Criterion) {
    let limits = PacketLimits::default();
    let text = event();
    let mut group = criterion.benchmark_group("packet");
    group.throughput(Throughput::Elements(1));
    group.bench_function("decode an event", |bencher| {
        bencher.iter(|| {
            let packet = Decoder::default().text(black_box(text.as_bytes()), &limits);
            black_box(packet).is_ok()
        });
    });
    let packet = Decoder::default().text(text.as_bytes(), &limits).ok().flatten();
    let args = packet.as_ref().and_then(args).unwrap_or_else(Args::empty);
    group.bench_function("read its argument", |bencher| {
        bencher.iter(|| {
            let say: Option<Say<'_>> = black_box(&args).get(0).ok();
            say.map(|say| say.chat_id.len() + say.message.len())
        });
    });
    group.bench_function("serialise and frame an event", |bencher| {
        bencher.iter(|| {
            let event = Outgoing::raw("new_message", black_box(args.json())).ok()?;
            let mut out = BytesMut::with_capacity(256);
            encode_event(&mut out, "/chat", None, &event);
            Some(out.len())
        });
    });
    group.finish();
}

fn frames(criterion: &mut Criterion) {
    let text = event();
    let mut masked = BytesMut::new();
    for _ in 0..64 {
        put_frame(&mut masked, Opcode::Text, &[b"4", text.as_bytes()], Some([1, 2, 3, 4]));
    }
    let body = vec![format!("4{text}"); 64].join("\u{1e}");
    let mut group = criterion.benchmark_group("64 messages");
    group.throughput(Throughput::Elements(64));
    group.bench_function("of a websocket", |bencher| {
        bencher.iter_batched(
            || masked.clone(),
            |mut input| {
                let mut decoder = ws::Decoder::new(Role::Server, Limits::default());
                let mut count = 0;
                while let Ok(Some(message)) = decoder.decode(&mut input) {
                    black_box(message);
                    count += 1;
                }
                count
            },
            BatchSize::SmallInput,
        );
    });
    group.bench_function("of a polling body", |bencher| {
        bencher.iter(|| Payload::new(black_box(body.as_bytes()), 64).filter(Result::is_ok).count());
    });
    group.finish();
}

criterion_group!(benches, packets, frames);
criterion_main!(benches);
