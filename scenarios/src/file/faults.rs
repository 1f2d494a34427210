//! What goes wrong on purpose: the server, its database, tokens, and the lines between.

use super::fields::{Fields, bytes_of, count_of, word_of};
use super::steps::Reader;
use super::{DatabaseVerb, Network, NetworkCut, Refuse, ServerVerb, TokenVerb, quantity};
use crate::yaml::{Node, Value};

/// Fields of `network`.
pub(super) const NETWORK_FIELDS: &[&str] =
    &["cut", "latency", "jitter", "bandwidth", "slice", "refuse", "for"];
/// Most connections that are refused one by one.
const REFUSE_MAX: u64 = 1_000;

impl Reader<'_> {
    pub(super) fn server(&mut self, node: &Node) -> Option<ServerVerb> {
        let words = [
            ("start", ServerVerb::Start),
            ("stop", ServerVerb::Stop),
            ("kill", ServerVerb::Kill),
            ("restart", ServerVerb::Restart),
            ("pause", ServerVerb::Pause),
            ("resume", ServerVerb::Resume),
        ];
        word_of(node, "server", &words, self.diag)
    }

    pub(super) fn database(&mut self, node: &Node) -> Option<DatabaseVerb> {
        let words = [
            ("stop", DatabaseVerb::Stop),
            ("kill", DatabaseVerb::Kill),
            ("start", DatabaseVerb::Start),
        ];
        word_of(node, "database", &words, self.diag)
    }

    pub(super) fn token(&mut self, node: &Node) -> Option<TokenVerb> {
        let words = [("expire", TokenVerb::Expire), ("revoke", TokenVerb::Revoke)];
        word_of(node, "token", &words, self.diag)
    }

    pub(super) fn network(&mut self, node: &Node) -> Option<Network> {
        if let Value::Text(_) = node.value {
            word_of(node, "network", &[("clear", ())], self.diag)?;
            return Some(Network::default());
        }
        let mut fields = Fields::open(node, "`network`", self.diag)?;
        let words = [
            ("blackhole", NetworkCut::Blackhole),
            ("fin", NetworkCut::Fin),
            ("rst", NetworkCut::Rst),
            ("half-open", NetworkCut::HalfOpen),
            ("half-open-server", NetworkCut::HalfOpenServer),
        ];
        if fields.names().all(|name| name == "for") {
            self.error(node.span, "`network` says no fault, such as `cut` or `latency`");
        }
        let cut = fields.node("cut").map(|node| word_of(&node, "cut", &words, self.diag));
        let slice = fields.node("slice");
        let slice = slice.and_then(|node| bytes_of(&node, "slice", quantity::size, self.diag));
        let rate = fields.node("bandwidth");
        let rate = rate.and_then(|node| bytes_of(&node, "bandwidth", quantity::rate, self.diag));
        let refuse = fields.node("refuse").and_then(|node| self.refuse(&node));
        let network = Network {
            cut: cut.flatten(),
            latency: fields.time("latency", self.diag).unwrap_or_default(),
            jitter: fields.time("jitter", self.diag).unwrap_or_default(),
            slice,
            bandwidth: rate,
            refuse,
            lasting: fields.time("for", self.diag),
        };
        fields.finish(NETWORK_FIELDS, self.diag);
        Some(network)
    }

    fn refuse(&mut self, node: &Node) -> Option<Refuse> {
        if node.value == Value::Bool(true) {
            return Some(Refuse::All);
        }
        let count = count_of(node, "refuse", self.diag)?;
        let fits = |count: &u32| (1..=REFUSE_MAX).contains(&u64::from(*count));
        match u32::try_from(count).ok().filter(fits) {
            Some(count) => Some(Refuse::Next(count)),
            None => {
                self.error(node.span, format!("`refuse` is true, or 1 to {REFUSE_MAX}"));
                None
            }
        }
    }
}
