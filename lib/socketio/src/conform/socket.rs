//! Socket.IO v5: the sixteen cases of the public suite above Engine.IO.

use serde_json::Value;

use super::frames::{Frame, Ws};
use super::{Cx, Outcome, failed, table, unimplemented};
use crate::ws::Opcode;

table! { SIO5, Sio5,
    "sio5.connect.main", "the main namespace is connected" => connect_main,
    "sio5.connect.main-auth", "the main namespace gets the auth" => connect_main_auth,
    "sio5.connect.custom", "another namespace is connected" => connect_custom,
    "sio5.connect.custom-auth", "another namespace gets the auth" => connect_custom_auth,
    "sio5.connect.unknown", "an unknown namespace is refused" => connect_unknown,
    "sio5.connect.invalid", "an invalid packet instead of a CONNECT closes" => connect_invalid,
    "sio5.connect.none", "a connection without a CONNECT is closed" => connect_none,
    "sio5.disconnect.main",
        "leaving the main namespace leaves the connection open" => disconnect_main,
    "sio5.disconnect.custom", "leaving a namespace leaves the others" => disconnect_custom,
    "sio5.message.plain", "an event goes there and back" => plain_event,
    "sio5.message.binary", "an event with attachments goes there and back" => binary_event,
    "sio5.message.ack", "an event is acknowledged" => ack,
    "sio5.message.binary-ack", "an event with attachments is acknowledged with them" => binary_ack,
    "sio5.message.unknown-type", "an unknown packet type closes" => unknown_type,
    "sio5.message.invalid-payload", "an event that is no array closes" => invalid_payload,
    "sio5.message.invalid-ack-id",
        "an acknowledgement id that is no number closes" => invalid_ack_id,
}

/// Most cases need a server that answers in a known way.
pub(super) const NO_PROFILE: &str = "the server is not set up as the suites want it";

/// Two attachments as they stand in the arguments.
pub(super) const PLACES: &str = r#"{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}"#;

impl Cx {
    /// A websocket with the target's namespace, greeting included if the target greets.
    pub(super) async fn inside(&self) -> Outcome<Ws> {
        let (mut ws, _) = self.open().await?;
        self.enter(&mut ws).await?;
        if self.subject.offers().profile {
            let greeting = ws.packet().await?;
            let expected = format!("42{}[\"auth\"", self.prefix());
            if !greeting.starts_with(&expected) {
                return failed(format!("{greeting:?} came instead of the event auth"));
            }
        }
        Ok(ws)
    }

    /// What only a server of the profile answers.
    pub(super) async fn inside_profile(&self) -> Outcome<Ws> {
        if !self.subject.offers().profile {
            return unimplemented(NO_PROFILE);
        }
        self.inside().await
    }

    pub(super) async fn sends_and_gets(&self, send: &str, expect: &str) -> Outcome<Ws> {
        let mut ws = self.inside_profile().await?;
        ws.send(send).await?;
        ws.expect(expect).await?;
        Ok(ws)
    }
}

/// `40{"sid":"..."}` with no other key; `pid`, which state recovery adds, is known to clients.
pub(super) fn check_granted(answer: &str, prefix: &str) -> Outcome {
    let json = answer.strip_prefix("40").and_then(|rest| rest.strip_prefix(prefix));
    let object = json.and_then(|json| serde_json::from_str::<Value>(json).ok());
    let object = object.as_ref().and_then(Value::as_object);
    match object.filter(|object| object.get("sid").is_some_and(Value::is_string)) {
        Some(object) if object.len() == 1 => Ok(()),
        Some(object) if object.len() == 2 && object.contains_key("pid") => {
            super::non_strict("connection state recovery is on: a pid stands beside the sid")
        }
        _ => failed(format!("{answer:?} is not 40{prefix} with a sid and nothing else")),
    }
}

/// Connects a namespace of the profile and looks at both things that come.
async fn connects(cx: &Cx, prefix: &str, auth: &str) -> Outcome {
    let profile = cx.subject.offers().profile;
    if !profile && !prefix.is_empty() {
        return unimplemented(NO_PROFILE);
    }
    let (mut ws, _) = cx.open().await?;
    ws.send(&format!("40{prefix}{auth}")).await?;
    let answer = ws.packet().await?;
    if !profile && answer.starts_with("44") {
        return unimplemented(format!("the server refuses the main namespace: {answer}"));
    }
    check_granted(&answer, prefix)?;
    if !profile {
        return unimplemented(NO_PROFILE);
    }
    let auth = if auth.is_empty() { "{}" } else { auth };
    ws.expect(&format!("42{prefix}[\"auth\",{auth}]")).await
}

async fn connect_main(cx: &Cx) -> Outcome {
    connects(cx, "", "").await
}

