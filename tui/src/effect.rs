//! What the update wants done. The shell does it, and answers with [`crate::msg::Reply`] where
//! there is something to answer.

use trialogue_client::profile::Desk;
use trialogue_client::timeline::Ask;
use trialogue_protocol::{
    ChatId, ClientMessageId, CreateJob, DisputeId, JobId, Login, OpenDispute, Register, Seq,
};

/// Something to do outside.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Queue a message under this id.
    Send {
        /// The message's own name.
        id: ClientMessageId,
        /// Where.
        chat: ChatId,
        /// What.
        text: String,
    },
    /// Try a refused message again.
    Again(ClientMessageId),
    /// Give a refused message up.
    Discard(ClientMessageId),
    /// Enter a chat's room and show its newest messages.
    Join(ChatId),
    /// The same, and accept the invitation into its dispute.
    Accept(ChatId),
    /// Leave a chat's room.
    Leave(ChatId),
    /// Ask for older messages of an open chat.
    Older(ChatId),
    /// Ask for a page of history by its place.
    Page {
        /// The chat.
        chat: ChatId,
        /// From where.
        ask: Ask,
    },
    /// Say that the user types, or no longer.
    Typing(ChatId, bool),
    /// Say how far the user has read; without a place: everything.
    MarkRead(ChatId, Option<Seq>),
    /// Do not wait for the next retry.
    RetryNow,
    /// List the chats.
    LoadChats,
    /// List the providers that can be booked.
    LoadProviders,
    /// List the LSM's invitations.
    LoadInvites,
    /// Look at the last messages of an invitation.
    LoadPreview(ChatId),
    /// List the notifications.
    LoadNotifications {
        /// Only those that were not read.
        unread: bool,
    },
    /// Mark all notifications as read.
    ReadNotifications,
    /// What the outbox keeps.
    LoadKept,
    /// Book a job; the key makes a repeat harmless.
    Book {
        /// The job.
        body: CreateJob,
        /// The key.
        key: String,
    },
    /// Open a dispute.
    OpenDispute(OpenDispute),
    /// End a dispute.
    Resolve {
        /// Which.
        dispute: DisputeId,
        /// How it ended.
        text: String,
    },
    /// The provider is done.
    CompleteJob(JobId),
    /// The customer calls it off.
    CancelJob(JobId),
    /// Sign in, at this server (as the user typed it).
    SignIn {
        /// The server's address.
        server: String,
        /// Who.
        login: Login,
    },
    /// Make an account and sign in.
    SignUp {
        /// The server's address.
        server: String,
        /// Who.
        register: Box<Register>,
    },
    /// Sign out and forget the tokens.
    SignOut,
    /// Keep drafts and muted chats for another day.
    KeepDesk(Desk),
    /// Put text into the terminal's clipboard.
    Copy(String),
    /// Ring.
    Bell,
    /// Tell the desktop, in one sentence.
    Desktop(String),
    /// Let `$EDITOR` change this draft.
    Editor(String),
    /// Catch the mouse, or leave it to the terminal.
    Mouse(bool),
    /// Draw everything anew.
    Redraw,
    /// To the background.
    Suspend,
    /// Cut this account's line, or heal it.
    CutLine(bool),
    /// Leave, for the demo that brings its own server.
    Demo,
    /// Leave, for another account of this machine.
    Profile(String),
    /// Leave the three, for the script that comes with them.
    Script,
    /// Let the first step of the script that waits begin.
    StepScript,
    /// The end.
    Quit,
}
