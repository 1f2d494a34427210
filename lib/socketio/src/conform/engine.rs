//! Engine.IO v4: the cases that both suites have, and those that need an echo.

use http::Method;
use serde_json::Value;

use super::wire::parse_handshake;
use super::{Cx, Outcome, failed, life, message, table};

table! { EIO4, Eio4,
    "eio4.handshake.polling", "a session opens over polling" => opens_over_polling,
    "eio4.handshake.polling-eio", "polling without a valid EIO is refused" => polling_eio,
    "eio4.handshake.polling-transport", "an unknown transport is refused" => polling_transport,
    "eio4.handshake.polling-method", "POST and PUT without a session are refused" => polling_method,
    "eio4.handshake.websocket", "a session opens over websocket" => opens_over_websocket,
    "eio4.handshake.websocket-eio", "a websocket without a valid EIO is refused" => websocket_eio,
    "eio4.handshake.websocket-transport",
        "a websocket for no transport is refused" => websocket_transport,
    "eio4.message.polling-one", "a text packet is posted and polled" => message::one_text,
    "eio4.message.polling-several",
        "several packets are posted and polled in one payload" => message::several_texts,
    "eio4.message.polling-binary", "text and binary share a payload" => message::text_and_binary,
    "eio4.message.polling-invalid",
        "an invalid packet closes the polling session" => message::invalid_post,
    "eio4.message.polling-twice", "two polls at once close the session" => message::two_polls,
    "eio4.message.polling-cancelled",
        "a cancelled poll closes the session" => message::cancelled_poll,
    "eio4.message.websocket-text", "a text packet goes there and back" => message::websocket_text,
    "eio4.message.websocket-binary",
        "a binary packet goes there and back" => message::websocket_binary,
    "eio4.message.websocket-invalid",
        "an invalid packet closes the websocket" => message::websocket_invalid,
    "eio4.heartbeat.polling", "three pings over polling" => life::polling_pings,
    "eio4.heartbeat.polling-timeout",
        "a polling session without pongs ends in time" => life::polling_silence,
    "eio4.heartbeat.websocket", "three pings over websocket" => life::websocket_pings,
    "eio4.heartbeat.websocket-timeout",
        "a websocket without pongs is closed" => life::websocket_silence,
    "eio4.close.polling", "a closed session releases its poll with a noop" => life::polling_close,
    "eio4.close.websocket", "a closed session closes its websocket" => life::websocket_close,
    "eio4.upgrade.full", "a session moves to a websocket and works there" => life::upgrade_and_echo,
    "eio4.upgrade.http-after", "a poll after the upgrade is refused" => life::http_after_upgrade,
    "eio4.upgrade.websocket-after",
        "a second websocket after the upgrade is refused" => life::websocket_after_upgrade,
}

table! { SIO5, Sio5,
    "sio5.handshake.polling", "a session opens over polling" => opens_over_polling,
    "sio5.handshake.polling-eio", "polling without a valid EIO is refused" => polling_eio,
    "sio5.handshake.polling-transport", "an unknown transport is refused" => polling_transport,
    "sio5.handshake.polling-method", "POST and PUT without a session are refused" => polling_method,
    "sio5.handshake.websocket", "a session opens over websocket" => opens_over_websocket,
    "sio5.handshake.websocket-eio", "a websocket without a valid EIO is refused" => websocket_eio,
    "sio5.handshake.websocket-transport",
        "a websocket for no transport is refused" => websocket_transport,
    "sio5.heartbeat.polling", "three pings over polling, without a CONNECT" => life::polling_pings,
    "sio5.heartbeat.polling-timeout",
        "a polling session without pongs ends in time" => life::polling_silence,
    "sio5.heartbeat.websocket", "three pings over websocket" => life::websocket_pings,
    "sio5.heartbeat.websocket-timeout",
        "a websocket without pongs is closed" => life::websocket_silence,
    "sio5.close.polling", "a closed session releases its poll with a noop" => life::polling_close,
    "sio5.close.websocket", "a closed session closes its websocket" => life::websocket_close,
    "sio5.upgrade.full", "a session moves to a websocket" => life::upgrade,
    "sio5.upgrade.http-after",
        "a poll right behind the upgrade is refused" => life::http_after_upgrade,
    "sio5.upgrade.websocket-after",
        "a second websocket after the upgrade is refused" => life::websocket_after_upgrade,
}

