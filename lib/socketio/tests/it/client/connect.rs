//! Connecting: what is asked for, and every way to be refused.

use serde_json::json;
use tokio::io::AsyncWriteExt;
use trialogue_socketio::client::{Client, ClientConfig, ConnectError};

use super::{NO_AUTH, connected, event, millis};
use crate::peer::{Peer, Wire, header, read_head, soon, texts};

#[tokio::test]
async fn a_websocket_is_asked_for_with_query_and_headers() {
    let peer = Peer::new().await;
    let mut config = peer.config();
    config.url.set_query(Some("who=me"));
    config.headers.insert("authorization", "Bearer secret".parse().unwrap());
    let (_client, wire) = peer.connect(config).await;
    let line = wire.request.lines().next().unwrap();
    assert_eq!(line, "GET /socket.io/?who=me&EIO=4&transport=websocket HTTP/1.1");
    assert_eq!(header(&wire.request, "host"), Some(&*peer.address().to_string()));
    assert_eq!(header(&wire.request, "authorization"), Some("Bearer secret"));
    assert_eq!(header(&wire.request, "sec-websocket-version"), Some("13"));
    assert_eq!(header(&wire.request, "sec-websocket-extensions"), None);
}

#[tokio::test]
async fn a_namespace_is_connected_with_its_auth() {
    let peer = Peer::new().await;
    let (client, mut wire) = peer.connect(peer.config()).await;
    let auth = json!({"token": "123"});
    let serve = async {
        wire.expect(r#"40/room,{"token":"123"}"#).await;
        wire.text(r#"40/room,{"sid":"abc"}"#).await;
    };
    let (socket, ()) = tokio::join!(soon(client.namespace("/room", Some(&auth))), serve);
    let socket = socket.unwrap();
    assert_eq!((socket.id(), socket.namespace(), client.id()), ("abc", "/room", "engine"));
}

#[tokio::test]
async fn events_that_come_with_the_answer_are_not_lost() {
    let peer = Peer::new().await;
    let (client, mut wire) = peer.connect(peer.config()).await;
    let serve = async {
        wire.expect("40").await;
        let together = texts(&[r#"40{"sid":"s"}"#, r#"42["first",1]"#, r#"42["second",2]"#]);
        wire.raw(&together).await;
    };
    let (socket, ()) = tokio::join!(soon(client.namespace("/", NO_AUTH)), serve);
    let mut socket = socket.unwrap();
    assert_eq!(event(&mut socket).await.name(), "first");
    assert_eq!(event(&mut socket).await.name(), "second");
}

#[tokio::test]
async fn a_refused_namespace_is_an_error_value_and_the_connection_stays() {
    let peer = Peer::new().await;
    let (client, mut wire) = peer.connect(peer.config()).await;
    let serve = async {
        wire.expect("40/a,").await;
        wire.text(r#"44/a,{"message":"no","data":{"code":"unauthenticated"}}"#).await;
        wire.expect("40/b,").await;
        wire.text(r#"44/b,"plain text""#).await;
        wire.expect("40/a,").await;
        wire.text(r#"40/a,{"sid":"x"}"#).await;
    };
    let play = async {
        match client.namespace("/a", NO_AUTH).await {
            Err(ConnectError::Refused(refused)) => {
                assert_eq!(refused.message, "no");
                assert_eq!(refused.data, Some(json!({"code": "unauthenticated"})));
            }
            other => panic!("a refusal was expected, not {other:?}"),
        }
        match client.namespace("/b", NO_AUTH).await {
            Err(ConnectError::Refused(refused)) => assert_eq!(refused.message, "plain text"),
            other => panic!("a refusal was expected, not {other:?}"),
        }
        client.namespace("/a", NO_AUTH).await.unwrap();
    };
    soon(async { tokio::join!(play, serve) }).await;
}

#[tokio::test]
async fn a_namespace_cannot_be_connected_twice_at_once() {
    let (client, _socket, _wire) = connected().await;
    let again = client.namespace("/", NO_AUTH).await;
    assert!(matches!(again, Err(ConnectError::Taken(path)) if path == "/"));
}

#[tokio::test]
async fn a_namespace_that_nobody_waits_for_any_more_is_given_back() {
    let peer = Peer::new().await;
    let (client, mut wire) = peer.connect(peer.config()).await;
    tokio::select! {
        biased;
        _ = client.namespace("/late", NO_AUTH) => panic!("nobody answered"),
        () = wire.expect("40/late,") => {}
    }
    wire.text(r#"40/late,{"sid":"x"}"#).await;
    wire.expect("41/late,").await;
}

#[tokio::test]
async fn what_cannot_be_used_is_refused_before_anything_is_sent() {
    for url in ["ftp://localhost", "mailto:me@example.org"] {
        let connected = Client::connect(ClientConfig::new(url.parse().unwrap())).await;
        assert!(matches!(connected, Err(ConnectError::Config(_))), "{url}");
    }
    let peer = Peer::new().await;
    let (client, _wire) = peer.connect(peer.config()).await;
    for path in ["", "chat", "/a,b"] {
        let namespace = client.namespace(path, NO_AUTH).await;
        assert!(matches!(namespace, Err(ConnectError::Config(_))), "{path}");
    }
    let namespace = client.namespace("/", Some(&[1, 2])).await;
    assert!(matches!(namespace, Err(ConnectError::Auth(_))));
}

#[tokio::test]
async fn nobody_listening_is_unreachable() {
    let peer = Peer::new().await;
    let config = peer.config();
    drop(peer);
    let connected = soon(Client::connect(config)).await;
    assert!(matches!(connected, Err(ConnectError::Unreachable { .. })), "{connected:?}");
}

#[tokio::test]
async fn a_silent_server_is_given_up_in_time() {
    let peer = Peer::new().await;
    let mut config = peer.config();
    config.connect_timeout = millis(100);
    let accepted = peer.accept();
    let (connected, _tcp) = tokio::join!(soon(Client::connect(config.clone())), accepted);
    assert!(matches!(connected, Err(ConnectError::Timeout(after)) if after == millis(100)));

    let (client, _wire) = peer.connect(config).await;
    let namespace = soon(client.namespace("/", NO_AUTH)).await;
    assert!(matches!(namespace, Err(ConnectError::Timeout(_))));
}

#[tokio::test]
async fn an_http_error_is_shown_with_its_body_and_never_followed() {
    let peer = Peer::new().await;
    for (answer, status, text) in [
        (
            "400 Bad Request\r\ncontent-length: 40\r\n\r\n\
             {\"code\":0,\"message\":\"Transport unknown\"}",
            400,
            "Transport unknown",
        ),
        ("302 Found\r\nlocation: http://127.0.0.1:9/\r\ncontent-length: 0\r\n\r\n", 302, ""),
        ("200 OK\r\ncontent-length: 5\r\n\r\nhello", 200, "hello"),
    ] {
        let serve = async {
            let mut tcp = peer.accept().await;
            read_head(&mut tcp).await;
            tcp.write_all(format!("HTTP/1.1 {answer}").as_bytes()).await.unwrap();
            tcp
        };
        let (connected, _tcp) = tokio::join!(soon(Client::connect(peer.config())), serve);
        match connected {
            Err(ConnectError::Http { status: came, body }) => {
                assert_eq!(came, status);
                assert!(body.contains(text), "{body}");
            }
            other => panic!("an HTTP error was expected, not {other:?}"),
        }
    }
}

#[tokio::test]
async fn what_is_no_engine_io_is_refused() {
    let peer = Peer::new().await;
    for answer in [
        "SSH-2.0-OpenSSH_9.6\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\
         sec-websocket-accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\n\r\n",
    ] {
        let serve = async {
            let mut tcp = peer.accept().await;
            read_head(&mut tcp).await;
            tcp.write_all(answer.as_bytes()).await.unwrap();
            tcp
        };
        let (connected, _tcp) = tokio::join!(soon(Client::connect(peer.config())), serve);
        assert!(matches!(connected, Err(ConnectError::Protocol(_))), "{connected:?}");
    }
    for first in ["4hello", "0{}", "0{\"sid\":7}", "hello", ""] {
        let serve = async {
            let mut wire = Wire::accept(peer.accept().await).await;
            wire.text(first).await;
            wire
        };
        let (connected, _wire) = tokio::join!(soon(Client::connect(peer.config())), serve);
        assert!(matches!(connected, Err(ConnectError::Protocol(_))), "{first} {connected:?}");
    }
}

#[tokio::test]
async fn a_connection_lost_during_the_handshake_is_broken() {
    let peer = Peer::new().await;
    let serve = async {
        let mut tcp = peer.accept().await;
        read_head(&mut tcp).await;
    };
    let (connected, ()) = tokio::join!(soon(Client::connect(peer.config())), serve);
    assert!(matches!(connected, Err(ConnectError::Broken(_))), "{connected:?}");
}
