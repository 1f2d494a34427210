//! Acknowledgements, attachments, namespaces and text, on a server of the profile.

use crate::conform::frames::Frame;
use crate::conform::socket::{NO_PROFILE, PLACES};
use crate::conform::{Cx, Outcome, failed, non_strict, table, unimplemented};
use crate::ws::Opcode;

table! { EVENTS, Ext,
    "ext.ack.big-id", "an acknowledgement id of 2^53 - 1 comes back" => big_ack_id,
    "ext.ack.question", "the server asks and gets the answer" => question,
    "ext.ack.question-binary", "question and answer may have attachments" => binary_question,
    "ext.ack.timeout", "the server waits for an answer no longer than it means to" => unanswered,
    "ext.namespaces.both", "two namespaces share a connection" => both_namespaces,
    "ext.binary.polling", "attachments travel over polling" => binary_polling,
    "ext.text.websocket", "text of every script comes back over websocket" => text_websocket,
    "ext.text.polling", "text of every script comes back over polling" => text_polling,
    "ext.text.surrogates", "half a surrogate pair comes back, or is refused" => surrogates,
    "ext.payload.limit", "an event just under the announced limit comes back" => just_fits,
}

impl Cx {
    /// A polling session inside `/`, past its greeting.
    pub(super) async fn polling_inside(&self) -> Outcome<String> {
        if !self.subject.offers().profile {
            return unimplemented(NO_PROFILE);
        }
        let sid = self.session().await?;
        self.post(&sid, "40").await?.is("ok")?;
        let packets = self.poll_packets(&sid, 2).await?;
        if packets[0].starts_with("40{") && packets[1] == "42[\"auth\",{}]" {
            return Ok(sid);
        }
        failed(format!("CONNECT over polling was answered by {packets:?}"))
    }

    async fn polling_echo(&self, send: &str, expect: &[&str]) -> Outcome {
        let sid = self.polling_inside().await?;
        self.post(&sid, send).await?.is("ok")?;
        let came = self.poll_packets(&sid, expect.len()).await?;
        if came == expect { Ok(()) } else { failed(format!("{expect:?} expected, {came:?} came")) }
    }
}

async fn big_ack_id(cx: &Cx) -> Outcome {
    let id = (1_u64 << 53) - 1;
    let event = format!("42{id}[\"message-with-ack\",1]");
    cx.sends_and_gets(&event, &format!("43{id}[1]")).await.map(|_| ())
}

/// The acknowledgement id of a question of that type with those arguments.
fn question_id<'a>(asked: &'a str, kind: &str, args: &str) -> Outcome<&'a str> {
    let end = format!("[\"question\",{args}]");
    let id = asked.strip_prefix(kind).and_then(|rest| rest.strip_suffix(&end));
    match id.filter(|id| id.parse::<u64>().is_ok()) {
        Some(id) => Ok(id),
        None => failed(format!("{asked:?} is no question with an id")),
    }
}

async fn question(cx: &Cx) -> Outcome {
    let mut ws = cx.inside_profile().await?;
    ws.send("42[\"ask\",1,\"2\"]").await?;
    let Ok(asked) = ws.packet().await else {
        return unimplemented("the server does not know the event ask");
    };
    let id = question_id(&asked, "42", "1,\"2\"")?;
    ws.send(&format!("43{id}[\"because\"]")).await?;
    ws.expect("42[\"answered\",\"because\"]").await
}

async fn binary_question(cx: &Cx) -> Outcome {
    const PLACE: &str = r#"{"_placeholder":true,"num":0}"#;
    let mut ws = cx.inside_profile().await?;
    ws.send(&format!("451-[\"ask\",{PLACE}]")).await?;
    ws.send_frame(Opcode::Binary, &[1, 2, 3]).await?;
    let Ok(asked) = ws.packet().await else {
        return unimplemented("the server does not know the event ask");
    };
    let id = question_id(&asked, "451-", PLACE)?;
    ws.expect_binary(&[1, 2, 3]).await?;
    ws.send(&format!("461-{id}[{PLACE}]")).await?;
    ws.send_frame(Opcode::Binary, &[4, 5, 6]).await?;
    ws.expect(&format!("451-[\"answered\",{PLACE}]")).await?;
    ws.expect_binary(&[4, 5, 6]).await
}

