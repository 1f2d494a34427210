//! From the transport to the layer above, in order, and no further than it can take.

use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::sync::oneshot;

use super::super::frame;
use super::super::signal::READ;
use super::super::websocket::{ReadBuffer, Reader};
use super::{Connection, Transport};
use crate::engine::{EnginePacket, Payload, PayloadItem};
use crate::reason::DisconnectReason;
use crate::ws::{Message, Opcode, close_code};

/// Messages of one connection between two turns of the others.
const MESSAGES_PER_TURN: usize = 256;

/// The body of a polling request while its packets are taken.
pub(super) struct PostWork {
    body: Bytes,
    /// Where the next packet starts.
    at: usize,
    packets_left: usize,
    done: oneshot::Sender<bool>,
}

/// How a round of reading ended.
enum Round {
    /// The transport has no more for now, or the layer above can take no more.
    Over,
    /// There is more, but others have their turn.
    Again,
    /// The connection ends: why, and with which close code.
    End(DisconnectReason, u16),
}

impl Connection {
    pub(super) fn begin_post(&mut self) {
        let Some(post) = self.session.take_post() else { return };
        if self.closing.is_some() {
            let _request_gone = post.done.send(false);
            return;
        }
        let packets_left = self.session.registry.config.payload_packets_max;
        self.post = Some(PostWork { body: post.body, at: 0, packets_left, done: post.done });
    }

    /// Takes what has come: first what is stalled, then the rest of a request's body, then the
    /// websocket; the order of an upgrade. `readable` when the websocket may have something new.
    pub(super) fn take_in(&mut self, readable: bool) {
        if self.closing.is_some() {
            self.drain();
            return;
        }
        let was_stalled = self.upper.is_stalled();
        if was_stalled {
            match self.upper.retry() {
                Ok(true) => {
                    self.heart.resume(self.session.registry.now_ms());
                    self.note_heart();
                }
                Ok(false) => return,
                Err(reason) => return self.end(reason, close_code::POLICY),
            }
        }
        let had_post = self.post.is_some();
        self.read_post();
        if self.post.is_none() && (readable || was_stalled || had_post) {
            self.read_websocket();
        }
        if self.upper.is_stalled() {
            self.heart.suspend(self.session.registry.now_ms());
            self.note_heart();
        }
    }

    /// Ends the session for something that the peer did.
    fn end(&mut self, reason: DisconnectReason, close_code: u16) {
        self.close_code = close_code;
        self.session.close(reason);
    }

    fn read_post(&mut self) {
        let Some(mut post) = self.post.take() else { return };
        let body = post.body.clone();
        let mut payload = Payload::new(&body[post.at..], post.packets_left);
        while let Some(item) = payload.next() {
            let taken = match item {
                Ok(PayloadItem::Text(EnginePacket::Close)) => {
                    // Ended before it is answered, so that what the client asks next finds it so.
                    self.session.part();
                    self.end(DisconnectReason::TransportClose, close_code::NORMAL);
                    let _request_gone = post.done.send(true);
                    return;
                }
                Ok(PayloadItem::Text(packet)) => self.engine_packet(packet),
                Ok(PayloadItem::Binary(bytes)) => self.upper.binary(&bytes),
                Err(_) => Err(DisconnectReason::Protocol),
            };
            if let Err(reason) = taken {
                self.end(reason, close_code::POLICY);
                let _request_gone = post.done.send(false);
                return;
            }
            if self.upper.is_stalled()
                && let Some((rest, packets_left)) = payload.rest()
            {
                post.at = body.len() - rest.len();
                post.packets_left = packets_left;
                self.post = Some(post);
                return;
            }
        }
        let _request_gone = post.done.send(true);
    }

    /// Takes one Engine.IO packet, whatever brought it.
    fn engine_packet(&mut self, packet: EnginePacket<'_>) -> Result<(), DisconnectReason> {
        match packet {
            EnginePacket::Message(text) => self.upper.text(text.as_bytes()),
            EnginePacket::Pong(_) => {
                self.heart.pong(self.session.registry.now_ms());
                self.note_heart();
                Ok(())
            }
            EnginePacket::Noop => Ok(()),
            EnginePacket::Close => Err(DisconnectReason::TransportClose),
            // The server alone opens and pings, and an upgrade happens on a websocket's probe.
            EnginePacket::Open(_) | EnginePacket::Ping(_) | EnginePacket::Upgrade => {
                Err(DisconnectReason::Protocol)
            }
        }
    }

    fn read_websocket(&mut self) {
        let transport = std::mem::replace(&mut self.transport, Transport::Gone);
        let Transport::Websocket(mut websocket) = transport else {
            self.transport = transport;
            return;
        };
        let mut buffer = websocket.take_buffer();
        let round = self.read_round(&mut websocket, &mut buffer);
        websocket.return_buffer(buffer);
        self.transport = Transport::Websocket(websocket);
        match round {
            Round::Over => {}
            Round::Again => self.again |= READ,
            Round::End(reason, close_code) => self.end(reason, close_code),
        }
    }

    fn read_round(&mut self, websocket: &mut Reader, buffer: &mut ReadBuffer) -> Round {
        let waker = self.wakers.read.clone();
        let mut context = Context::from_waker(&waker);
        let mut messages = 0;
        loop {
            match websocket.decoder.decode(&mut buffer.bytes) {
                Ok(Some(message)) => {
                    if let Err((reason, code)) = self.message(message) {
                        return Round::End(reason, code);
                    }
                    if self.upper.is_stalled() {
                        return Round::Over;
                    }
                    messages += 1;
                    if messages == MESSAGES_PER_TURN {
                        return Round::Again;
                    }
                    continue;
                }
                Ok(None) => {}
                Err(error) => return Round::End(DisconnectReason::Protocol, error.close_code()),
            }
            match websocket.half.poll_read(&mut context, &mut buffer.bytes) {
                Poll::Pending => return Round::Over,
                Poll::Ready(Ok(0)) => {
                    return Round::End(DisconnectReason::TransportClose, close_code::NORMAL);
                }
                Poll::Ready(Ok(_)) => {}
                Poll::Ready(Err(_)) => {
                    return Round::End(DisconnectReason::TransportError, close_code::NORMAL);
                }
            }
        }
    }

    fn message(&mut self, message: Message) -> Result<(), (DisconnectReason, u16)> {
        match message {
            Message::Text(text) => {
                let packet = EnginePacket::decode(&text);
                let packet =
                    packet.map_err(|_| (DisconnectReason::Protocol, close_code::POLICY))?;
                self.engine_packet(packet).map_err(|reason| match reason {
                    DisconnectReason::TransportClose => (reason, close_code::NORMAL),
                    reason => (reason, close_code::POLICY),
                })
            }
            Message::Binary(bytes) => {
                self.upper.binary(&bytes).map_err(|reason| (reason, close_code::POLICY))
            }
            Message::Ping(payload) => {
                let pong = frame::control(Opcode::Pong, &payload);
                let _closed = self.session.send(false, |_| pong);
                Ok(())
            }
            Message::Pong(_) => Ok(()),
            Message::Close(close) => {
                let code = close.map_or(close_code::NORMAL, |close| close.code);
                Err((DisconnectReason::TransportClose, code))
            }
        }
    }
}
