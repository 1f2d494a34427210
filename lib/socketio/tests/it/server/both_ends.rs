//! Our client and our server: what one says, the other hears, over every transport.

use bytes::Bytes;
use serde_json::json;
use trialogue_socketio::client::{
    Client, ClientConfig, ClientSocket, ConnectError, Received, Transport, Transports,
};
use trialogue_socketio::{DisconnectReason, Outgoing};

use super::{Bench, CLOSED_WITHIN, Joined};
use crate::peer::soon;

const ALL: [Transports; 3] =
    [Transports::Websocket, Transports::Polling, Transports::PollingUpgrade];

async fn client(bench: &Bench, transports: Transports) -> Client {
    let url = format!("http://{}", bench.served.address).parse().unwrap();
    let config = ClientConfig { transports, ..ClientConfig::new(url) };
    soon(Client::connect(config)).await.unwrap()
}

async fn both(bench: &mut Bench, transports: Transports) -> (Client, ClientSocket, Joined) {
    let client = client(bench, transports).await;
    let auth = json!({"token": "1"});
    let namespace = soon(client.namespace("/chat", Some(&auth)));
    let (socket, joined) = tokio::join!(namespace, bench.joined());
    assert_eq!(joined.auth, r#"{"token":"1"}"#);
    (client, socket.unwrap(), joined)
}

async fn received(socket: &mut ClientSocket) -> Received {
    soon(socket.recv()).await
}

fn attached() -> Outgoing {
    let places = r#"[{"_placeholder":true,"num":0},"between",{"_placeholder":true,"num":1}]"#;
    let parts = vec![Bytes::from_static(&[0, 255]), Bytes::from(vec![7; 20_000])];
    Outgoing::raw("b", places).unwrap().attachments(parts)
}

#[tokio::test]
async fn both_ends_ask_and_answer_with_attachments() {
    for transports in ALL {
        let mut bench = Bench::new().await;
        let (client, mut here, mut there) = both(&mut bench, transports).await;
        let asking = here.sender();
        let asked = tokio::spawn(async move {
            let mut event = soon(there.events.recv()).await.unwrap();
            let args = event.args().clone();
            event.ack_args(&args).unwrap();
            there
        });
        let answer = asking.emit_with_ack(&attached(), CLOSED_WITHIN).await.unwrap();
        assert_eq!(answer.attachments().len(), 2, "{transports:?}");
        assert_eq!(answer.attachments()[1], vec![7; 20_000]);
        let there = soon(asked).await.unwrap();

        let event = attached();
        let (answer, ()) = tokio::join!(there.socket.emit_with_ack(&event, CLOSED_WITHIN), async {
            let Received::Event(mut event) = received(&mut here).await else { panic!("closed") };
            assert_eq!(event.args().get::<String>(1).unwrap(), "between");
            let args = event.args().clone();
            event.ack_args(&args).unwrap();
        });
        assert_eq!(answer.unwrap().attachments().len(), 2, "{transports:?}");
        if transports != Transports::Polling {
            let moved = async {
                while client.transport() != Transport::Websocket {
                    tokio::task::yield_now().await;
                }
            };
            soon(moved).await;
        }
    }
}

#[tokio::test]
async fn a_refusal_reaches_the_client_with_its_data() {
    for transports in ALL {
        let bench = Bench::new().await;
        let client = client(&bench, transports).await;
        let refused = soon(client.namespace("/chat", Some(&json!({"please": "refuse"})))).await;
        match refused {
            Err(ConnectError::Refused(refused)) => {
                assert_eq!(refused.message, "no");
                assert_eq!(refused.data, Some(json!({"code": "unauthenticated"})));
            }
            other => panic!("{transports:?}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn each_end_knows_why_the_other_has_gone() {
    use DisconnectReason::{ClientDisconnect, ServerDisconnect, TransportClose, TransportError};
    for transports in ALL {
        let mut bench = Bench::new().await;
        let (_client, mut here, there) = both(&mut bench, transports).await;
        there.socket.disconnect();
        let reason = received(&mut here).await;
        assert!(matches!(reason, Received::Closed(ServerDisconnect)), "{transports:?} {reason:?}");

        let (_client, here, mut there) = both(&mut bench, transports).await;
        here.disconnect();
        assert!(soon(there.events.recv()).await.is_none());
        assert_eq!(there.events.reason(), Some(ClientDisconnect), "{transports:?}");

        let (client, _here, mut there) = both(&mut bench, transports).await;
        client.close();
        assert!(soon(there.events.recv()).await.is_none());
        assert_eq!(there.events.reason(), Some(TransportClose), "{transports:?}");

        let (_client, mut here, _there) = both(&mut bench, transports).await;
        soon(bench.served.server.close(CLOSED_WITHIN)).await;
        match (received(&mut here).await, transports) {
            (Received::Closed(TransportClose), _) => {}
            // Between two polls there is nobody to be told: the next one fails.
            (
                Received::Closed(TransportError),
                Transports::Polling | Transports::PollingUpgrade,
            ) => {}
            (other, _) => panic!("{transports:?}: {other:?}"),
        }
    }
}
