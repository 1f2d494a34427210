//! What is refused, and in which words. Pure: no clock, no database, no socket.
//!
//! Who may do what to a chat is decided in the statement that acts (`migrations/`), under the lock
//! that keeps the answer true; this room gives each refusal its one name, so that a foreign chat
//! and a missing one cannot be told apart by anything that is said.

use trialogue_protocol::{ErrorCode, Role};

/// Why not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// Not yours, or no such thing.
    Denied,
    /// The chat takes no more messages.
    ChatClosed,
    /// The same key came before with other content.
    KeyUsed,
    /// No provider with this id can be booked.
    NoProvider,
    /// The e-mail address has an account.
    EmailTaken,
    /// A dispute about this chat is open.
    DisputeOpen,
    /// Nobody in the provider's region can settle it.
    NoLsm,
    /// The dispute is not at the step that was asked for.
    DisputeStep,
    /// The job has ended otherwise.
    JobEnded,
    /// E-mail address and password do not belong together.
    WrongPassword,
    /// The refresh token is unknown, used up, or of a session that is over.
    RefreshRefused,
    /// The session of a token is over.
    SessionOver,
    /// LSMs are added by an operator.
    RegistrationClosed,
}

impl Refusal {
    /// The word on the wire.
    pub const fn code(self) -> ErrorCode {
        match self {
            Self::Denied | Self::RegistrationClosed => ErrorCode::Denied,
            Self::ChatClosed => ErrorCode::ChatClosed,
            Self::KeyUsed => ErrorCode::IdempotencyConflict,
            Self::NoProvider => ErrorCode::NotFound,
            Self::EmailTaken
            | Self::DisputeOpen
            | Self::NoLsm
            | Self::DisputeStep
            | Self::JobEnded => ErrorCode::Conflict,
            Self::WrongPassword | Self::RefreshRefused | Self::SessionOver => {
                ErrorCode::Unauthenticated
            }
        }
    }

    /// The sentence for people.
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::Denied => "not yours, or it does not exist",
            Self::ChatClosed => "the chat is closed",
            Self::KeyUsed => "this key was used before for something else",
            Self::NoProvider => "no provider has this id",
            Self::EmailTaken => "this email address has an account",
            Self::DisputeOpen => "a dispute about this chat is open already",
            Self::NoLsm => "no local service manager is available in the provider's region",
            Self::DisputeStep => "the dispute is not at this step",
            Self::JobEnded => "the job has ended otherwise",
            Self::WrongPassword => "wrong email address or password",
            Self::RefreshRefused => "this refresh token is not valid",
            Self::SessionOver => "the session is over",
            Self::RegistrationClosed => "local service managers are added by an operator",
        }
    }
}

/// Who may register by themselves (CONTRACT §1).
///
/// # Errors
///
/// [`Refusal::RegistrationClosed`] for an LSM, unless registration is open.
pub const fn may_register(role: Role, open_registration: bool) -> Result<(), Refusal> {
    match role {
        Role::Customer | Role::Provider => Ok(()),
        Role::Lsm if open_registration => Ok(()),
        Role::Lsm => Err(Refusal::RegistrationClosed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_open_registration_makes_lsms() {
        let check = |role, open, expect| assert_eq!(may_register(role, open).is_ok(), expect);
        check(Role::Customer, false, true);
        check(Role::Provider, false, true);
        check(Role::Lsm, false, false);
        check(Role::Lsm, true, true);
    }

    #[test]
    fn what_must_not_be_told_apart_has_one_answer() {
        assert_eq!(Refusal::Denied.code(), ErrorCode::Denied);
        assert_eq!(Refusal::WrongPassword.code(), ErrorCode::Unauthenticated);
        assert!(!Refusal::Denied.sentence().contains("chat"), "says nothing about what exists");
    }
}
