//! What happened, as rows of the diagram: only what was verified, in the flow's own words.

use std::time::Duration;

use serde_json::{Value, json};
use trialogue_report::diagram::{Arrow, Direction, LaneId, Row, Tone, Wire};

use super::expect::is_stored;
use super::lines::words;
use super::stage::Stage;
use super::verbs::Replies;
use super::words::{answer_detail, answer_words, millis, quoted, short_path, stored_words};
use crate::actor::Reply;
use crate::file::{ActorId, LaneName, Network, Step, TokenVerb, Verb};
use crate::secrets::Secrets;

/// Most actors with a lane where the file does not name them: a drawing has no room for a crowd.
const LANES_MAX: usize = 6;

impl Stage<'_> {
    pub(super) fn lane(&self, name: LaneName) -> LaneId {
        match name {
            LaneName::Actor(id) => LaneId(id.0),
            LaneName::Server => LaneId(self.actors.len()),
            LaneName::Database => LaneId(self.actors.len() + 1),
        }
    }

    /// Whether somebody appears in the act that is going on.
    pub(super) fn has_lane(&self, id: ActorId) -> bool {
        self.notes().lanes.contains(&LaneName::Actor(id))
    }

    pub(super) fn row(&self, row: &Row) {
        let row = hidden(row, &self.around.secrets);
        self.notes().observer.row(&row);
    }

    pub(super) fn arrow(
        &self,
        direction: Direction,
        wire: Wire,
        of: &[ActorId],
        at: Duration,
    ) -> Arrow {
        Arrow {
            at,
            hub: self.lane(LaneName::Server),
            spokes: of.iter().map(|id| self.lane(LaneName::Actor(*id))).collect(),
            direction,
            wire,
            label: String::new(),
            detail: String::new(),
            failed: false,
        }
    }

    pub(super) fn note(&self, of: ActorId, at: Duration, text: impl Into<String>, tone: Tone) {
        let lane = self.lane(LaneName::Actor(of));
        let mut text = text.into();
        if !self.has_lane(of) {
            text = format!("{}: {text}", self.actor(of).name());
        }
        self.row(&Row::Note { at, lane, text, tone });
    }

    /// Request and answer over one wire; what the database did between them where it has a lane.
    pub(super) fn exchange(
        &self,
        wire: Wire,
        replies: &Replies,
        labels: [&str; 2],
        details: [&str; 2],
    ) {
        let of: Vec<ActorId> = replies.iter().map(|(id, _)| *id).collect();
        let begin = latest(replies, |reply| reply.sent);
        let end = latest(replies, |reply| reply.at);
        let request = self.arrow(Direction::In, wire, &of, begin);
        let answer = self.arrow(Direction::Out, wire, &of, end);
        let [asked, answered] = labels.map(ToOwned::to_owned);
        let [asked_detail, answered_detail] = details.map(ToOwned::to_owned);
        self.row(&Row::Arrow(Arrow { label: asked, detail: asked_detail, ..request }));
        self.row(&Row::Arrow(Arrow { label: answered, detail: answered_detail, ..answer }));
    }

    fn database(&self, at: Duration, asked: &str, answered: &str) {
        if !self.notes().lanes.contains(&LaneName::Database) {
            return;
        }
        let hub = self.lane(LaneName::Database);
        let spokes = vec![self.lane(LaneName::Server)];
        for (direction, label) in [(Direction::In, asked), (Direction::Out, answered)] {
            let (label, detail) = (label.to_owned(), String::new());
            let (wire, spokes) = (Wire::Store, spokes.clone());
            self.row(&Row::Arrow(Arrow {
                at,
                hub,
                spokes,
                direction,
                wire,
                label,
                detail,
                failed: false,
            }));
        }
    }

    /// One step that held, and when it began.
    pub(super) fn show(&self, step: &Step, began: Duration, replies: &Replies) {
        match &step.verb {
            Verb::Act { title, lanes } => return self.show_act(title, lanes.as_deref()),
            Verb::Login => self.show_login(replies),
            Verb::Connect => self.show_connect(replies),
            Verb::Http { .. } | Verb::History(_) | Verb::Do { .. } => self.show_http(replies),
            Verb::Emit { acked: false, event, .. } => {
                let of: Vec<ActorId> = replies.iter().map(|(id, _)| *id).collect();
                let label = self.words(event, replies);
                let arrow = self.arrow(Direction::In, Wire::Socket, &of, latest(replies, |r| r.at));
                self.row(&Row::Arrow(Arrow { label, ..arrow }));
            }
            Verb::Emit { event, data, .. } => self.show_emit(event, data.as_ref(), replies),
            Verb::Join(_) | Verb::Leave(_) => self.show_join(step, replies),
            Verb::Send { text, .. } => self.show_send(text, replies),
            Verb::Receive { event, .. } => self.show_received(event, replies),
            Verb::Delivered { message, .. } => self.show_delivered(&message.name, replies),
            Verb::Never { event, during, .. } => {
                let label = self.words(event, replies);
                for (id, reply) in replies {
                    let text = format!("no {label} for {}", millis(*during));
                    self.note(*id, reply.at, text, Tone::Good);
                }
            }
            // Links tell their states themselves.
            Verb::State { .. } | Verb::Wait(_) if step.note.is_none() => return,
            Verb::State { .. } | Verb::Wait(_) => {}
            Verb::Parallel { .. } | Verb::Repeat { .. } | Verb::Use { .. } => return,
            Verb::Barrier { .. } => return,
            Verb::Exec { .. } => {
                for (id, reply) in replies {
                    let text = format!("runs a program: exit code {}", reply.json["code"]);
                    self.note(*id, reply.at, text, Tone::Plain);
                }
            }
            Verb::Database(verb) => self.show_database(*verb, began),
            Verb::Token(verb) => {
                let text = match verb {
                    TokenVerb::Expire => "the token has expired",
                    TokenVerb::Revoke => "the session was ended elsewhere",
                };
                for (id, reply) in replies {
                    self.note(*id, reply.at, text, Tone::Bad);
                }
            }
            Verb::Disconnect => {
                for (id, reply) in replies {
                    self.note(*id, reply.at, "disconnects", Tone::Plain);
                }
            }
            Verb::Reconnected { .. } => self.show_reconnected(replies),
            Verb::Server(verb) => self.show_server(*verb, began),
            Verb::Network(network) => {
                let tone = if *network == Network::default() { Tone::Good } else { Tone::Bad };
                for (id, reply) in replies {
                    let text = format!("{}'s line: {}", self.actor(*id).name(), words(network));
                    self.row(&Row::Band { at: reply.at, text, tone });
                }
            }
        }
        self.show_note(step, replies);
        self.row(&Row::Gap);
    }

    /// The file's own words about a step.
    fn show_note(&self, step: &Step, replies: &Replies) {
        let Some(note) = &step.note else { return };
        let text = self.words(note, replies);
        for (id, reply) in replies {
            self.note(*id, reply.at, text.clone(), Tone::Plain);
        }
        if replies.is_empty() {
            self.row(&Row::Band { at: self.now(), text, tone: Tone::Plain });
        }
    }

    fn words(&self, node: &crate::yaml::Node, replies: &Replies) -> String {
        let me = replies.first().map(|(id, _)| self.actor(*id).name());
        let resolved = self.notes().scope.resolve(node, me);
        match resolved {
            Ok(Value::String(text)) => text,
            Ok(other) => other.to_string(),
            Err(_) => String::new(),
        }
    }

    pub(super) fn show_act(&self, title: &str, lanes: Option<&[LaneName]>) {
        let everybody = || {
            let shown = self.actors.len().min(LANES_MAX);
            let mut lanes: Vec<LaneName> =
                (0..shown).map(|n| LaneName::Actor(ActorId(n))).collect();
            lanes.insert(1.min(lanes.len()), LaneName::Server);
            lanes
        };
        let lanes = lanes.map_or_else(everybody, <[LaneName]>::to_vec);
        let ids = lanes.iter().map(|lane| self.lane(*lane)).collect();
        self.notes().lanes = lanes;
        self.row(&Row::Act { title: title.to_owned(), lanes: ids });
    }

    fn show_login(&self, replies: &Replies) {
        let Some((_, first)) = replies.first() else { return };
        for (n, exchange) in first.exchanges.iter().enumerate() {
            let times = replies.iter().map(|(id, reply)| {
                let took = |n: usize| reply.exchanges.get(n).map_or(Duration::ZERO, |e| e.took);
                let sent = reply.sent + (0..n).map(took).sum::<Duration>();
                (*id, Reply { sent, at: sent + took(n), ..Reply::default() })
            });
            let times: Replies = times.collect();
            let request = format!("{} {}", exchange.method, exchange.path);
            let answer = answer_words(exchange);
            let detail = if exchange.path.ends_with("/login") { "JWT returned" } else { "" };
            self.exchange(Wire::Http, &times, [&request, &answer], ["", detail]);
        }
    }

    fn show_connect(&self, replies: &Replies) {
        let of: Vec<ActorId> = replies.iter().map(|(id, _)| *id).collect();
        let begin = latest(replies, |reply| reply.sent);
        let label = "Socket connects with the JWT".to_owned();
        let arrow = self.arrow(Direction::In, Wire::Socket, &of, begin);
        self.row(&Row::Arrow(Arrow { label, ..arrow }));
        let mut in_time = replies.clone();
        in_time.sort_by_key(|(_, reply)| reply.at);
        for (id, reply) in in_time {
            let label = reply.json["message"].as_str().unwrap_or("connected").to_owned();
            let arrow = self.arrow(Direction::Out, Wire::Socket, &[id], reply.at);
            self.row(&Row::Arrow(Arrow { label, ..arrow }));
        }
    }

    fn show_http(&self, replies: &Replies) {
        let mut groups: Vec<(String, Replies)> = Vec::new();
        for (id, reply) in replies {
            let Some(last) = reply.exchanges.last() else { continue };
            let key = format!("{} {}", last.method, short_path(&last.path));
            let like = |(known, replies): &&mut (String, Replies)| {
                *known == key && replies.first().is_some_and(|(_, r)| r.status == reply.status)
            };
            match groups.iter_mut().find(like) {
                Some((_, replies)) => replies.push((*id, reply.clone())),
                None => groups.push((key, vec![(*id, reply.clone())])),
            }
        }
        for (request, replies) in groups {
            let Some((_, reply)) = replies.first() else { continue };
            let Some(exchange) = reply.exchanges.last() else { continue };
            let end = latest(&replies, |reply| reply.at);
            let (asked, found) = stored_words(exchange, reply);
            let answer = answer_words(exchange);
            let of: Vec<ActorId> = replies.iter().map(|(id, _)| *id).collect();
            let begin = latest(&replies, |reply| reply.sent);
            let arrow = self.arrow(Direction::In, Wire::Http, &of, begin);
            self.row(&Row::Arrow(Arrow { label: request, ..arrow }));
            if reply.error.is_none() {
                self.database(end, asked, &found);
            }
            let arrow = self.arrow(Direction::Out, Wire::Http, &of, end);
            let detail = answer_detail(reply);
            self.row(&Row::Arrow(Arrow { label: answer, detail, ..arrow }));
        }
    }

    fn show_emit(
        &self,
        event: &crate::yaml::Node,
        data: Option<&crate::yaml::Node>,
        replies: &Replies,
    ) {
        let label = self.words(event, replies);
        let typing = data.is_some() && label == "typing";
        let detail = if typing { "isTyping" } else { "" };
        let refused = replies.iter().find_map(|(_, reply)| reply.error.as_ref());
        let answer = match refused {
            Some(error) => format!("refused: {}", error["code"].as_str().unwrap_or("error")),
            None => "ok".to_owned(),
        };
        let why = refused.and_then(|error| error["message"].as_str()).unwrap_or_default();
        self.exchange(Wire::Socket, replies, [&label, &answer], [detail, why]);
    }

    fn show_join(&self, step: &Step, replies: &Replies) {
        let (request, answer) = match &step.verb {
            Verb::Leave(_) => ("leave_chat", "left_chat"),
            _ => ("join_chat", "joined_chat"),
        };
        let Some((_, reply)) = replies.first() else { return };
        let of: Vec<ActorId> = replies.iter().map(|(id, _)| *id).collect();
        let end = latest(replies, |reply| reply.at);
        let begin = latest(replies, |reply| reply.sent);
        let arrow = self.arrow(Direction::In, Wire::Socket, &of, begin);
        self.row(&Row::Arrow(Arrow { label: request.to_owned(), ..arrow }));
        if let Some(error) = &reply.error {
            let label = format!("refused: {}", error["code"].as_str().unwrap_or("error"));
            let arrow = self.arrow(Direction::Out, Wire::Socket, &of, end);
            return self.row(&Row::Arrow(Arrow { label, ..arrow }));
        }
        self.database(end, "verify access", "user authorized");
        let detail = match (reply.json["members"].as_u64(), reply.json["lastSeq"].as_u64()) {
            (Some(members), Some(0)) => format!("{members} members, no messages"),
            (Some(members), Some(last)) => format!("{members} members, lastSeq {last}"),
            _ => String::new(),
        };
        let arrow = self.arrow(Direction::Out, Wire::Socket, &of, end);
        self.row(&Row::Arrow(Arrow { label: answer.to_owned(), detail, ..arrow }));
    }

    fn show_send(&self, text: &crate::yaml::Node, replies: &Replies) {
        let text = quoted(&self.words(text, replies));
        for (id, reply) in replies {
            if !is_stored(reply) {
                self.note(*id, reply.sent, format!("types {text}"), Tone::Plain);
                self.note(*id, reply.at, "offline: waits in the outbox", Tone::Bad);
                continue;
            }
            if let Some(at) = self.queued(*id, reply) {
                self.note(*id, at, "shown at once (optimistic)", Tone::Plain);
            }
            let took = reply.at.saturating_sub(reply.sent);
            let status = reply.json["status"].as_str().unwrap_or("refused");
            let answer = format!("ack: {status} ({})", millis(took));
            let detail = reply.json["seq"].as_i64().map(|seq| format!("seq {seq}"));
            let one = vec![(*id, reply.clone())];
            let labels = ["send_message", answer.as_str()];
            let details = [text.as_str(), &detail.unwrap_or_default()];
            self.exchange(Wire::Socket, &one, labels, details);
        }
    }

    /// An event that these have had.
    pub(super) fn show_received(&self, event: &crate::yaml::Node, replies: &Replies) {
        if !replies.is_empty() {
            let label = self.words(event, replies);
            self.show_push(&label, "", replies);
        }
    }

    fn show_push(&self, label: &str, detail: &str, replies: &Replies) {
        let of: Vec<ActorId> = replies.iter().map(|(id, _)| *id).collect();
        let at = latest(replies, |reply| reply.at);
        let arrow = self.arrow(Direction::Out, Wire::Socket, &of, at);
        let (label, detail) = (label.to_owned(), detail.to_owned());
        self.row(&Row::Arrow(Arrow { label, detail, ..arrow }));
    }

    pub(super) fn show_delivered(&self, step: &str, replies: &Replies) {
        let Ok(sent) = self.sent(step) else { return };
        for (via, label) in [
            ("live", "new_message"),
            ("ack", "ack: stored"),
            ("catch-up", "catch-up: a missed message"),
        ] {
            let these = replies.iter().filter(|(_, reply)| reply.json["via"] == json!(via));
            let these: Replies = these.cloned().collect();
            let Some((_, first)) = these.first() else { continue };
            let at = latest(&these, |reply| reply.at);
            let late = millis(at.saturating_sub(sent.at));
            let detail = format!("seq {}, {late} after sending", first.json["seq"]);
            self.show_push(label, &detail, &these);
            if these.iter().any(|(id, _)| *id == sent.actor) {
                self.note(sent.actor, at, "confirmed: temp id replaced", Tone::Good);
            }
        }
    }
}

/// The latest of several times.
pub(super) fn latest(replies: &Replies, time: fn(&Reply) -> Duration) -> Duration {
    replies.iter().map(|(_, reply)| time(reply)).max().unwrap_or_default()
}

/// The row without secrets.
fn hidden(row: &Row, secrets: &Secrets) -> Row {
    let mut row = row.clone();
    let texts: Vec<&mut String> = match &mut row {
        Row::Arrow(arrow) => vec![&mut arrow.label, &mut arrow.detail],
        Row::Note { text, .. } | Row::Band { text, .. } => vec![text],
        Row::Act { title, .. } => vec![title],
        Row::Alive { .. } | Row::Gap => Vec::new(),
    };
    for text in texts {
        *text = secrets.hide(text);
    }
    row
}
