//! A report for a person: the verdict first, then why.

use std::fmt;

use super::{Doubt, Example, Finding, Report, Verdict};

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Valid => "valid",
            Self::Unknown => "unknown",
            Self::Invalid => "invalid",
        })
    }
}

impl fmt::Display for Example {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "chat {}", self.chat)?;
        if let Some(seq) = self.seq {
            write!(f, ", seq {seq}")?;
        }
        if let Some(message) = &self.message {
            write!(f, ", h {message}")?;
        }
        if let Some(who) = &self.who {
            write!(f, ", {who}")?;
        }
        if let Some(at) = self.at {
            write!(f, ", at {}.{:06} s", at / 1_000_000, at % 1_000_000)?;
        }
        write!(f, ": {}", self.text)
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { invariant, name, count, examples, .. } = self;
        write!(f, "{invariant:?} {name}: {count}")?;
        examples.iter().try_for_each(|example| write!(f, "\n   {example}"))
    }
}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoOk => f.write_str("no send was acknowledged"),
            Self::FinalReadMissing { count, examples } => {
                write!(f, "{count} final reads are missing")?;
                examples.iter().try_for_each(|(chat, user)| write!(f, "\n   chat {chat}, {user}"))
            }
            Self::TableMissing { count, examples } => {
                write!(f, "{count} chats are missing in the dump")?;
                examples.iter().try_for_each(|chat| write!(f, "\n   chat {chat}"))
            }
            Self::FaultsNotFired { ordered, fired } => {
                write!(f, "{fired} faults were fired of {ordered} that were ordered")
            }
            Self::FaultsNotMet { sends, met } => {
                write!(f, "{met} of {sends} sends met a fault: fewer than 1 in 100")
            }
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.verdict)?;
        self.findings.iter().try_for_each(|finding| writeln!(f, "{finding}"))?;
        self.doubts.iter().try_for_each(|doubt| writeln!(f, "unknown: {doubt}"))?;
        let counts = &self.counts;
        writeln!(
            f,
            "{} sends in {} tries: {} ok, {} fail, {} info; {} met one of {} faults",
            counts.sends,
            counts.invokes,
            counts.oks,
            counts.fails,
            counts.infos,
            counts.met_faults,
            counts.faults
        )?;
        writeln!(
            f,
            "{} receivers: {} frames, {} lines, {} read; {} rows",
            counts.receivers, counts.frames, counts.lines, counts.reads, counts.rows
        )?;
        let visible = self.visible.summary();
        write!(
            f,
            "ok to visible, {} samples: p50 {} us, p95 {} us, p99 {} us, max {} us",
            visible.samples, visible.p50, visible.p95, visible.p99, visible.max
        )
    }
}
