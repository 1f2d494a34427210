//! Our bare protocol server (`examples/conformance`): what the chat never asks of it.
//!
//! Left out, because rust_socketio 0.6 cannot: answering a question of the server (its callbacks do
//! not get the id), more than one attachment, an attachment beside other arguments or in an
//! acknowledgement, two namespaces on one connection, frequent pings over polling (its pong and its
//! next message are two requests at once, which every server refuses).

use std::time::Duration;

use rust_socketio::{Payload, TransportType};
use serde_json::{Value, json};

use crate::rest::variable;
use crate::voice::{Came, Failure, Voice, expect};

/// Messages that are on their way at once.
const MANY: u64 = 100;
/// The profile's ping interval is 300 ms: a client that lives this long has answered several.
const SEVERAL_PINGS: Duration = Duration::from_millis(1_500);

fn connect(namespace: &str, transport: TransportType) -> Result<Voice, Failure> {
    connect_to(&variable("TRIALOGUE_CALM_PROFILE_URL")?, namespace, transport)
}

fn connect_to(url: &str, namespace: &str, transport: TransportType) -> Result<Voice, Failure> {
    let auth = json!({ "token": namespace });
    let voice = Voice::connect(url, namespace, auth.clone(), transport)?;
    let came = voice.next("auth", |_| true)?;
    expect(came.value()?, &auth, "the auth")?;
    Ok(voice)
}

pub(crate) fn order(transport: TransportType) -> Result<(), Failure> {
    let voice = connect("/", transport)?;
    for number in 0..MANY {
        voice.emit("message", json!(number))?;
    }
    for number in 0..MANY {
        let came = voice.next("message-back", |_| true)?;
        expect(came.value()?, &json!(number), "the order")?;
    }
    Ok(())
}

pub(crate) fn acknowledgements(transport: TransportType) -> Result<(), Failure> {
    let voice = connect("/", transport)?;
    let body = json!({ "n": [1, null], "text": "عند الباب 👋" });
    expect(&voice.ask("message-with-ack", body.clone())?, &body, "the acknowledgement")
}

pub(crate) fn binary_both_ways(transport: TransportType) -> Result<(), Failure> {
    let voice = connect("/", transport)?;
    // Without the byte 0x1e, at which the crate also cuts what came in a binary frame.
    let large: Vec<u8> = (0..100_000_u32).map(|number| 0x1f + (number * 7 % 220) as u8).collect();
    for sent in [vec![0, 1, 0x1d, 0xff], large] {
        voice.emit("message", Payload::from(sent.clone()))?;
        let came = voice.next("message-back", |_| true)?;
        expect(&came, &Came::Bytes(sent), "the attachment")?;
    }
    Ok(())
}

pub(crate) fn two_namespaces(transport: TransportType) -> Result<(), Failure> {
    let main = connect("/", transport.clone())?;
    let custom = connect("/custom", transport)?;
    main.emit("message", Value::from("here"))?;
    let came = main.next("message-back", |_| true)?;
    expect(came.value()?, &json!("here"), "the echo")?;
    expect(&custom.count("message-back"), &0, "echoes in the other namespace")
}

pub(crate) fn pings_are_answered(transport: TransportType) -> Result<(), Failure> {
    let voice = connect_to(&variable("TRIALOGUE_PROFILE_URL")?, "/", transport)?;
    std::thread::sleep(SEVERAL_PINGS);
    expect(&voice.count("close"), &0, "disconnects")?;
    voice.emit("message", json!(1))?;
    let came = voice.next("message-back", |_| true)?;
    expect(came.value()?, &json!(1), "the echo")
}
