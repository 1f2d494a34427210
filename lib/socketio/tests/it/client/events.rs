//! Events and acknowledgements in both directions: order, bounds, attachments, timeouts.

use bytes::Bytes;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use trialogue_socketio::client::{AckError, ClientSocket, EmitError};
use trialogue_socketio::ws::{Message, Opcode};
use trialogue_socketio::{Args, DisconnectReason, Outgoing};

use super::{NO_AUTH, connected, connected_with, event, millis};
use crate::peer::{Peer, SOON, Wire, frame, soon, texts};

fn outgoing(number: usize) -> Outgoing {
    Outgoing::new("n", &number).unwrap()
}

#[tokio::test]
async fn events_travel_both_ways_with_their_arguments() {
    let (_client, mut socket, mut wire) = connected().await;
    let sent = Outgoing::with_args("message", &(1, "2", json!({"3": [true]}))).unwrap();
    socket.emit(&sent).unwrap();
    wire.expect(r#"42["message",1,"2",{"3":[true]}]"#).await;
    wire.text(r#"42["message-back",1,"2",{"3":[true]}]"#).await;
    let mut event = event(&mut socket).await;
    assert_eq!(event.name(), "message-back");
    assert_eq!(event.args().json(), r#"[1,"2",{"3":[true]}]"#);
    assert_eq!(event.args().get::<String>(1).unwrap(), "2");
    assert!(!event.wants_ack());
    event.ack(&1).unwrap();
    socket.emit(&outgoing(7)).unwrap();
    wire.expect(r#"42["n",7]"#).await;
}

#[tokio::test]
async fn attachments_travel_both_ways() {
    let (_client, mut socket, mut wire) = connected().await;
    let args = r#"[{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]"#;
    let parts = vec![Bytes::from_static(&[1, 2, 3]), Bytes::from_static(&[4])];
    socket.emit(&Outgoing::raw("b", args).unwrap().attachments(parts.clone())).unwrap();
    wire.expect(&format!(r#"452-["b",{}]"#, &args[1..args.len() - 1])).await;
    assert_eq!(wire.next().await, Some(Message::Binary(parts[0].clone())));
    assert_eq!(wire.next().await, Some(Message::Binary(parts[1].clone())));

    wire.text(&format!(r#"452-7["b",{}]"#, &args[1..args.len() - 1])).await;
    wire.frame(Opcode::Binary, &parts[0]).await;
    wire.frame(Opcode::Binary, &parts[1]).await;
    let mut event = event(&mut socket).await;
    assert_eq!(event.args().attachments(), parts);
    let args = event.args().clone();
    event.ack_args(&args).unwrap();
    wire.expect(&format!("462-7{}", args.json())).await;
    assert_eq!(wire.next().await, Some(Message::Binary(parts[0].clone())));
    assert_eq!(wire.next().await, Some(Message::Binary(parts[1].clone())));
}

#[tokio::test]
async fn the_server_is_acknowledged_once() {
    let (_client, mut socket, mut wire) = connected().await;
    wire.text(r#"4212["question"]"#).await;
    let mut event = event(&mut socket).await;
    assert!(event.wants_ack());
    event.ack(&json!({"ok": true})).unwrap();
    assert!(!event.wants_ack());
    event.ack(&"again").unwrap();
    socket.emit(&outgoing(1)).unwrap();
    wire.expect(r#"4312[{"ok":true}]"#).await;
    wire.expect(r#"42["n",1]"#).await;
}

#[tokio::test]
async fn acknowledgements_find_their_events() {
    let (_client, socket, mut wire) = connected().await;
    let sender = socket.sender();
    let first = sender.emit_for_ack(&outgoing(1)).unwrap();
    let second = sender.emit_for_ack(&outgoing(2)).unwrap();
    wire.expect(r#"420["n",1]"#).await;
    wire.expect(r#"421["n",2]"#).await;
    // An id that was never sent, the second before the first, and the first twice.
    let answers = texts(&["4399[0]", r#"431["b"]"#, r#"430["a"]"#, r#"430["z"]"#, "42[\"x\"]"]);
    wire.raw(&answers).await;
    assert_eq!(first.within(SOON).await.unwrap().json(), r#"["a"]"#);
    assert_eq!(second.within(SOON).await.unwrap().json(), r#"["b"]"#);
    assert_eq!(sender.ended(), None);
}

#[tokio::test]
async fn a_late_acknowledgement_is_ignored() {
    let peer = Peer::new().await;
    let mut config = peer.config();
    config.acks_max = 1;
    let (_client, socket, mut wire) = connected_with(&peer, config).await;
    let late = socket.emit_with_ack(&outgoing(1), millis(50)).await;
    assert_eq!(late, Err(AckError::Timeout(millis(50))));
    wire.expect(r#"420["n",1]"#).await;
    wire.text("430[\"late\"]").await;
    // With room for one, the next can only be awaited because the first was forgotten.
    let serve = async {
        wire.expect(r#"421["n",2]"#).await;
        wire.text("431[\"in time\"]").await;
    };
    let event = outgoing(2);
    let (answer, ()) = tokio::join!(socket.emit_with_ack(&event, SOON), serve);
    assert_eq!(answer.unwrap().json(), "[\"in time\"]");
}

#[tokio::test]
async fn too_many_awaited_acknowledgements_are_refused() {
    let peer = Peer::new().await;
    let mut config = peer.config();
    config.acks_max = 3_000;
    let (_client, socket, _wire) = connected_with(&peer, config).await;
    let sender = socket.sender();
    let mut pending = Vec::new();
    for number in 0..3_000 {
        match sender.emit_for_ack(&outgoing(number)) {
            Ok(ack) => pending.push(ack),
            // The writer has not had its turn yet.
            Err(EmitError::Full { .. }) => tokio::task::yield_now().await,
            Err(error) => panic!("{error}"),
        }
    }
    while pending.len() < 3_000 {
        match sender.emit_for_ack(&outgoing(0)) {
            Ok(ack) => pending.push(ack),
            Err(EmitError::Full { .. }) => tokio::task::yield_now().await,
            Err(error) => panic!("{error}"),
        }
    }
    let over = sender.emit_for_ack(&outgoing(0)).err();
    assert_eq!(over, Some(EmitError::TooManyAcks { limit: 3_000 }));
    pending.pop();
    sender.emit_for_ack(&outgoing(0)).map(|_| ()).unwrap();
}

#[tokio::test]
async fn acknowledgements_end_with_the_connection() {
    let (_client, socket, wire) = connected().await;
    let pending = socket.sender().emit_for_ack(&outgoing(1)).unwrap();
    drop(wire);
    let answer = soon(pending.within(SOON)).await;
    assert!(matches!(answer, Err(AckError::Closed(_))), "{answer:?}");
    let after = socket.emit_with_ack(&outgoing(2), SOON).await;
    assert!(matches!(after, Err(AckError::NotSent(EmitError::Closed(_)))), "{after:?}");
}

#[tokio::test]
async fn namespaces_share_a_connection_and_nothing_else() {
    let (client, mut root, mut wire) = connected().await;
    let serve = async {
        wire.expect("40/other,").await;
        wire.text(r#"40/other,{"sid":"s2"}"#).await;
    };
    let (other, ()) = tokio::join!(client.namespace("/other", NO_AUTH), serve);
    let mut other = other.unwrap();
    wire.raw(&texts(&["42/other,[\"a\"]", "42[\"b\"]", "42/unknown,[\"c\"]", "41/other,"])).await;
    assert_eq!(event(&mut other).await.name(), "a");
    assert_eq!(super::closed(&mut other).await, DisconnectReason::ServerDisconnect);
    assert_eq!(event(&mut root).await.name(), "b");
    let ended = other.emit(&outgoing(1)).err();
    assert_eq!(ended, Some(EmitError::Closed(DisconnectReason::ServerDisconnect)));
    root.emit(&outgoing(2)).unwrap();
    wire.expect(r#"42["n",2]"#).await;
}

/// Sends numbered events until the client takes no more; how many were sent in full.
async fn flood(wire: &mut Wire<TcpStream>, total: usize) {
    let filler = "x".repeat(1_000);
    for number in 0..total {
        let text = format!("42[\"n\",{number},\"{filler}\"]");
        wire.raw(&frame(Opcode::Text, text.as_bytes())).await;
    }
}

#[tokio::test]
async fn an_application_that_does_not_receive_stops_the_server_and_loses_nothing() {
    const TOTAL: usize = 30_000;
    let (_client, mut socket, mut wire) = connected().await;
    // 30 MB do not fit between them: the server can only finish once the application receives.
    let flooded = tokio::spawn(async move {
        flood(&mut wire, TOTAL).await;
        wire
    });
    for number in 0..TOTAL {
        assert_eq!(event(&mut socket).await.args().get::<usize>(0).unwrap(), number);
        if number == 0 {
            tokio::time::sleep(millis(300)).await;
            assert!(!flooded.is_finished(), "the client took 30 MB that nobody received");
        }
    }
    soon(flooded).await.unwrap();
}

#[tokio::test]
async fn a_server_that_does_not_read_makes_emit_fail_and_loses_nothing() {
    let (_client, socket, mut wire) = connected().await;
    let filler = "x".repeat(10_000);
    let mut queued = 0;
    let full = loop {
        match socket.emit(&Outgoing::with_args("n", &(queued, &filler)).unwrap()) {
            Ok(()) => queued += 1,
            Err(full) => break full,
        }
        tokio::task::yield_now().await;
    };
    assert!(matches!(full, EmitError::Full { .. }), "{full}");
    for number in 0..queued {
        match wire.next().await {
            Some(Message::Text(text)) => {
                let text = String::from_utf8_lossy(&text).into_owned();
                assert!(text.starts_with(&format!("42[\"n\",{number},")), "{number}: {text:.40}");
            }
            other => panic!("event {number} was expected, not {other:?}"),
        }
    }
    let fits_again = async {
        while socket.emit(&outgoing(0)).is_err() {
            tokio::task::yield_now().await;
        }
    };
    soon(fits_again).await;
}

#[tokio::test]
async fn what_the_server_would_not_take_is_not_sent() {
    let (_client, socket, mut wire) = connected().await;
    let refused = |socket: &ClientSocket, event: &Outgoing| {
        let error = socket.emit(event).err();
        assert!(matches!(error, Some(EmitError::TooLarge { limit: 65_536, .. })), "{error:?}");
    };
    refused(&socket, &Outgoing::new("big", &"x".repeat(65_536)).unwrap());
    let binary = Outgoing::raw("big", r#"[{"_placeholder":true,"num":0}]"#).unwrap();
    refused(&socket, &binary.attachments(vec![vec![0; 65_537].into()]));
    let fits = Outgoing::new("big", &"x".repeat(65_000)).unwrap();
    socket.emit(&fits).unwrap();
    assert!(matches!(wire.next().await, Some(Message::Text(text)) if text.len() > 65_000));
}

#[tokio::test]
async fn a_volatile_event_is_left_out_while_others_wait() {
    let (_client, socket, mut wire) = connected().await;
    socket.emit(&outgoing(1)).unwrap();
    socket.emit(&outgoing(2).volatile()).unwrap();
    socket.emit(&outgoing(3)).unwrap();
    wire.expect(r#"42["n",1]"#).await;
    wire.expect(r#"42["n",3]"#).await;
}

#[tokio::test]
async fn answers_are_lazy_values_not_trees() {
    let (_client, mut socket, mut wire) = connected().await;
    // A number that no tree of values would keep as it is.
    wire.text(r#"42["n",{"exact":12345678901234567890.10,"b": [ ]}]"#).await;
    let event = event(&mut socket).await;
    assert_eq!(event.args().raw(0), Some(r#"{"exact":12345678901234567890.10,"b": [ ]}"#));
    assert!(event.args().get::<Value>(0).is_ok());
    let none = Args::empty();
    assert!(none.get::<Value>(0).is_err());
}
