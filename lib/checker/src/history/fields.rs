//! Which op has which fields.

use super::line::{Line, LineError, OpName};

macro_rules! fields {
    ($($name:ident $word:literal $field:ident,)+) => {
        /// A field of a line besides `op`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(super) enum Field {
            $($name,)+
        }

        impl Field {
            /// As JSON has it.
            pub(super) fn word(self) -> &'static str {
                match self {
                    $(Self::$name => $word,)+
                }
            }
        }

        const ALL: &[Field] = &[$(Field::$name,)+];

        /// Which of them a line has, one bit each.
        fn present(line: &Line<'_>) -> u32 {
            let mut bits = 0;
            $(bits |= u32::from(line.$field.is_some()) << Field::$name as u32;)+
            bits
        }
    };
}

fields! {
    T "t" t,
    Client "client" client,
    Chat "chat" chat,
    User "user" user,
    Cmid "cmid" cmid,
    Seq "seq" seq,
    Id "id" id,
    H "h" h,
    Sender "sender" sender,
    Nth "nth" nth,
    Stored "stored" stored,
    Since "since" since,
    LastSeq "last_seq" last_seq,
    Final "is_final" is_final,
    More "more" more,
    Rows "rows" rows,
    Name "name" name,
    Over "over" over,
    From "from" from,
    AddedSeq "added_seq" added_seq,
    RemovedSeq "removed_seq" removed_seq,
    Added "added" added,
    Removed "removed" removed,
}

/// What an op must have, and what it may have besides.
fn table(op: OpName) -> (&'static [Field], &'static [Field]) {
    use Field::*;
    match op {
        OpName::Invoke => (&[T, Client, Chat, H], &[Cmid]),
        OpName::Fail | OpName::Info => (&[T, Client, Chat, H], &[Cmid]),
        OpName::Ok | OpName::Recv => (&[T, Client, Chat, H], &[Cmid, Seq, Id, Sender, Nth, Stored]),
        OpName::Show => (&[T, Client, Chat, H], &[Cmid, Seq, Id, Sender, Nth]),
        OpName::Page => (&[T, Client, Chat, Rows], &[Final, More, LastSeq]),
        OpName::Open => (&[T, Client, User], &[]),
        OpName::Down => (&[T, Client], &[]),
        OpName::Join => (&[T, Client, Chat], &[Since, LastSeq]),
        OpName::Leave | OpName::Evict | OpName::Canary => (&[T, Client, Chat], &[]),
        OpName::Row => (&[Chat, H], &[T, Cmid, Seq, Id, Sender]),
        OpName::Chat => (&[Chat, LastSeq], &[T]),
        OpName::Member => (&[Chat, User], &[T, From, AddedSeq, RemovedSeq, Added, Removed]),
        OpName::Note => (&[Chat, User, Seq], &[T]),
        OpName::Fault => (&[T, Name], &[Over]),
    }
}

/// That a line has what its op needs and nothing else.
pub(super) fn check(line: &Line<'_>) -> Result<(), LineError> {
    let bits = |fields: &[Field]| fields.iter().fold(0, |all, one| all | 1_u32 << *one as u32);
    let (needed, allowed) = table(line.op);
    let (present, needed, allowed) = (present(line), bits(needed), bits(allowed));
    let first = |bits: u32| ALL.get(bits.trailing_zeros() as usize).map_or("?", |one| one.word());
    let (missing, odd) = (needed & !present, present & !(needed | allowed));
    if missing != 0 {
        return Err(LineError::Missing { op: line.op, field: first(missing) });
    }
    if odd != 0 {
        return Err(LineError::Odd { op: line.op, field: first(odd) });
    }
    Ok(())
}
