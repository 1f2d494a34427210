//! Several machines: who leads a run hands each worker its segment of the plan and the rooms of it,
//! all begin at once, and what workers tell adds up as if their threads were here.
//!
//! ```text
//! lead -> worker   hello(nonce)           worker -> lead   challenge(nonce, proof)
//!      enter(proof) job begin stop beat            joined ready tick done failed beat
//! ```
//!
//! A room has all its sockets on one worker: every latency is taken on one clock, and no clocks are
//! compared. Messages are JSON behind four bytes of length. Both sides prove that they know the
//! token, which itself never travels; what travels then is not encrypted.

mod lead;
mod serve;

use std::collections::BTreeMap;
use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::mpsc;
use trialogue_client::{Capabilities, Dialect};
use url::Url;

use crate::cast::Room;
use crate::plan::Plan;
use crate::worker::{Done, Drain, Tick};

pub use lead::{Far, FarError};
pub(crate) use lead::{Reins, lead};
pub use serve::{Reach, serve};

/// Both sides must have the same.
const VERSION: u32 = 2;
/// Shortest token in bytes.
const TOKEN_MIN: usize = 16;
/// Longest message before the other side has proved anything.
const GREETING_BYTES_MAX: usize = 1_024;
/// Longest message after that: a job has every token of its rooms.
const MESSAGE_BYTES_MAX: usize = 256 << 20;
/// How long each step of the greeting may take.
const GREETING_WITHIN: Duration = Duration::from_secs(10);
/// How often each side says that it is there, if nothing else.
const BEAT: Duration = Duration::from_secs(1);
/// Without a word for so long, the other side is gone.
const SILENT_MAX: Duration = Duration::from_secs(10);
/// The kind of error that stands for a machine without room.
const FULL: io::ErrorKind = io::ErrorKind::StorageFull;
/// Messages that were read and not looked at; the other side waits.
const READ_MAX: usize = 64;

/// What leads and workers share.
#[derive(Clone)]
pub struct Key {
    sign: EncodingKey,
    verify: DecodingKey,
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key(***)")
    }
}

impl Key {
    /// Of a token; space around it does not count.
    ///
    /// # Errors
    /// It is too short to be one.
    pub fn new(token: &str) -> Result<Self, String> {
        let token = token.trim().as_bytes();
        if token.len() < TOKEN_MIN {
            return Err(format!("a token of workers has {TOKEN_MIN} bytes at least"));
        }
        let (sign, verify) = (EncodingKey::from_secret(token), DecodingKey::from_secret(token));
        Ok(Self { sign, verify })
    }

    /// HMAC-SHA-256 of who says it and of both nonces.
    fn prove(&self, who: &str, nonces: [&str; 2]) -> io::Result<String> {
        let words = format!("{who}:{}:{}", nonces[0], nonces[1]);
        jsonwebtoken::crypto::sign(words.as_bytes(), &self.sign, Algorithm::HS256)
            .map_err(|error| io::Error::other(error.to_string()))
    }

    /// In constant time.
    fn is_proof(&self, proof: &str, who: &str, nonces: [&str; 2]) -> bool {
        let words = format!("{who}:{}:{}", nonces[0], nonces[1]);
        let verified =
            jsonwebtoken::crypto::verify(proof, words.as_bytes(), &self.verify, Algorithm::HS256);
        verified.unwrap_or(false)
    }
}

/// A segment of a run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Job {
    pub(crate) plan: Plan,
    /// The workers of the plan that are here.
    pub(crate) workers: Range<u32>,
    /// Chats and the tokens of their people.
    pub(crate) rooms: Vec<(String, Vec<String>)>,
    pub(crate) url: Url,
    pub(crate) plain_http: bool,
    pub(crate) dialect: Dialect,
    pub(crate) capabilities: BTreeMap<String, bool>,
    pub(crate) only_ours: bool,
    pub(crate) drain: Drain,
    /// The name of the run.
    pub(crate) run: String,
}

impl Job {
    /// Rooms as they travel.
    pub(crate) fn pack(rooms: impl IntoIterator<Item = Room>) -> Vec<(String, Vec<String>)> {
        let text = |token: &Arc<str>| token.as_ref().to_owned();
        rooms.into_iter().map(|room| (room.chat, room.tokens.iter().map(text).collect())).collect()
    }

    fn rooms(&mut self) -> Vec<Room> {
        let room = |(chat, tokens): (String, Vec<String>)| Room {
            chat,
            tokens: tokens.into_iter().map(Arc::from).collect(),
        };
        std::mem::take(&mut self.rooms).into_iter().map(room).collect()
    }

    fn capabilities(&self) -> Capabilities {
        let all = self.dialect.capabilities();
        let set =
            |all: Capabilities, (name, can): (&String, &bool)| all.with(name, *can).unwrap_or(all);
        self.capabilities.iter().fold(all, set)
    }
}

/// What a lead says.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "say", rename_all = "snake_case")]
enum Ask {
    Hello {
        version: u32,
        nonce: String,
    },
    Enter {
        proof: String,
    },
    Job(Box<Job>),
    /// Everybody is in a room: it begins so many microseconds after this came.
    Begin {
        micros: u64,
    },
    /// No more sends.
    Stop,
    Beat,
}

/// What a worker says.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "say", rename_all = "snake_case")]
enum Tell {
    Challenge { nonce: String, proof: String },
    Refused { why: String },
    Joined { more: u64 },
    Ready,
    Failed { why: String, full: bool },
    Tick(Box<Tick>),
    Done(Box<Done>),
    Beat,
}

fn nonce() -> String {
    uuid::Uuid::new_v4().simple().to_string()
}

async fn write<T: Serialize>(to: &mut (impl AsyncWrite + Unpin), say: &T) -> io::Result<()> {
    let mut bytes = vec![0; 4];
    serde_json::to_writer(&mut bytes, say)?;
    let length = bytes.len() - 4;
    if length > MESSAGE_BYTES_MAX {
        let what = format!("a message of over {MESSAGE_BYTES_MAX} bytes: give it fewer rooms");
        return Err(io::Error::new(io::ErrorKind::InvalidInput, what));
    }
    let length = u32::try_from(length).unwrap_or(u32::MAX);
    bytes[..4].copy_from_slice(&length.to_be_bytes());
    let written = tokio::time::timeout(SILENT_MAX, to.write_all(&bytes)).await;
    written.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
}

async fn read<T: DeserializeOwned>(
    from: &mut (impl AsyncRead + Unpin),
    bytes_max: usize,
) -> io::Result<T> {
    let length = usize::try_from(from.read_u32().await?).unwrap_or(usize::MAX);
    if length > bytes_max {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "a message that is too long"));
    }
    // It grows with what comes, not with what is announced.
    let mut bytes = Vec::new();
    from.take(length as u64).read_to_end(&mut bytes).await?;
    Ok(serde_json::from_slice(&bytes)?)
}

/// The same within the time of a greeting.
async fn read_soon<T: DeserializeOwned>(
    from: &mut (impl AsyncRead + Unpin),
    bytes_max: usize,
) -> io::Result<T> {
    let read = tokio::time::timeout(GREETING_WITHIN, read(from, bytes_max)).await;
    read.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
}

/// Reads for as long as somebody listens; the last word is why there is no more.
async fn read_all<T: DeserializeOwned>(
    mut from: impl AsyncRead + Unpin,
    to: mpsc::Sender<io::Result<T>>,
) {
    loop {
        let said = read(&mut from, MESSAGE_BYTES_MAX).await;
        let is_last = said.is_err();
        if to.send(said).await.is_err() || is_last {
            return;
        }
    }
}
