//! From a line to operations: names become keys, and what cannot be is refused.

use super::fields::{self, Field};
use super::line::{Entry, Line, LineError, Name, OpName};
use super::{NAME_BYTES_MAX, ROWS_MAX, SEQ_MAX};
use crate::checker::Checker;
use crate::key::Print;
use crate::op::{By, Copied, Membership, Op};

impl Line<'_> {
    /// Hands over what the line tells, in the keys of a checker: one operation, or for a page one
    /// more for each of its messages.
    pub(super) fn ops(
        &self,
        checker: &mut Checker,
        mut take: impl FnMut(&mut Checker, Op),
    ) -> Result<(), LineError> {
        fields::check(self)?;
        let op = self.op(checker)?;
        take(checker, op);
        if let Op::Page { by, .. } = op {
            let rows = self.rows.as_deref().unwrap_or_default();
            if rows.len() > ROWS_MAX {
                return Err(LineError::Rows);
            }
            for row in rows {
                let copy = row.copied(checker)?;
                take(checker, Op::Read { by, copy });
            }
        }
        Ok(())
    }

    fn op(&self, checker: &mut Checker) -> Result<Op, LineError> {
        let at = self.t.unwrap_or(0);
        Ok(match self.op {
            OpName::Invoke => {
                let cmid = self.cmid.as_ref().map(|cmid| print(cmid, "cmid")).transpose()?;
                Op::Invoke { by: self.by(checker)?, message: self.message()?, cmid }
            }
            OpName::Ok => {
                let (by, copy) = (self.by(checker)?, self.copied(checker)?);
                Op::Ok { by, copy, stored: self.stored }
            }
            OpName::Fail => Op::Fail { by: self.by(checker)?, message: self.message()? },
            OpName::Info => Op::Info { by: self.by(checker)?, message: self.message()? },
            OpName::Recv => {
                let (by, copy) = (self.by(checker)?, self.copied(checker)?);
                Op::Recv { by, copy, stored: self.stored }
            }
            OpName::Show => Op::Show { by: self.by(checker)?, copy: self.copied(checker)? },
            OpName::Page => Op::Page {
                by: self.by(checker)?,
                is_final: self.is_final.unwrap_or(false),
                more: self.more.unwrap_or(false),
                last_seq: counter(self.last_seq, "last_seq")?,
            },
            OpName::Open => {
                let client = checker.client(name(self.client.as_ref(), Field::Client, self.op)?);
                let user = checker.user(name(self.user.as_ref(), Field::User, self.op)?);
                Op::Open { at, client, user }
            }
            OpName::Down => {
                let client = checker.client(name(self.client.as_ref(), Field::Client, self.op)?);
                Op::Down { at, client }
            }
            OpName::Join => Op::Join {
                by: self.by(checker)?,
                since: counter(self.since, "since")?,
                last_seq: counter(self.last_seq, "last_seq")?,
            },
            OpName::Leave => Op::Leave(self.by(checker)?),
            OpName::Evict => Op::Evict(self.by(checker)?),
            OpName::Canary => Op::Canary(self.by(checker)?),
            OpName::Row => {
                let chat = checker.chat(name(self.chat.as_ref(), Field::Chat, self.op)?);
                Op::Row { chat, copy: self.copied(checker)? }
            }
            OpName::Chat => {
                let chat = checker.chat(name(self.chat.as_ref(), Field::Chat, self.op)?);
                let last_seq = counter(self.last_seq, "last_seq")?.unwrap_or(0);
                Op::Chat { chat, last_seq }
            }
            OpName::Member => {
                let chat = checker.chat(name(self.chat.as_ref(), Field::Chat, self.op)?);
                let user = checker.user(name(self.user.as_ref(), Field::User, self.op)?);
                Op::Member { chat, user, membership: self.membership()? }
            }
            OpName::Note => {
                let chat = checker.chat(name(self.chat.as_ref(), Field::Chat, self.op)?);
                let user = checker.user(name(self.user.as_ref(), Field::User, self.op)?);
                Op::Note { chat, user, seq: seq(self.seq)?.unwrap_or(0) }
            }
            OpName::Fault => {
                let fault = Print::of(name(self.name.as_ref(), Field::Name, self.op)?);
                Op::Fault { at, fault, over: self.over.unwrap_or(false) }
            }
        })
    }

    fn by(&self, checker: &mut Checker) -> Result<By, LineError> {
        Ok(By {
            at: self.t.unwrap_or(0),
            client: checker.client(name(self.client.as_ref(), Field::Client, self.op)?),
            chat: checker.chat(name(self.chat.as_ref(), Field::Chat, self.op)?),
        })
    }

    fn message(&self) -> Result<Print, LineError> {
        name(self.h.as_ref(), Field::H, self.op).map(Print::parse)
    }

    fn copied(&self, checker: &mut Checker) -> Result<Copied, LineError> {
        let h =
            self.h.as_ref().ok_or(LineError::Missing { op: self.op, field: Field::H.word() })?;
        let Self { seq, id, cmid, sender, nth, .. } = self;
        copied(checker, h, (*seq, *nth), [id, cmid, sender])
    }

    fn membership(&self) -> Result<Membership, LineError> {
        let all = Membership::default();
        Ok(Membership {
            from: counter(self.from, "from")?.unwrap_or(all.from),
            added_seq: counter(self.added_seq, "added_seq")?.unwrap_or(all.added_seq),
            removed_seq: counter(self.removed_seq, "removed_seq")?,
            added: self.added.unwrap_or(all.added),
            removed: self.removed,
        })
    }
}

