//! Lines of a journal as people read them: in the report's page and in `trace view`.

use std::time::Duration;

use serde_json::Value;
use trialogue_report::results::WireLine;

/// Whether a line is left out unless packets are asked for: heartbeats, and what an `event` line
/// tells as well.
pub(crate) fn is_folded(line: &Value) -> bool {
    let of = |name: &str| line[name].as_str().unwrap_or_default();
    of("type") == "packet"
        && match of("kind") {
            "ping" | "pong" | "noop" => true,
            "event" => of("way") == "in",
            _ => false,
        }
}

/// One line of a journal; nothing for lines that are about the journal itself.
pub(crate) fn wire_line(line: &Value) -> Option<WireLine> {
    let text = |name: &str| line[name].as_str().unwrap_or_default();
    let millis = |name: &str| line[name].as_f64().unwrap_or_default();
    // A step is told when it is over, after all that it has caused.
    let took = if text("type") == "step" { millis("tookMs") } else { 0.0 };
    let at = Duration::try_from_secs_f64((millis("atMs") + took) / 1e3);
    let pretty = |value: &Value| match value {
        Value::Null => String::new(),
        value => serde_json::to_string_pretty(value).unwrap_or_default(),
    };
    let (title, body) = match text("type") {
        "http" => {
            let status = match line["status"].as_u64() {
                Some(status) => status.to_string(),
                None => "no answer".to_owned(),
            };
            let took = line["tookMs"].as_f64().unwrap_or_default();
            let mut body = pretty(&line["request"]);
            if !body.is_empty() {
                body.push_str("\n\n");
            }
            body.push_str(&pretty(&line["json"]));
            (format!("{} {} => {status} ({took:.1} ms)", text("method"), text("path")), body)
        }
        "link" => (format!("link: {}", text("state")), String::new()),
        "event" => (format!("<- {}", text("name")), pretty(&line["data"])),
        "packet" => (packet_title(line), pretty(&line["data"])),
        "saw" => (text("what").to_owned(), pretty(&line["data"])),
        "step" => {
            let words = format!("step {}: {} [{}]", text("came"), text("words"), text("place"));
            (words, text("why").to_owned())
        }
        _ => return None,
    };
    Some(WireLine { at: at.unwrap_or_default(), who: text("actor").to_owned(), title, body })
}

/// `=> event send_message ack 3 (websocket 1, 212 B)`: which way, what, and on which connection.
fn packet_title(line: &Value) -> String {
    let text = |name: &str| line[name].as_str().unwrap_or_default();
    let way = match text("way") {
        "out" => "=>",
        "in" => "<=",
        _ => "==",
    };
    let mut title = format!("{way} {}", text("kind"));
    for field in ["name", "reason"].map(text).into_iter().filter(|field| !field.is_empty()) {
        title += " ";
        title += field;
    }
    if let Some(ack) = line["ack"].as_u64() {
        title += &if text("kind") == "ack" { format!(" {ack}") } else { format!(" ack {ack}") };
    }
    let (transport, connection) = (text("transport"), line["connection"].as_u64());
    title += &format!(" ({transport} {}", connection.unwrap_or_default());
    match (text("way"), line["bytes"].as_u64()) {
        ("", _) | (_, None) => {}
        (_, Some(bytes)) => title += &format!(", {bytes} B"),
    }
    title + ")"
}
