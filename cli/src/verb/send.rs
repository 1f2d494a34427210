//! `trialogue send CHAT TEXT…`: says something and waits until the server has stored it.
//!
//! The message has an id of its own before it leaves, so trying again never doubles it: neither
//! here, over reconnects, nor by the caller with `--id`. Of a server that knows no such ids it is
//! said when nobody can know whether a message is there.

use std::io::{BufRead, Read};
use std::time::Duration;

use anyhow::Context as _;
use tokio::sync::mpsc;
use trialogue_client::journal::{OpenError, Opened};
use trialogue_client::session::{SessionHandle, Update};
use trialogue_client::{Error, LinkState, Outcome, Refusal};
use trialogue_protocol::{ChatId, ClientMessageId, MessageType, SendAck, SendStatus};
use uuid::Uuid;

use crate::account::Account;
use crate::chat::ChatArg;
use crate::exit::{Exit, Failure};
use crate::human;
use crate::out::Out;
use crate::verb::Context;

/// Lines read ahead while one waits to be stored: a fast writer is held back by its pipe.
const LINES_AHEAD_MAX: usize = 16;

/// How long to wait for an outbox that another process has open: another `send` ends soon, while a
/// chat may stay open all day.
const OUTBOX_WAIT: Duration = Duration::from_secs(3);

/// Arguments of `send`.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    chat: ChatArg,
    /// What to say; - reads it from standard input
    #[arg(value_name = "TEXT", required_unless_present = "each_line")]
    text: Vec<String>,
    /// Send every line of standard input as a message of its own
    #[arg(long, conflicts_with = "text")]
    each_line: bool,
    /// Id of the message, which makes a repeat harmless; made up when it is missing
    #[arg(long, value_name = "ID", conflicts_with = "each_line")]
    id: Option<ClientMessageId>,
}

/// Sends and waits; `--timeout` is for each message.
pub(crate) async fn run(args: Args, context: &Context, out: &mut Out) -> anyhow::Result<Exit> {
    let account = Account::signed_in(&context.global)?;
    let chat = context.within(account.chat(&args.chat.chat)).await?;
    let wait = context.global.timeout;
    let dialect = account.rest.dialect();
    let knows_ids = dialect.capabilities().client_message_ids;
    let bytes_max = dialect.message_bytes_max();
    let outbox = outbox(&account, wait, knows_ids, out).await?;
    let is_kept = outbox.is_some();
    let (handle, updates) = account.session_with(outbox, true)?;
    let mut sender =
        Sender { chat, handle, updates, wait, is_kept, told_kept: false, knows_ids, bytes_max };
    let sent = sender.all(args, out).await;
    // Also after a failure: what the outbox keeps must be on disk before we go.
    sender.handle.close().await;
    sent.map(|()| Exit::DONE)
}

/// The outbox; nothing where another process keeps it open, as a chat does. Where the server knows no
/// ids there is no second sender: what tells a repeat from a new message is counted by one alone.
async fn outbox(
    account: &Account,
    wait: Duration,
    knows_ids: bool,
    out: &mut Out,
) -> anyhow::Result<Option<Opened>> {
    if !knows_ids {
        return account.outbox(wait).await;
    }
    match account.outbox(wait.min(OUTBOX_WAIT)).await {
        Err(error) if matches!(error.downcast_ref(), Some(OpenError::Busy)) => {
            out.say("another trialogue of this account is open: what cannot be sent is not kept");
            Ok(None)
        }
        done => done,
    }
}

/// One chat, one connection, one message at a time.
struct Sender {
    chat: ChatId,
    handle: SessionHandle,
    updates: mpsc::Receiver<Update>,
    wait: Duration,
    /// What is not stored in time is on disk and goes out with the next `send`.
    is_kept: bool,
    /// That was said.
    told_kept: bool,
    /// The server tells a repeat from a new message.
    knows_ids: bool,
    /// Longest message in bytes that it takes.
    bytes_max: usize,
}

impl Sender {
    /// The one message, or those of standard input.
    async fn all(&mut self, args: Args, out: &mut Out) -> anyhow::Result<()> {
        if args.each_line {
            let mut lines = lines(self.bytes_max);
            while let Some(line) = lines.recv().await {
                let (number, line) = line?;
                let id = ClientMessageId::from(Uuid::now_v7());
                self.send(id, &line, out).await.with_context(|| format!("line {number}"))?;
            }
            return Ok(());
        }
        let text = match args.text.as_slice() {
            [dash] if dash == "-" => all_of_stdin(self.bytes_max).await?,
            words => words.join(" "),
        };
        let id = args.id.unwrap_or_else(|| ClientMessageId::from(Uuid::now_v7()));
        self.send(id, &text, out).await
    }

    /// Returns once the message is stored.
    async fn send(&mut self, id: ClientMessageId, text: &str, out: &mut Out) -> anyhow::Result<()> {
        self.handle.send_as(id.clone(), self.chat, text, MessageType::Text).await?;
        let Ok(stored) = tokio::time::timeout(self.wait, self.stored(&id, out)).await else {
            let wait = self.wait;
            if self.is_kept {
                let what = format!("not stored within {wait:?}; it waits: trialogue outbox");
                return Err(Failure::left_in_outbox(what).into());
            }
            // Whether the server has it is not known: an id that it knows makes trying again safe.
            let safely = match self.knows_ids {
                true => format!("to try again safely, add --id {id}"),
                false => "it may be there all the same: look before you try again".to_owned(),
            };
            return Err(Failure::time(format!("not stored within {wait:?}; {safely}")).into());
        };
        let ack = stored?;
        if out.is_json() {
            return out.json(&ack);
        }
        let number = ack.message.seq.map(|seq| format!(" as message {seq}")).unwrap_or_default();
        let again = if ack.status == SendStatus::Duplicate { "already " } else { "" };
        out.say(&format!("{again}stored{number}"));
        Ok(())
    }

