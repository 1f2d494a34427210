//! Handshakes and sessions that the suites do not try.

use std::collections::HashSet;

use http::{Method, StatusCode};

use crate::conform::wire::{Answer, POLLING, parse_handshake};
use crate::conform::{Cx, Outcome, failed, non_strict, table, unimplemented};

table! { SESSIONS, Ext,
    "ext.session.eio3", "Engine.IO v3 is refused" => version_three,
    "ext.session.names", "transports called like parts of an object are refused" => hostile_names,
    "ext.session.unknown", "an unknown session is refused on every transport" => unknown_session,
    "ext.session.ids", "session ids are long and do not repeat" => session_ids,
    "ext.session.websocket-poll",
        "a session that began on a websocket cannot be polled" => foreign_poll,
    "ext.session.post-limit", "a body over the announced limit is refused" => post_limit,
    "ext.session.utf8", "a body that is not UTF-8 is refused" => not_utf8,
    "ext.session.preflight", "a preflight is answered when other origins are allowed" => preflight,
    "ext.session.origin", "a page of another origin may read what it may ask for" => other_origin,
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
        let sid = match cx.needs_polling() {
            Ok(_) => {
                let sid = cx.session().await?;
                cx.tidy_up().await;
                sid
            }
            Err(_) => parse_handshake(&cx.open().await?.1)?.sid,
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
    let sid = parse_handshake(&text)?.sid;
    cx.get(&sid).await?.is_refused()?;
    cx.post(&sid, "40").await?.is_refused()?;
    ws.send("40/nowhere,").await?;
    ws.packet().await.map(|_| ())
}

async fn post_limit(cx: &Cx) -> Outcome {
    let handshake = cx.needs_polling()?;
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

async fn not_utf8(cx: &Cx) -> Outcome {
    let sid = cx.session().await?;
    let query = format!("{POLLING}&sid={sid}");
    let body = b"442[\"message\",\"\xC3\x28\xED\xA0\x80\"]";
    // A server may hang up on it.
    let Ok(answer) = cx.request_with(Method::POST, &query, &[], Some(body)).await else {
        return Ok(());
    };
    if answer.status.is_success() {
        return non_strict("a body that is not UTF-8 was taken");
    }
    answer.is_refused()
}

/// Nobody's page, which a server that allows every origin allows too.
const FOREIGN: &str = "http://conform.invalid";

/// Whether a browser would let that page read the answer (Fetch standard, "CORS check").
fn is_readable(answer: &Answer) -> Outcome<bool> {
    let header = |name: &str| answer.headers.get(name).map(|value| value.as_bytes());
    let credentials = header("access-control-allow-credentials") == Some(b"true");
    match header("access-control-allow-origin") {
        None => Ok(false),
        Some(b"*") if credentials => {
            failed("every origin is allowed with credentials, which browsers refuse")
        }
        Some(origin) => Ok(origin == b"*" || origin == FOREIGN.as_bytes()),
    }
}

async fn preflight(cx: &Cx) -> Outcome {
    cx.needs_polling()?;
    let headers = [
        ("origin", FOREIGN),
        ("access-control-request-method", "POST"),
        ("access-control-request-headers", "content-type"),
    ];
    let answer = cx.request_with(Method::OPTIONS, POLLING, &headers, None).await?;
    if answer.status.is_server_error() {
        return failed(format!("OPTIONS was answered by {}", answer.status));
    }
    if !is_readable(&answer)? {
        return unimplemented(NO_OTHER_ORIGIN);
    }
    if !answer.status.is_success() {
        return failed(format!("the origin is allowed, and refused with {}", answer.status));
    }
    let methods = answer.headers.get("access-control-allow-methods");
    let methods = methods.and_then(|value| value.to_str().ok()).unwrap_or_default();
    // POST is a method that needs no permission, and yet is meant to be listed.
    match methods.is_empty() || methods.contains("POST") || methods.contains('*') {
        true => Ok(()),
        false => failed(format!("a POST is not allowed, only {methods:?}")),
    }
}

const NO_OTHER_ORIGIN: &str = "pages of other origins are not allowed";

async fn other_origin(cx: &Cx) -> Outcome {
    cx.needs_polling()?;
    let opened = cx.request_with(Method::GET, POLLING, &[("origin", FOREIGN)], None).await?;
    if opened.status == StatusCode::FORBIDDEN || !is_readable(&opened)? {
        return unimplemented(NO_OTHER_ORIGIN);
    }
    let query = format!("{POLLING}&sid={}", parse_handshake(&opened.body)?.sid);
    let posted = cx.request_with(Method::POST, &query, &[("origin", FOREIGN)], Some(b"1")).await?;
    match is_readable(&posted)? {
        true => Ok(()),
        false => failed("the page may read the handshake, and not the answer to its packets"),
    }
}
