//! A live server over a pipe: whatever a client sends on a websocket or by polling, nothing panics
//! (a panic aborts under the fuzzer, in any task) and no session stays behind.

#![no_main]

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use bytes::BytesMut;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use libfuzzer_sys::fuzz_target;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::runtime::Builder;
use trialogue_socketio::server::{
    ConnectRequest, Events, Handler, Refusal, Server, ServerConfig, Socket,
};
use trialogue_socketio::ws::{Opcode, put_frame};

const UPGRADE: &[u8] = b"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: a\r\n\
    Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

/// Joins, echoes and answers.
struct Echo;

impl Handler for Echo {
    type Session = ();

    async fn connect(&self, _: ConnectRequest) -> Result<(), Refusal> {
        Ok(())
    }

    async fn run(&self, socket: Socket, mut events: Events, (): ()) {
        socket.join("room");
        while let Some(mut event) = events.recv().await {
            let args = event.args().clone();
            let _closed = event.ack_args(&args);
            if let Ok(back) = trialogue_socketio::Outgoing::raw(event.name(), args.json()) {
                let back = back.attachments(args.attachments().to_vec());
                socket.namespace().emit("room", &back);
            }
        }
    }
}

fn connect(server: &Server) -> DuplexStream {
    let (ours, theirs) = duplex(1 << 16);
    let server = server.clone();
    tokio::spawn(async move {
        let peer = SocketAddr::from((Ipv4Addr::LOCALHOST, 1));
        let service = service_fn(|request| {
            let answer = server.serve(request, peer);
            async move { Ok::<_, Infallible>(answer.await) }
        });
        let http = http1::Builder::new().serve_connection(TokioIo::new(theirs), service);
        let _broken = http.with_upgrades().await;
    });
    ours
}

/// Pieces of the input become frames, or stay the bytes that they are.
fn websocket(input: &[u8]) -> BytesMut {
    let mut out = BytesMut::from(UPGRADE);
    for (number, piece) in input.split(|byte| *byte == 0xff).enumerate() {
        match piece.split_first() {
            Some((0xfe, raw)) => out.extend_from_slice(raw),
            Some((0xfd, bytes)) => put_frame(&mut out, Opcode::Binary, &[bytes], Some([1; 4])),
            Some((0xfc, bytes)) => put_frame(&mut out, Opcode::Ping, &[bytes], Some([2; 4])),
            _ if number == 0 => put_frame(&mut out, Opcode::Text, &[b"40"], Some([3; 4])),
            _ => put_frame(&mut out, Opcode::Text, &[piece], Some([3; 4])),
        }
    }
    out
}

async fn exchange(mut stream: DuplexStream, bytes: &[u8]) -> Vec<u8> {
    let mut answer = Vec::new();
    let (mut read, mut write) = tokio::io::split(&mut stream);
    let writing = async {
        let _closed = write.write_all(bytes).await;
        let _closed = write.shutdown().await;
    };
    let (_closed, ()) = tokio::join!(read.read_to_end(&mut answer), writing);
    answer
}

async fn polling(server: &Server, input: &[u8]) {
    let open = b"GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: a\r\n\
        Connection: close\r\n\r\n";
    let answer = exchange(connect(server), open).await;
    let text = String::from_utf8_lossy(&answer);
    let Some((_, rest)) = text.split_once("\"sid\":\"") else { return };
    let sid = &rest[..22];
    let head = format!(
        "POST /socket.io/?EIO=4&transport=polling&sid={sid} HTTP/1.1\r\nHost: a\r\n\
         Connection: close\r\nContent-Length: {}\r\n\r\n",
        input.len()
    );
    exchange(connect(server), &[head.as_bytes(), input].concat()).await;
}

fuzz_target!(|input: &[u8]| {
    // Time that passes where nothing else happens: a timeout costs no waiting.
    let mut runtime = Builder::new_current_thread();
    let Ok(runtime) = runtime.enable_time().start_paused(true).build() else { return };
    runtime.block_on(async {
        let config = ServerConfig { max_payload: 4_096, ..ServerConfig::default() };
        let server = Server::builder(config).namespace(&["/", "/a"], Echo).build();
        exchange(connect(&server), &websocket(input)).await;
        polling(&server, input).await;
        server.close(Duration::from_secs(5)).await;
        assert_eq!(server.sessions(), 0, "a session stays behind");
    });
});