    async fn stored(&mut self, id: &ClientMessageId, out: &mut Out) -> anyhow::Result<SendAck> {
        while let Some(update) = self.updates.recv().await {
            match update {
                Update::Outcome { client_message_id, outcome, .. } if client_message_id != *id => {
                    tell_of_another(&client_message_id, &outcome, out);
                }
                Update::Outcome { outcome, .. } => {
                    match outcome {
                        Outcome::Stored { message, duplicate } => {
                            let status = match duplicate {
                                true => SendStatus::Duplicate,
                                false => SendStatus::Stored,
                            };
                            return Ok(SendAck { status, message });
                        }
                        Outcome::Refused(refusal) | Outcome::Conflict(refusal) => {
                            // Its author is told here and now; it must not wait for ever.
                            self.handle.discard(id.clone()).await?;
                            return Err(Error::Refused(refusal).into());
                        }
                        // It stays in the outbox: whoever has looked at the chat discards it.
                        Outcome::Unknown(refusal) => return Err(self.kept(Error::Refused(refusal))),
                        Outcome::Retrying { why, not_stored: false, .. } if !self.knows_ids => {
                            let why = human::line(&why.sentence);
                            out.say(&format!(
                                "perhaps stored, which this server does not tell: {why}; looking \
                                 for it before it is sent again"
                            ));
                        }
                        Outcome::Retrying { why, .. } => {
                            out.say(&format!("trying again: {}", human::line(&why.sentence)));
                        }
                        Outcome::Discarded => return Err(Error::Closed.into()),
                        Outcome::Queued | Outcome::Sending { .. } => {}
                    }
                }
                Update::Link(LinkState::LoginNeeded { why }) => {
                    return Err(self.kept(Error::LoginNeeded(why.sentence)));
                }
                // That it connects is no news; that it does not is.
                Update::Link(state @ LinkState::Reconnecting { .. }) => {
                    out.say_link(&state);
                    // Now, because whoever loses patience is told nothing more.
                    if self.is_kept && !self.told_kept {
                        self.told_kept = true;
                        out.say("what is not sent waits on this machine: trialogue outbox");
                    }
                }
                Update::Journal { sentence } => out.say(&human::line(&sentence)),
                _ => {}
            }
        }
        Err(self.kept(Error::Closed))
    }

    /// An error after which the message stays where it is: another `send` would double it.
    fn kept(&self, error: Error) -> anyhow::Error {
        let error = anyhow::Error::from(error);
        if !self.is_kept {
            return error;
        }
        error.context("not sent yet, it waits (trialogue outbox)")
    }
}

/// A message that was queued before ends here too: its author is told, or nobody is.
fn tell_of_another(id: &ClientMessageId, outcome: &Outcome, out: &mut Out) {
    let (what, Refusal { message, .. }) = match outcome {
        Outcome::Refused(refusal) | Outcome::Conflict(refusal) => ("was refused", refusal),
        Outcome::Unknown(refusal) => ("may be stored or not", refusal),
        _ => return,
    };
    let why = human::line(message);
    out.say(&format!("the earlier message {id} {what}: {why} (trialogue outbox)"));
}

/// One message, however many lines it has.
async fn all_of_stdin(bytes_max: usize) -> anyhow::Result<String> {
    let read = tokio::task::spawn_blocking(move || {
        let mut text = String::new();
        // One byte more than the server takes, so that too long is still seen to be too long.
        let most = (bytes_max as u64).saturating_add(2);
        std::io::stdin().lock().take(most).read_to_string(&mut text).map(|_| text)
    });
    let text = read.await?.context("cannot read standard input")?;
    Ok(text.strip_suffix('\n').unwrap_or(&text).to_owned())
}

/// The lines of standard input with their numbers from 1, without empty ones, as they come.
fn lines(bytes_max: usize) -> mpsc::Receiver<anyhow::Result<(usize, String)>> {
    let (tell, lines) = mpsc::channel(LINES_AHEAD_MAX);
    // Ends with standard input or with the process: a blocked read cannot be interrupted.
    tokio::task::spawn_blocking(move || {
        let mut stdin = std::io::stdin().lock();
        for number in 1.. {
            let mut line = String::new();
            let most = (bytes_max as u64).saturating_add(2);
            let read = (&mut stdin).take(most).read_line(&mut line);
            let line = match read.context("cannot read standard input") {
                Ok(0) => return,
                Ok(_) => Ok((number, line.trim_end_matches(['\n', '\r']).to_owned())),
                Err(error) => Err(error),
            };
            if line.as_ref().is_ok_and(|(_, line)| line.trim().is_empty()) {
                continue;
            }
            let failed = line.is_err();
            if tell.blocking_send(line).is_err() || failed {
                return;
            }
        }
    });
    lines
}
