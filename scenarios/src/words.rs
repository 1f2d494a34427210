//! What actors saw, in words for people: the lines at the end of a failure.

use std::fmt;

use trialogue_client::{LinkState, Outcome, Via};

use crate::record::{Entry, Told, What};

/// The entry in a few words, for the end of a failure.
impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>8.3}s  ", self.at.as_secs_f64())?;
        match &self.what {
            What::Http(http) => {
                write!(f, "{} {} ", http.method, http.path)?;
                match http.status {
                    Some(status) => write!(f, "-> {status}"),
                    None => f.write_str("-> no answer"),
                }
            }
            What::Link(state) => write!(f, "link: {}", words_of(state)),
            What::Ready(_) => write!(f, "connected (connection {})", self.connection),
            What::Joined { chat, again, last_seq, .. } => {
                let word = if *again { "re-joined" } else { "joined" };
                write!(f, "{word} {chat}, lastSeq {last_seq}")
            }
            What::JoinFailed { chat, error } => write!(f, "not let into {chat}: {error}"),
            What::CaughtUp(chat) => write!(f, "caught up with {chat}"),
            What::Event { name, data } => {
                write!(f, "event {name} {}", crate::matching::brief(data))
            }
            What::Message { message, via } => {
                let seq = message.seq.unwrap_or_default();
                write!(f, "shown: seq {seq} {:?} ({})", message.message, via_words(*via))
            }
            What::Outcome { id, outcome } => write!(f, "own {id}: {}", outcome_words(outcome)),
            What::Sent { chat, text, .. } => write!(f, "sends {text:?} to {chat}"),
            What::Told { told: Told::Stored(message), .. } => {
                write!(f, "told: stored as seq {}", message.seq.unwrap_or_default())
            }
            What::Told { told: Told::Refused, .. } => f.write_str("told: refused"),
            What::Told { told: Told::Nothing, .. } => f.write_str("told nothing of it"),
            What::Looked { id, stored: true } => write!(f, "looked: {id} is stored"),
            What::Looked { id, stored: false } => write!(f, "looked: {id} is NOT stored"),
            What::Odd(text) => f.write_str(text),
        }
    }
}

/// How a message came to be shown.
pub const fn via_words(via: Via) -> &'static str {
    match via {
        Via::Live => "live",
        Via::CatchUp => "catch-up",
        Via::Ack => "ack",
        Via::Backup => "backup",
    }
}

/// A link's state in the words of the flow.
pub fn words_of(state: &LinkState) -> String {
    match state {
        LinkState::Offline => "Offline".to_owned(),
        LinkState::Connecting { .. } => "Connecting".to_owned(),
        LinkState::Reconnecting { attempt, next_in, why } if next_in.is_zero() => {
            format!("Reconnecting (attempt {attempt} under way; {})", why.sentence)
        }
        LinkState::Reconnecting { attempt, next_in, why } => {
            format!("Reconnecting (attempt {attempt} in {next_in:?}; {})", why.sentence)
        }
        LinkState::Syncing { done, of } => format!("Syncing ({done} of {of})"),
        LinkState::Connected => "Connected".to_owned(),
        LinkState::LoginNeeded { why } => format!("Login needed ({})", why.sentence),
        LinkState::Closed => "Closed".to_owned(),
    }
}

fn outcome_words(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Queued => "queued".to_owned(),
        Outcome::Sending { attempt } => format!("sending, attempt {attempt}"),
        Outcome::Retrying { attempt, why, .. } => {
            format!("will be sent again, attempt {attempt}: {}", why.sentence)
        }
        Outcome::Stored { message, duplicate } => {
            let seq = message.seq.unwrap_or_default();
            let again = if *duplicate { " (it was stored before)" } else { "" };
            format!("stored as seq {seq}{again}")
        }
        Outcome::Refused(refusal) => format!("refused: {refusal}"),
        Outcome::Conflict(refusal) => format!("conflict: {refusal}"),
        Outcome::Unknown(refusal) => format!("nobody knows whether it is stored: {refusal}"),
        Outcome::Discarded => "discarded".to_owned(),
    }
}
