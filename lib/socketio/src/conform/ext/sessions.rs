//! Handshakes and sessions that the suites do not try.

use std::collections::HashSet;

use http::{Method, StatusCode};

use crate::conform::{Cx, Outcome, failed, non_strict, table, unimplemented};

table! { SESSIONS, Ext,
    "ext.session.eio3", "Engine.IO v3 is refused" => version_three,
    "ext.session.names", "transports called like parts of an object are refused" => hostile_names,
    "ext.session.unknown", "an unknown session is refused on every transport" => unknown_session,
    "ext.session.ids", "session ids are long and do not repeat" => session_ids,
    "ext.session.websocket-poll",
        "a session that began on a websocket cannot be polled" => foreign_poll,
    "ext.session.post-limit", "a body over the announced limit is refused" => post_limit,
    "ext.session.preflight", "a preflight is answered when other origins are allowed" => preflight,
}

async fn version_three(cx: &Cx) -> Outcome {
    let answer = cx.request(Method::GET, "EIO=3&transport=polling", None).await?;
    if answer.status.is_success() {
        return non_strict("Engine.IO v3 is offered, which v5 of Socket.IO does not know");
    }
    answer.is_refused()
}

async fn hostile_names(cx: &Cx) -> Outcome {
    for name in ["constructor", "__proto__", "toString", "%00", "polling%20"] {
        let query = format!("EIO=4&transport={name}");
        cx.request(Method::GET, &query, None).await?.is_refused()?;
    }
    Ok(())
}

async fn unknown_session(cx: &Cx) -> Outcome {
    for sid in ["unknown", "__proto__", "%00", ""] {
        let polled = cx.get(sid).await?;
        if sid.is_empty() && polled.status.is_success() {
            continue; // No sid at all: a new session.
        }
        polled.is_refused()?;
        cx.post(sid, "40").await?.is_refused()?;
        cx.no_websocket(&format!("EIO=4&transport=websocket&sid={sid}")).await?;
    }
    Ok(())
}

async fn session_ids(cx: &Cx) -> Outcome {
    const SESSIONS: usize = 50;
    let mut ids = HashSet::new();
    for _ in 0..SESSIONS {
        let sid = match cx.subject.offers().polling {
            Some(_) => {
                let sid = cx.session().await?;
                cx.tidy_up().await;
                sid
            }
            None => cx.websocket_handshake().await?.sid,
        };
        // 128 bits are 22 characters of base64; the reference has 15 bytes in 20.
        if sid.len() < 16 {
            return failed(format!("the session id {sid:?} can be guessed"));
        }
        if !ids.insert(sid) {
            return failed("a session id was given twice");
        }
    }
    Ok(())
}

async fn foreign_poll(cx: &Cx) -> Outcome {
    let (mut ws, text) = cx.open().await?;
    let sid = crate::conform::wire::parse_handshake(&text)?.sid;
    cx.get(&sid).await?.is_refused()?;
    cx.post(&sid, "40").await?.is_refused()?;
    ws.send("40/nowhere,").await?;
    ws.packet().await.map(|_| ())
}

async fn post_limit(cx: &Cx) -> Outcome {
    let Some(handshake) = &cx.subject.offers().polling else {
        return unimplemented("no polling");
    };
    if handshake.max_payload == 0 {
        return unimplemented("no limit is announced");
    }
    let bytes = usize::try_from(handshake.max_payload).unwrap_or(usize::MAX);
    let sid = cx.session().await?;
    let body = format!("4{}", "x".repeat(bytes));
    // A server may hang up on the rest of a body that it does not want.
    let Ok(answer) = cx.post(&sid, &body).await else { return Ok(()) };
    match answer.status {
        StatusCode::PAYLOAD_TOO_LARGE => Ok(()),
        status if status.is_client_error() => {
            non_strict(format!("refused with {status} instead of 413"))
        }
        status => failed(format!("a body over the limit was answered by {status}")),
    }
}

async fn preflight(cx: &Cx) -> Outcome {
    let answer = cx.request(Method::OPTIONS, "EIO=4&transport=polling", None).await?;
    if answer.status.is_server_error() {
        return failed(format!("OPTIONS was answered by {}", answer.status));
    }
    if answer.headers.contains_key("access-control-allow-methods") {
        return Ok(());
    }
    unimplemented(format!("OPTIONS without an origin was answered by {}", answer.status))
}