impl Entry<'_> {
    fn copied(&self, checker: &mut Checker) -> Result<Copied, LineError> {
        let Self { seq, id, h, cmid, sender, nth } = self;
        copied(checker, h, (*seq, *nth), [id, cmid, sender])
    }
}

fn copied(
    checker: &mut Checker,
    h: &Name<'_>,
    (place, nth): (Option<u64>, Option<u64>),
    [id, cmid, sender]: [&Option<Name<'_>>; 3],
) -> Result<Copied, LineError> {
    let sender = sender.as_ref().map(|sender| valid(sender, "sender")).transpose()?;
    Ok(Copied {
        message: print(h, "h")?,
        seq: seq(place)?,
        id: id.as_ref().map(|id| print(id, "id")).transpose()?,
        cmid: cmid.as_ref().map(|cmid| print(cmid, "cmid")).transpose()?,
        author: sender.map(|sender| checker.user(sender)),
        nth,
    })
}

fn name<'n>(name: Option<&'n Name<'_>>, field: Field, op: OpName) -> Result<&'n str, LineError> {
    valid(name.ok_or(LineError::Missing { op, field: field.word() })?, field.word())
}

fn valid<'n>(name: &'n Name<'_>, field: &'static str) -> Result<&'n str, LineError> {
    let text = name.as_str();
    let fits = !text.is_empty() && text.len() <= NAME_BYTES_MAX;
    if fits && !text.chars().any(char::is_control) { Ok(text) } else { Err(LineError::Name(field)) }
}

fn print(name: &Name<'_>, field: &'static str) -> Result<Print, LineError> {
    valid(name, field).map(Print::parse)
}

fn seq(seq: Option<u64>) -> Result<Option<u64>, LineError> {
    let fits = seq.is_none_or(|seq| (1..=SEQ_MAX).contains(&seq));
    if fits { Ok(seq) } else { Err(LineError::Seq("seq")) }
}

fn counter(counter: Option<u64>, field: &'static str) -> Result<Option<u64>, LineError> {
    let fits = counter.is_none_or(|counter| counter <= SEQ_MAX);
    if fits { Ok(counter) } else { Err(LineError::Counter(field)) }
}