/// The handshake has these keys and no other, and the values that the profile asks for.
fn check_handshake(cx: &Cx, text: &str, upgrades: &[&str]) -> Outcome {
    let handshake = parse_handshake(text)?;
    let Ok(Value::Object(object)) = serde_json::from_str::<Value>(&text[1..]) else {
        return failed(format!("the handshake {text:?} is not an object"));
    };
    let mut keys: Vec<&str> = object.keys().map(String::as_str).collect();
    keys.sort_unstable();
    if keys != ["maxPayload", "pingInterval", "pingTimeout", "sid", "upgrades"] {
        return failed(format!("the handshake has the keys {keys:?}"));
    }
    if handshake.upgrades != upgrades {
        return failed(format!("upgrades are {:?}, not {upgrades:?}", handshake.upgrades));
    }
    let times = (handshake.ping_interval, handshake.ping_timeout, handshake.max_payload);
    if cx.subject.offers().profile && times != (300, 200, 1_000_000) {
        let what = "pingInterval, pingTimeout and maxPayload";
        return failed(format!("{what} are {times:?}, not those of the profile"));
    }
    Ok(())
}

async fn opens_over_polling(cx: &Cx) -> Outcome {
    cx.needs_polling()?;
    let answer = cx.request(Method::GET, "EIO=4&transport=polling", None).await?;
    if answer.status != http::StatusCode::OK {
        return failed(format!("{} {:?}", answer.status, answer.body));
    }
    // Upgrades may be switched off, but not in the profile.
    let upgrades = cx.offered().upgrades() || cx.subject.offers().profile;
    let upgrades: &[&str] = if upgrades { &["websocket"] } else { &[] };
    check_handshake(cx, &answer.body, upgrades)
}

async fn opens_over_websocket(cx: &Cx) -> Outcome {
    let (_ws, text) = cx.open().await?;
    check_handshake(cx, &text, &[])
}

/// Both requests must be refused; a refusal with another status is remembered.
async fn both_refused(cx: &Cx, method: [Method; 2], query: [&str; 2]) -> Outcome {
    cx.needs_polling()?;
    let [first, second] = method;
    let body = |method: &Method| (method != Method::GET).then_some("");
    let first = cx.request(first.clone(), query[0], body(&first)).await?.is_refused();
    let second = cx.request(second.clone(), query[1], body(&second)).await?.is_refused();
    match (&first, &second) {
        (Err(super::Stop::Failed(_)), _) => first,
        (_, Err(super::Stop::Failed(_))) => second,
        _ => first.and(second),
    }
}

async fn polling_eio(cx: &Cx) -> Outcome {
    let query = ["transport=polling", "EIO=abc&transport=polling"];
    both_refused(cx, [Method::GET, Method::GET], query).await
}

async fn polling_transport(cx: &Cx) -> Outcome {
    both_refused(cx, [Method::GET, Method::GET], ["EIO=4", "EIO=4&transport=abc"]).await
}

async fn polling_method(cx: &Cx) -> Outcome {
    let query = "EIO=4&transport=polling";
    both_refused(cx, [Method::POST, Method::PUT], [query, query]).await
}

async fn websocket_eio(cx: &Cx) -> Outcome {
    cx.needs_websocket()?;
    cx.no_websocket("transport=websocket").await?;
    cx.no_websocket("EIO=abc&transport=websocket").await
}

async fn websocket_transport(cx: &Cx) -> Outcome {
    cx.needs_websocket()?;
    cx.no_websocket("EIO=4").await?;
    cx.no_websocket("EIO=4&transport=abc").await
}
