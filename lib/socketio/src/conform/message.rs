//! Engine.IO v4: messages over both transports, on a server that echoes them.

use std::time::Duration;

use super::frames::Ws;
use super::wire::{Answer, Endpoint};
use super::{Cx, Outcome, failed, non_strict, unimplemented};
use crate::ws::Opcode;

impl Cx {
    /// A server of the profile echoes, and is at fault if it does not.
    fn needs_echo(&self) -> Outcome {
        let offers = self.subject.offers();
        if offers.echo || offers.profile {
            return Ok(());
        }
        // Where there is nothing at all, that is the reason.
        self.needs_polling().and(self.needs_websocket())?;
        unimplemented(format!("no echo at {}", self.subject.target().engine_path))
    }

    /// A message goes there and back, where messages are echoed.
    pub(super) async fn echoes(&self, ws: &mut Ws) -> Outcome {
        if self.endpoint == Endpoint::Engine && self.needs_echo().is_ok() {
            ws.send("4hello").await?;
            ws.expect("4hello").await?;
        }
        Ok(())
    }
}

/// Posts a payload and polls the same one.
async fn payload_echo(cx: &Cx, payload: &str) -> Outcome {
    cx.needs_echo()?;
    let sid = cx.session().await?;
    cx.post(&sid, payload).await?.is("ok")?;
    cx.get(&sid).await?.is(payload)
}

pub(super) async fn one_text(cx: &Cx) -> Outcome {
    payload_echo(cx, "4hello").await
}

pub(super) async fn several_texts(cx: &Cx) -> Outcome {
    payload_echo(cx, "4test1\x1e4test2\x1e4test3").await
}

pub(super) async fn text_and_binary(cx: &Cx) -> Outcome {
    payload_echo(cx, "4hello\x1ebAQIDBA==").await
}

pub(super) async fn invalid_post(cx: &Cx) -> Outcome {
    let sid = cx.session().await?;
    // A connection that is cut is an answer too.
    let posted = cx.post(&sid, "abc").await;
    cx.get(&sid).await?.is_refused()?;
    match posted {
        Ok(answer) if answer.status.is_success() => {
            non_strict("the session was closed, and yet the invalid packet was answered by 200")
        }
        Ok(answer) => answer.is_refused(),
        Err(_) => Ok(()),
    }
}

pub(super) async fn two_polls(cx: &Cx) -> Outcome {
    let sid = cx.session().await?;
    let second = async {
        tokio::time::sleep(Duration::from_millis(20)).await;
        cx.get(&format!("{sid}&t=second")).await
    };
    let (first, second) = tokio::join!(cx.get(&sid), second);
    let (first, second) = (first?, second?);
    // On a busy machine the later one may come first.
    let polled = |answer: &Answer| answer.status.is_success();
    let (held, refused) = if polled(&first) { (first, second) } else { (second, first) };
    held.is("1")?;
    cx.get(&sid).await?.is_refused()?;
    match refused.status.as_u16() {
        400 => Ok(()),
        500 => non_strict("one poll was answered by 500 instead of 400"),
        status => failed(format!("one poll was answered by {status}")),
    }
}

pub(super) async fn cancelled_poll(cx: &Cx) -> Outcome {
    let sid = cx.session().await?;
    cx.get_and_give_up(&sid).await?;
    cx.get(&sid).await?.is_refused()
}

pub(super) async fn websocket_text(cx: &Cx) -> Outcome {
    cx.needs_echo()?;
    let (mut ws, _) = cx.open().await?;
    cx.echoes(&mut ws).await
}

pub(super) async fn websocket_binary(cx: &Cx) -> Outcome {
    cx.needs_echo()?;
    let (mut ws, _) = cx.open().await?;
    ws.send_frame(Opcode::Binary, &[1, 2, 3, 4]).await?;
    ws.expect_binary(&[1, 2, 3, 4]).await
}

pub(super) async fn websocket_invalid(cx: &Cx) -> Outcome {
    let (mut ws, _) = cx.open().await?;
    ws.send("abc").await?;
    ws.closes().await.map(|_| ())
}
