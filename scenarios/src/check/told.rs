//! What the checker found, in sentences for somebody who has ten seconds: what, whose, and what
//! happened to it. The checker's own words are of its histories.

use std::time::Duration;

use trialogue_checker::{Example, Finding, Wrong};

use super::Judged;

/// Cases of one wrong that a violation tells.
const CASES_TOLD: usize = 2;

impl Judged {
    /// `lost: seq 3 "hello" never came to provider (2 cases)`.
    pub(super) fn told(&self, finding: &Finding) -> String {
        let mut cases: Vec<String> = Vec::new();
        for case in &finding.examples {
            let text = self.sentence(finding.wrong, case);
            // On the wire and on the screen it is one loss.
            let is_told = |known: &String| text.strip_suffix(ON_SCREEN) == Some(known.as_str());
            if !cases.contains(&text) && !cases.iter().any(is_told) {
                cases.push(text);
            }
        }
        let alike = finding.examples.len() - cases.len();
        let count = finding.count.saturating_sub(alike as u64);
        cases.truncate(CASES_TOLD);
        let more = if count > 1 { format!(" ({count} cases)") } else { String::new() };
        format!("{}: {}{more}", finding.name, cases.join(" / "))
    }

    fn sentence(&self, wrong: Wrong, case: &Example) -> String {
        let message = case.message.as_ref();
        let words = message.and_then(|print| self.words.get(print)).cloned();
        let seq = || case.seq.map(|seq| format!("seq {seq}"));
        let what = words.or_else(seq).unwrap_or_else(|| format!("chat {}", case.chat));
        let who = case.who.as_deref().unwrap_or("somebody");
        let text = case.text.as_str();
        let (subject, place) = text.rsplit_once(" after ").unwrap_or((text, ""));
        match wrong {
            Wrong::NeverRead | Wrong::Skipped if text.ends_with("final read") => {
                format!("{what} is not in the history that {who} read at the end")
            }
            Wrong::NeverRead | Wrong::Skipped if text.ends_with("on its screen") => {
                format!("{what} never came to {who}{ON_SCREEN}")
            }
            Wrong::NeverRead | Wrong::Skipped => format!("{what} never came to {who}"),
            Wrong::Duplicate if text.starts_with("a frame") => {
                format!("{what} came to {who} twice")
            }
            Wrong::Duplicate if text.starts_with("a line") => {
                format!("{what} was shown to {who} twice")
            }
            Wrong::Duplicate if text.ends_with("one page") => {
                format!("{what} stands twice in a history that {who} read")
            }
            Wrong::Duplicate if text.ends_with(" rows") => {
                let times = text.trim_end_matches(" rows");
                format!("{what} is stored {times} times")
            }
            Wrong::Misordered | Wrong::SenderMisordered if subject.contains("page") => {
                format!("{what} stands after seq {place} in a history that {who} read")
            }
            Wrong::Misordered | Wrong::SenderMisordered
                if subject.starts_with("a frame") || subject.starts_with("a line") =>
            {
                format!("{what} came to {who} after seq {place}")
            }
            Wrong::Lost => format!("{what} was acknowledged, and is in no history"),
            Wrong::Phantom => match message.and_then(|print| self.sent_in.get(print)) {
                Some(chat) if *chat != case.chat => {
                    format!("{what} came in chat {}, and was sent in chat {chat}", case.chat)
                }
                _ => format!("nobody sent {what}"),
            },
            Wrong::AbortedRead => format!("{what} was refused, and still it is there"),
            Wrong::Leak => self.leak(case, &what, who),
            Wrong::BroadcastBeforePersist if case.who.is_some() => {
                format!("{who} saw {what} before it was in the history")
            }
            Wrong::BroadcastBeforePersist => format!("{what} was seen, and is in no history"),
            Wrong::Hole => format!("no message has {what}"),
            Wrong::Mutated => match message.and_then(|print| self.changed.get(print)) {
                Some(changed) => format!("{what} came {changed}"),
                None => format!("{what}: {text}"),
            },
            _ => {
                let who = case.who.as_ref().map(|who| format!("{who}, ")).unwrap_or_default();
                format!("{who}{what}: {text}")
            }
        }
    }

    fn leak(&self, case: &Example, what: &str, who: &str) -> String {
        let at = Duration::from_micros(case.at.unwrap_or_default());
        let event = self.heard.get(&(who.to_owned(), at.as_micros()));
        let chat = &case.chat;
        let got = match event {
            Some(event) => format!("got {event} of chat {chat}"),
            None => format!("could read chat {chat}"),
        };
        match case.text.as_str() {
            "sent after it was removed" => format!("{who} got {what}, sent after {who} was out"),
            "let in without being a member" => {
                format!("{who} was let into chat {chat}, and does not belong to it")
            }
            "long after it was removed" => {
                format!("{who} {got} long after {who} was out")
            }
            "before it was added" => {
                format!("{who} {got} before {who} was in it")
            }
            _ => format!("{who} {got}, and is not in it"),
        }
    }
}

/// How a loss on the screen ends that is one on the wire too.
const ON_SCREEN: &str = " on the screen";
