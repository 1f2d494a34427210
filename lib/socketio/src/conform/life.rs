//! Engine.IO v4: the heartbeat, the end of a session, its move to a websocket.

use std::time::Duration;

use super::frames::{Frame, Ws};
use super::wire::{Endpoint, silence};
use super::{Cx, Outcome, Stop, failed, non_strict, unimplemented};
use crate::engine::{Handshake, SEPARATOR};
use crate::ws::Opcode;

impl Cx {
    /// The heartbeat's times, if they can be waited for.
    fn heartbeat(&self, handshake: &Handshake) -> Outcome<(Duration, Duration)> {
        let (interval, all) = (Duration::from_millis(handshake.ping_interval), silence(handshake));
        if all > self.patience() {
            return unimplemented(format!("the server pings only every {interval:?}"));
        }
        Ok((interval, all))
    }

    /// A websocket whose session has moved to it from polling.
    async fn upgraded(&self) -> Outcome<(String, Ws)> {
        self.needs_upgrade()?;
        let sid = self.session().await?;
        let mut ws = self.open_for(&sid).await?;
        ws.send("2probe").await?;
        ws.expect("3probe").await?;
        Ok((sid, ws))
    }

    /// The same and the move is complete.
    async fn moved(&self) -> Outcome<(String, Ws)> {
        let (sid, mut ws) = self.upgraded().await?;
        ws.send("5").await?;
        Ok((sid, ws))
    }
}

/// The suites wait for pings without a CONNECT. A server with a slow heartbeat gives up who does
/// not connect before its first ping, and may do so: there, the case connects.
fn connects_first(cx: &Cx) -> Outcome<bool> {
    let offers = cx.subject.offers();
    match &offers.refused {
        _ if cx.endpoint == Endpoint::Engine || offers.profile => Ok(false),
        Some(why) => unimplemented(why.clone()),
        None => Ok(true),
    }
}

async fn polling_session(cx: &Cx) -> Outcome<String> {
    let sid = cx.session().await?;
    if connects_first(cx)? {
        let auth = cx.subject.target().auth.as_deref().unwrap_or_default();
        cx.post(&sid, &format!("40{}{auth}", cx.prefix())).await?.is("ok")?;
        let granted = format!("40{}{{", cx.prefix());
        while !cx.polled(&sid).await?.iter().any(|packet| packet.starts_with(&granted)) {}
    }
    Ok(sid)
}

async fn websocket_session(cx: &Cx) -> Outcome<Ws> {
    let (mut ws, _) = cx.open().await?;
    if connects_first(cx)? {
        cx.enter(&mut ws).await?;
    }
    Ok(ws)
}

/// Whether these are events of a server that speaks by itself, and nothing else.
fn is_talk(cx: &Cx, packets: &str) -> bool {
    let mut packets = packets.split(char::from(SEPARATOR));
    connects_first(cx).unwrap_or(false) && packets.all(|packet| packet.starts_with("42"))
}

pub(super) async fn polling_pings(cx: &Cx) -> Outcome {
    cx.heartbeat(cx.needs_polling()?)?;
    let sid = polling_session(cx).await?;
    for _ in 0..3 {
        let mut polled = cx.get(&sid).await?;
        while is_talk(cx, &polled.body) {
            polled = cx.get(&sid).await?;
        }
        polled.is("2")?;
        let answer = cx.post(&sid, "3").await?;
        if !answer.status.is_success() {
            return failed(format!("a pong was answered by {}", answer.status));
        }
        if answer.body != "ok" {
            return non_strict(format!("a pong was answered by {:?}", answer.body));
        }
    }
    Ok(())
}

pub(super) async fn polling_silence(cx: &Cx) -> Outcome {
    let (_, silence) = cx.heartbeat(cx.needs_polling()?)?;
    let sid = polling_session(cx).await?;
    tokio::time::sleep(silence).await;
    cx.get(&sid).await?.is_refused()
}

pub(super) async fn websocket_pings(cx: &Cx) -> Outcome {
    cx.heartbeat(cx.needs_websocket()?)?;
    let mut ws = websocket_session(cx).await?;
    for _ in 0..3 {
        let mut text = ws.text().await?;
        while is_talk(cx, &text) {
            text = ws.text().await?;
        }
        if text != "2" {
            return failed(format!("a ping was expected, {text:?} came"));
        }
        ws.send("3").await?;
    }
    Ok(())
}

pub(super) async fn websocket_silence(cx: &Cx) -> Outcome {
    let (_, silence) = cx.heartbeat(cx.needs_websocket()?)?;
    let mut ws = websocket_session(cx).await?;
    // Twice the promise is still a server that notices.
    match tokio::time::timeout(2 * silence, ws.closes()).await {
        Ok(closed) => closed.map(|_| ()),
        Err(_) => failed(format!("still open {:?} after the last sign of life", 2 * silence)),
    }
}

pub(super) async fn polling_close(cx: &Cx) -> Outcome {
    let sid = cx.session().await?;
    let (poll, posted) = tokio::join!(cx.get(&sid), cx.post(&sid, "1"));
    posted?;
    poll?.is("6")?;
    cx.get(&sid).await?.is_refused()
}

pub(super) async fn websocket_close(cx: &Cx) -> Outcome {
    let silence = silence(cx.needs_websocket()?);
    let (mut ws, _) = cx.open().await?;
    ws.send("1").await?;
    match ws.closes().await {
        // The reference leaves it to the heartbeat, which is as good where that is short.
        Err(Stop::Failed(what)) if silence > cx.patience() => {
            non_strict(format!("{what}, though the heartbeat must end it within {silence:?}"))
        }
        closed => closed.map(|_| ()),
    }
}

pub(super) async fn upgrade(cx: &Cx) -> Outcome {
    let (_, mut ws) = cx.upgraded().await?;
    ws.send("5").await?;
    // Alive: a ping may come, a close may not.
    ws.send_frame(Opcode::Ping, b"alive").await?;
    match tokio::time::timeout(Duration::from_millis(50), ws.next()).await {
        Ok(Ok(Frame::Closed(code))) => failed(format!("closed right after the upgrade: {code:?}")),
        _ => Ok(()),
    }
}

pub(super) async fn upgrade_and_echo(cx: &Cx) -> Outcome {
    let (sid, mut ws) = cx.upgraded().await?;
    cx.get(&sid).await?.is("6")?;
    ws.send("5").await?;
    cx.echoes(&mut ws).await
}

pub(super) async fn http_after_upgrade(cx: &Cx) -> Outcome {
    let (sid, mut ws) = cx.moved().await?;
    cx.get(&sid).await?.is_refused()?;
    cx.echoes(&mut ws).await
}

pub(super) async fn websocket_after_upgrade(cx: &Cx) -> Outcome {
    let (sid, mut ws) = cx.moved().await?;
    cx.no_websocket(&format!("EIO=4&transport=websocket&sid={sid}")).await?;
    cx.echoes(&mut ws).await
}
