//! Messages as the JSON text of a history, kept after they were read once.
//!
//! A stored message never changes and a chat's `seq` has no holes, so the text of a stretch of a
//! chat is true for ever; only who may read it can change, and that is asked of the database each
//! time. A reader is part of the key because the author's own copy carries `clientMessageId`, and so
//! is the epoch, since a restored database may tell another story.

use std::sync::Arc;

use quick_cache::Weighter;
use quick_cache::sync::Cache;
use trialogue_protocol::{ChatId, ErrorCode, Message, Seq, UserId};

use crate::error::Error;

/// Messages of one stretch. Stretches begin at multiples of it, so that those of different answers
/// are the same ones.
pub(super) const STRETCH: Seq = 64;
/// Bytes of text that are kept: the newest thousand messages of a few hundred busy chats.
const KEPT_BYTES_MAX: u64 = 32 * 1024 * 1024;
/// What an entry costs besides its text.
const ENTRY_BYTES: u64 = 160;
/// Number of entries that the kept bytes are expected to make.
const ENTRIES_EXPECTED: usize = 4_096;

/// Which messages, for whom.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Stretch {
    pub(super) epoch: Arc<str>,
    pub(super) chat: ChatId,
    pub(super) reader: UserId,
    pub(super) first: Seq,
    pub(super) last: Seq,
}

impl Stretch {
    /// How many messages it has.
    pub(super) fn len(&self) -> usize {
        usize::try_from(self.last - self.first + 1).unwrap_or(0)
    }
}

#[derive(Clone)]
struct ByBytes;

impl Weighter<Stretch, Arc<[u8]>> for ByBytes {
    fn weight(&self, _: &Stretch, text: &Arc<[u8]>) -> u64 {
        text.len() as u64 + ENTRY_BYTES
    }
}

/// The texts that are kept. Cheap to clone.
#[derive(Clone)]
pub struct Encoded(Arc<Cache<Stretch, Arc<[u8]>, ByBytes>>);

impl Default for Encoded {
    fn default() -> Self {
        Self(Arc::new(Cache::with_weighter(ENTRIES_EXPECTED, KEPT_BYTES_MAX, ByBytes)))
    }
}

impl Encoded {
    pub(super) fn get(&self, stretch: &Stretch) -> Option<Arc<[u8]>> {
        self.0.get(stretch)
    }

    /// Encodes a stretch and keeps it.
    ///
    /// # Errors
    ///
    /// `internal` when a message cannot be encoded, which is a bug.
    pub(super) fn encode(
        &self,
        stretch: Stretch,
        messages: &[Message],
    ) -> Result<Arc<[u8]>, Error> {
        let mut text = Vec::new();
        for message in messages {
            if !text.is_empty() {
                text.push(b',');
            }
            serde_json::to_writer(&mut text, message)
                .map_err(|_| Error::new(ErrorCode::Internal, "internal error"))?;
        }
        let text: Arc<[u8]> = text.into();
        self.0.insert(stretch, Arc::clone(&text));
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stretch(first: Seq) -> Stretch {
        let (epoch, chat) = ("e".into(), ChatId(uuid::Uuid::nil()));
        Stretch { epoch, chat, reader: UserId(1), first, last: first + STRETCH - 1 }
    }

    #[test]
    fn what_is_kept_is_bounded_in_bytes() {
        let encoded = Encoded::default();
        let text: Arc<[u8]> = vec![0; 64 * 1024].into();
        for number in 0..2_000 {
            encoded.0.insert(stretch(1 + number * STRETCH), Arc::clone(&text));
        }
        assert!(encoded.0.weight() <= KEPT_BYTES_MAX);
        assert!(encoded.0.len() > 100);
    }

    #[test]
    fn another_reader_or_another_history_is_another_text() {
        let encoded = Encoded::default();
        encoded.encode(stretch(1), &[]).unwrap();
        assert!(encoded.get(&stretch(1)).is_some());
        assert!(encoded.get(&Stretch { reader: UserId(2), ..stretch(1) }).is_none());
        assert!(encoded.get(&Stretch { epoch: "f".into(), ..stretch(1) }).is_none());
        assert!(encoded.get(&Stretch { last: 3, ..stretch(1) }).is_none());
    }
}
