//! What a server can do, found out by trying: two scenarios, whose step `probe_NAME` holds only
//! where the server can do what the capability `NAME` says.
//!
//! Two, because a server that lets few people in a minute is one that may be tried too.

use std::sync::Arc;

use crate::source::Source;

/// Each in a branch of its own: whatever one of them comes to, the others are tried.
const TOGETHER: &str = "scenario: 1
name: preflight
timeout: 60s
defaults: { within: 10s }
actors:
  customer: { role: customer }
  provider: { role: provider }
  lsm: { role: lsm }
  leaver: { role: customer }
  stranger: { role: customer }
steps:
  - { as: lsm, login: true }
  - { as: [customer, provider, leaver, stranger], login: true }
  - { as: [customer, provider, leaver, stranger], connect: true }
  - { as: customer, do: book, with: { provider: provider, title: Preflight }, save: { chat: $.chat } }
  - { as: leaver, do: book, with: { provider: provider, title: Preflight }, save: { other: $.chat } }
  - { as: [customer, provider], join: \"${chat}\" }
  - { as: [leaver, provider], join: \"${other}\" }
  - { as: customer, send: { chat: \"${chat}\", text: preflight } }
  - parallel:
      - - { id: probe_acks, as: customer, emit: typing, data: { chatId: \"${chat}\", isTyping: true }, expect: { json: { ok: true } }, within: 4s }
      - - { id: probe_own_echo, as: customer, receive: new_message, where: { message: preflight, chatId: \"${chat}\" }, within: 4s }
      - - { id: probe_seq, as: provider, receive: new_message, where: { message: preflight, seq: { is: int } }, within: 4s }
      - - { id: probe_error_codes, as: stranger, emit: join_chat, data: { chatId: \"${chat}\" }, expect: { error: { code: denied } }, within: 4s }
      - - { id: probe_pages, as: customer, emit: fetch_messages, data: { chatId: \"${chat}\", afterSeq: 0, limit: 1 }, expect: { json: { ok: true } }, within: 4s }
      - - { id: probe_dispute_by_provider, as: provider, do: dispute, with: { chat: \"${other}\", reason: preflight } }
      - - { id: probe_dispute_any_time, as: customer, do: dispute, with: { chat: \"${chat}\", reason: preflight } }
      - - { as: leaver, disconnect: true }
        - { id: probe_presence, as: provider, receive: presence, where: { userId: \"${leaver.userId}\", status: offline }, within: 8s }
";

/// What would need a dispute that the first one may not have.
const DISPUTE: &str = "scenario: 1
name: preflight
timeout: 60s
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
  - { id: probe_dispute_push, as: lsm, receive: \"notification:created\", where: { notification: { type: dispute } }, within: 4s }
";

/// Capabilities that the first scenario tries, in the order in which they are shown.
const TRIED_TOGETHER: &[&str] = &[
    "acks",
    "own_echo",
    "seq",
    "error_codes",
    "pages",
    "dispute_by_provider",
    "dispute_any_time",
    "presence",
];

/// A scenario, and the capabilities that its steps try.
#[derive(Debug, Clone)]
pub struct Probe {
    /// The scenario.
    pub source: Arc<Source>,
    /// Names of capabilities.
    pub names: &'static [&'static str],
}

/// All of them.
#[must_use]
pub fn all() -> [Probe; 2] {
    let probe = |text, names| Probe { source: Source::new("preflight", text), names };
    [probe(TOGETHER, TRIED_TOGETHER), probe(DISPUTE, &["dispute_push"])]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::file::read;

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
        }
    }
}