async fn connect_main_auth(cx: &Cx) -> Outcome {
    connects(cx, "", r#"{"token":"123"}"#).await
}

async fn connect_custom(cx: &Cx) -> Outcome {
    connects(cx, "/custom,", "").await
}

async fn connect_custom_auth(cx: &Cx) -> Outcome {
    connects(cx, "/custom,", r#"{"token":"abc"}"#).await
}

async fn connect_unknown(cx: &Cx) -> Outcome {
    let (mut ws, _) = cx.open().await?;
    ws.send("40/random").await?;
    let answer = ws.packet().await?;
    if answer == r#"44/random,{"message":"Invalid namespace"}"# {
        return Ok(());
    }
    if answer.starts_with("44/random,{") {
        return super::non_strict(format!("refused in other words: {answer}"));
    }
    failed(format!("an unknown namespace was answered by {answer:?}"))
}

async fn connect_invalid(cx: &Cx) -> Outcome {
    let (mut ws, _) = cx.open().await?;
    ws.send("4abc").await?;
    ws.closes().await.map(|_| ())
}

async fn connect_none(cx: &Cx) -> Outcome {
    let (mut ws, text) = cx.open().await?;
    let silence = super::wire::silence(&super::wire::parse_handshake(&text)?);
    if silence > cx.patience() {
        return unimplemented(format!("it is closed within {silence:?} at the latest"));
    }
    // Without pongs the heartbeat ends it, if nothing else does.
    match tokio::time::timeout(2 * silence, ws.closes()).await {
        Ok(closed) => closed.map(|_| ()),
        Err(_) => failed(format!("still open after {:?}", 2 * silence)),
    }
}

async fn disconnect_main(cx: &Cx) -> Outcome {
    let mut ws = cx.inside().await?;
    if cx.silence_max() >= cx.patience() {
        return unimplemented("the next ping, which must come, comes too late to be waited for");
    }
    ws.send(&format!("41{}", cx.prefix())).await?;
    if !cx.subject.offers().profile {
        // What a server says by itself may have been under way.
        ws.send("40/nowhere,").await?;
        while !ws.packet().await?.starts_with("44/nowhere,") {}
    }
    match ws.next().await? {
        Frame::Text(ping) if ping == "2" => Ok(()),
        // It stayed open until then; a server need not keep a connection that is of no use.
        Frame::Closed(_) if !cx.subject.offers().profile => {
            super::non_strict("the connection was closed after a while, before any ping")
        }
        frame => failed(format!("{frame:?} came after the namespace was left")),
    }
}

async fn disconnect_custom(cx: &Cx) -> Outcome {
    let mut ws = cx.inside_profile().await?;
    ws.send("40/custom").await?;
    check_granted(&ws.packet().await?, "/custom,")?;
    ws.expect(r#"42/custom,["auth",{}]"#).await?;
    ws.send("41/custom").await?;
    ws.send(r#"42["message","message to main namespace"]"#).await?;
    ws.expect(r#"42["message-back","message to main namespace"]"#).await
}

async fn plain_event(cx: &Cx) -> Outcome {
    let back = r#"42["message-back",1,"2",{"3":[true]}]"#;
    cx.sends_and_gets(r#"42["message",1,"2",{"3":[true]}]"#, back).await.map(|_| ())
}

/// Sends two attachments behind that text, and expects them behind the other.
async fn attachments(cx: &Cx, send: &str, expect: &str) -> Outcome {
    let mut ws = cx.inside_profile().await?;
    ws.send(send).await?;
    ws.send_frame(Opcode::Binary, &[1, 2, 3]).await?;
    ws.send_frame(Opcode::Binary, &[4, 5, 6]).await?;
    ws.expect(expect).await?;
    ws.expect_binary(&[1, 2, 3]).await?;
    ws.expect_binary(&[4, 5, 6]).await
}

async fn binary_event(cx: &Cx) -> Outcome {
    let back = format!(r#"452-["message-back",{PLACES}]"#);
    attachments(cx, &format!(r#"452-["message",{PLACES}]"#), &back).await
}

async fn ack(cx: &Cx) -> Outcome {
    let event = r#"42456["message-with-ack",1,"2",{"3":[false]}]"#;
    cx.sends_and_gets(event, r#"43456[1,"2",{"3":[false]}]"#).await.map(|_| ())
}

async fn binary_ack(cx: &Cx) -> Outcome {
    let event = format!(r#"452-789["message-with-ack",{PLACES}]"#);
    attachments(cx, &event, &format!("462-789[{PLACES}]")).await
}

/// What must end the connection of somebody who is connected.
pub(super) async fn closes_after(cx: &Cx, text: &str) -> Outcome {
    let mut ws = cx.inside().await?;
    ws.send(text).await?;
    ws.closes().await.map(|_| ())
}

async fn unknown_type(cx: &Cx) -> Outcome {
    closes_after(cx, "4abc").await
}

async fn invalid_payload(cx: &Cx) -> Outcome {
    closes_after(cx, &format!("42{}{{}}", cx.prefix())).await
}

async fn invalid_ack_id(cx: &Cx) -> Outcome {
    closes_after(cx, &format!("42{}abc[\"message-with-ack\",1]", cx.prefix())).await
}
