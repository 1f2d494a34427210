//! Lines of a journal as people read them: in the report's page and in `trace view`.

use std::time::Duration;

use serde_json::Value;
use trialogue_report::results::WireLine;

/// One line of a journal; nothing for lines that are about the journal itself.
pub(crate) fn wire_line(line: &Value) -> Option<WireLine> {
    let text = |name: &str| line[name].as_str().unwrap_or_default();
    let at = Duration::try_from_secs_f64(line["atMs"].as_f64().unwrap_or_default() / 1e3);
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
        "packet" => {
            let way = if text("way") == "out" { "=>" } else { "<=" };
            (format!("{way} {}", text("packet")), String::new())
        }
        "saw" => (text("what").to_owned(), pretty(&line["data"])),
        "step" => {
            let words = format!("step {}: {} [{}]", text("came"), text("words"), text("place"));
            (words, text("why").to_owned())
        }
        _ => return None,
    };
    Some(WireLine { at: at.unwrap_or_default(), who: text("actor").to_owned(), title, body })
}
