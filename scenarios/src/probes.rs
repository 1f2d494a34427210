//! What a server can do, found out by trying: two scenarios, whose step `probe_NAME` holds only
//! where the server can do what the capability `NAME` says.
//!
//! Two, because a server that lets few people in a minute is one that may be tried too.

use std::sync::Arc;

use crate::source::Source;

/// Where the password stands a refusal with its status is what must come: a server without that route
/// is not taken to have left something undone, after which nothing makes sense.
/// Each in a branch of its own: whatever one of them comes to, the others are tried. Three people and
/// no more, so that a target with one account for each role is enough; the LSM is who has no business
/// in a chat without a dispute (`quiet`). Who comes last is told of, where presence is told. The end
/// sees to it that silence was no server that had gone.
const TOGETHER: &str = "scenario: 1
name: preflight
timeout: 90s
defaults: { within: 10s }
actors:
  customer: { role: customer }
  provider: { role: provider }
  lsm: { role: lsm }
steps:
  - { as: lsm, login: true }
  - { as: [customer, provider], login: true }
  - { as: [customer, lsm], connect: true }
  - { as: customer, do: book, with: { provider: provider, title: Preflight }, save: { chat: $.chat } }
  - { as: customer, do: book, with: { provider: provider, title: Preflight }, save: { other: $.chat } }
  - { as: customer, do: book, with: { provider: provider, title: Preflight }, save: { quiet: $.chat } }
  - { as: customer, join: \"${chat}\" }
  - { as: provider, connect: true }
  - { as: provider, join: \"${chat}\" }
  - { as: provider, join: \"${other}\" }
  - { as: customer, send: { chat: \"${chat}\", text: preflight } }
  - parallel:
      - - { id: probe_acks, as: customer, emit: typing, data: { chatId: \"${chat}\", isTyping: true }, expect: { json: { ok: true } }, within: 4s }
      - - { id: probe_own_echo, as: customer, receive: new_message, where: { message: preflight, chatId: \"${chat}\" }, within: 4s }
      - - { id: probe_seq, as: provider, receive: new_message, where: { message: preflight, seq: { is: int } }, within: 4s }
      - - { id: probe_error_codes, as: lsm, emit: join_chat, data: { chatId: \"${quiet}\" }, expect: { error: { code: denied } }, within: 4s }
      - - { id: probe_pages, as: customer, emit: fetch_messages, data: { chatId: \"${chat}\", afterSeq: 0, limit: 1 }, expect: { json: { ok: true } }, within: 4s }
      - - { id: probe_dispute_by_provider, as: provider, do: dispute, with: { chat: \"${other}\", reason: preflight } }
      - - { id: probe_dispute_any_time, as: customer, do: dispute, with: { chat: \"${chat}\", reason: preflight } }
      - - { id: probe_resume, as: provider, emit: join_chat, data: { chatId: \"${chat}\", sinceSeq: 0 }, expect: { ack: { messages: { is: list } } }, within: 4s }
      - - { as: provider, emit: send_message, data: { chatId: \"${other}\", message: again, clientMessageId: preflight-1 }, ack: false }
        - { id: probe_client_message_ids, as: provider, emit: send_message, data: { chatId: \"${other}\", message: again, clientMessageId: preflight-1 }, expect: { ack: { status: duplicate } }, within: 4s }
      - - { as: provider, emit: mark_read, data: { chatId: \"${chat}\" }, ack: false }
        - { id: probe_stored_reads, as: customer, receive: messages_read, where: { chatId: \"${chat}\", seq: { is: int } }, within: 4s }
      - - { id: probe_members, as: customer, get: \"/chat/${chat}\", expect: { status: 200, json: { members: { contains: [{ userId: \"${customer.userId}\" }, { userId: \"${provider.userId}\" }] } } } }
      - - { id: probe_unread_counts, as: provider, get: /chat, expect: { status: 200, json: { chats: { contains: { unreadCount: { is: int } } } } } }
      - - { id: probe_change_password, as: lsm, post: { path: /auth/password, json: { oldPassword: not the old one, newPassword: nor a new one } }, expect: { status: 401, error: { code: unauthenticated } } }
      - - { id: probe_presence, as: customer, receive: presence, where: { userId: \"${provider.userId}\", status: online }, within: 8s }
always:
  - { id: fence, as: customer, send: { chat: \"${chat}\", text: still there }, within: 5s }
  - { id: fence_seen, delivered: { message: fence, to: provider }, within: 5s }
";

/// What would need a dispute that the first one may not have.
const DISPUTE: &str = "scenario: 1
name: preflight
timeout: 90s
defaults: { within: 10s }
actors:
  customer: { role: customer }
  provider: { role: provider }
  lsm: { role: lsm }
steps:
  - { as: lsm, login: true }
  - { as: [customer, provider], login: true }
  - { as: [customer, lsm], connect: true }
  - { as: customer, do: book, with: { provider: provider, title: Preflight }, save: { chat: $.chat } }
  - { as: customer, do: dispute, with: { chat: \"${chat}\", reason: preflight } }
  # Another LSM of the region may have been asked in.
  - { as: lsm, get: /disputes, expect: { status: 200, json: { disputes: { contains: { chatId: \"${chat}\" } } } } }
  - parallel:
      - - { id: probe_dispute_push, as: lsm, receive: \"notification:created\", where: { notification: { type: dispute } }, within: 4s }
      - - { as: lsm, emit: join_chat, data: { chatId: \"${chat}\" }, ack: false }
        - { id: probe_lsm_joins_by_socket, as: lsm, receive: joined_chat, where: { chatId: \"${chat}\" }, within: 4s }
";

/// Capabilities that decide whether the runner does a step at all, and not how it prepares one:
/// the first scenario tries these as if the target had them.
const ASSUMED_TOGETHER: &[&str] = &[
    "acks",
    "own_echo",
    "seq",
    "error_codes",
    "pages",
    "dispute_by_provider",
    "dispute_any_time",
    "presence",
];

/// Capabilities that the first scenario tries, in the order in which they are shown.
const TRIED_TOGETHER: &[&str] = &[
    "acks",
    "own_echo",
    "client_message_ids",
    "seq",
    "resume",
    "pages",
    "presence",
    "members",
    "stored_reads",
    "unread_counts",
    "dispute_by_provider",
    "dispute_any_time",
    "error_codes",
    "change_password",
];

/// A scenario, and the capabilities that its steps try.
#[derive(Debug, Clone)]
pub struct Probe {
    /// The scenario.
    pub source: Arc<Source>,
    /// Names of capabilities.
    pub names: &'static [&'static str],
    /// Those of them that the target is to be taken to have, or their steps would be left out.
    pub assumed: &'static [&'static str],
}

/// Ids of the steps that show that the server was there all the time.
pub const FENCES: [&str; 2] = ["fence", "fence_seen"];

/// Capabilities that are tried by a dispute: who is asked in is of the provider's region.
pub const BY_DISPUTE: [&str; 4] =
    ["dispute_by_provider", "dispute_any_time", "dispute_push", "lsm_joins_by_socket"];

/// All of them.
#[must_use]
pub fn all() -> [Probe; 2] {
    let probe =
        |text, names, assumed| Probe { source: Source::new("preflight", text), names, assumed };
    [
        probe(TOGETHER, TRIED_TOGETHER, ASSUMED_TOGETHER),
        probe(DISPUTE, &["dispute_push", "lsm_joins_by_socket"], &["dispute_push"]),
    ]
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::file::{self, read};

    #[test]
    fn every_probe_has_a_step_for_a_capability_that_there_is() {
        let table = trialogue_client::Dialect::Trialogue.capabilities();
        for probe in all() {
            read(&probe.source).unwrap_or_else(|wrong| panic!("{wrong}"));
            for name in probe.names {
                let step = format!("id: probe_{name},");
                assert!(probe.source.text().contains(&step), "{name}");
                assert!(table.table().any(|(known, _)| known == *name), "{name}");
            }
            assert!(probe.assumed.iter().all(|name| probe.names.contains(name)));
            // A target has one account for each role.
            let roles = file::read(&probe.source).unwrap().actors;
            assert_eq!(roles.iter().map(|actor| actor.role).collect::<BTreeSet<_>>().len(), 3);
            assert_eq!(roles.len(), 3);
        }
    }
}