async fn unanswered(cx: &Cx) -> Outcome {
    let mut ws = cx.inside_profile().await?;
    ws.send("42[\"ask\",\"in vain\"]").await?;
    let Ok(asked) = ws.packet().await else {
        return unimplemented("the server does not know the event ask");
    };
    let id = question_id(&asked, "42", "\"in vain\"")?;
    ws.expect("42[\"unanswered\"]").await?;
    // Too late: nobody waits for it any more, and nobody minds.
    ws.send(&format!("43{id}[\"because\"]")).await?;
    ws.send("42[\"message\",1]").await?;
    ws.expect("42[\"message-back\",1]").await
}

async fn both_namespaces(cx: &Cx) -> Outcome {
    let mut ws = cx.inside_profile().await?;
    ws.send("40/custom,{\"a\":1}").await?;
    let granted = ws.packet().await?;
    if !granted.starts_with("40/custom,{\"sid\":\"") {
        return failed(format!("/custom was answered by {granted:?}"));
    }
    ws.expect("42/custom,[\"auth\",{\"a\":1}]").await?;
    ws.send("42/custom,[\"message\",1]").await?;
    ws.send("42[\"message\",2]").await?;
    ws.expect("42[\"message-back\",2]").await
}

async fn binary_polling(cx: &Cx) -> Outcome {
    let send = format!("452-[\"message\",{PLACES}]\x1ebAQID\x1ebBAUG");
    let back = format!("452-[\"message-back\",{PLACES}]");
    cx.polling_echo(&send, &[&back, "bAQID", "bBAUG"]).await
}

/// Several scripts, four bytes per character, what JSON escapes, both line ends of JavaScript.
const SCRIPTS: &str = concat!(
    "[\"e\u{301}\u{e9}\",\"\u{65e5}\u{672c}\",\"\u{1f468}\u{200d}\u{1f469}\",",
    "\"\u{2028}\u{2029}\",\"\\\"\\\\\\n\",\"\u{202e}\"]"
);

async fn text_websocket(cx: &Cx) -> Outcome {
    let send = format!("42[\"message\",{SCRIPTS}]");
    cx.sends_and_gets(&send, &format!("42[\"message-back\",{SCRIPTS}]")).await.map(|_| ())
}

async fn text_polling(cx: &Cx) -> Outcome {
    let back = format!("42[\"message-back\",{SCRIPTS}]");
    cx.polling_echo(&format!("42[\"message\",{SCRIPTS}]"), &[&back]).await
}

/// JSON may escape half a pair, which is no character (RFC 8259 §8.2): a server that takes it must
/// not turn it into bytes that are no UTF-8.
async fn surrogates(cx: &Cx) -> Outcome {
    const HALVES: &str = r#"["\ud800","\udc00\ud800"]"#;
    let mut ws = cx.inside_profile().await?;
    ws.send(&format!("42[\"message\",{HALVES}]")).await?;
    let came = loop {
        match ws.next().await? {
            Frame::Text(text) if text == "2" => ws.send("3").await?,
            Frame::Text(text) => break text,
            Frame::Closed(_) => return Ok(()),
            frame @ Frame::Binary(_) => return failed(format!("{frame:?} came")),
        }
    };
    match came.to_lowercase() == format!("42[\"message-back\",{HALVES}]") {
        true => Ok(()),
        false => non_strict(format!("{HALVES} became {came:?}")),
    }
}

async fn just_fits(cx: &Cx) -> Outcome {
    let mut ws = cx.inside_profile().await?;
    let limit = cx.needs_websocket()?.max_payload;
    let filler = usize::try_from(limit).unwrap_or_default().saturating_sub(100);
    let filler = "x".repeat(filler);
    ws.send(&format!("42[\"message\",\"{filler}\"]")).await?;
    let came = ws.packet().await?;
    if came == format!("42[\"message-back\",\"{filler}\"]") {
        return Ok(());
    }
    failed(format!("{} bytes came back for {}", came.len(), filler.len()))
}
