//! The check as people and programs see it: a line for each case as it happens, then the sums.

use std::collections::BTreeMap;

use anstyle::{AnsiColor, Style};
use serde_json::{Value, json};
use trialogue_socketio::conform::{Case, Checked, Suite, Verdict};
use url::Url;

use super::judged::{Judged, count};
use crate::exit::Exit;
use crate::human;
use crate::out::Out;
use crate::owned::shown;

/// Longest reason on the screen, in characters; reports have more.
const REASON_CHARS_MAX: usize = 300;
/// The verdicts in the order of the sums.
const VERDICTS: [&str; 4] = ["ok", "non-strict", "unimplemented", "failed"];

/// Prints every case and what it is about.
pub(super) fn list(cases: &[Case], out: &mut Out) -> anyhow::Result<Exit> {
    for case in cases {
        match out.is_json() {
            true => out.json(&json!({
                "type": "case", "suite": case.suite.name(), "id": case.id, "title": case.title,
            }))?,
            false => out.data(&format!("{:<36}{}", case.id, case.title))?,
        }
    }
    Ok(Exit::DONE)
}

/// Where it is shown: on standard output, unless a report goes there.
pub(super) struct Screen<'a> {
    out: &'a mut Out,
    aside: bool,
    /// Whether there is a target above.
    begun: bool,
}

impl<'a> Screen<'a> {
    pub(super) fn new(out: &'a mut Out, aside: bool) -> Self {
        Self { out, aside, begun: false }
    }

    fn line(&mut self, line: &str) -> anyhow::Result<()> {
        if self.aside {
            self.out.say_drawn(line);
            return Ok(());
        }
        self.out.data(line)
    }

    fn document(&mut self, document: &Value) -> anyhow::Result<()> {
        self.out.json(document)
    }

    /// There is no such server.
    pub(super) fn unreachable(&mut self, url: &Url, why: &str) -> anyhow::Result<()> {
        if self.out.is_json() {
            let document = json!({ "type": "unreachable", "target": shown(url), "message": why });
            return self.document(&document);
        }
        // The reason is in the last line.
        self.line(&format!("{} cannot be checked", shown(url)))
    }

    /// What the target offers.
    pub(super) fn target(&mut self, judged: &Judged) -> anyhow::Result<()> {
        if self.out.is_json() {
            let facts: BTreeMap<_, _> = judged.facts.iter().cloned().collect();
            let document = json!({ "type": "target", "target": judged.url, "offers": facts });
            return self.document(&document);
        }
        if std::mem::replace(&mut self.begun, true) {
            self.line("")?;
        }
        self.line(&format!("{} offers", judged.url))?;
        for (name, value) in &judged.facts {
            self.line(&format!("  {name:<23}{}", human::line(value)))?;
        }
        self.line("")
    }

    /// One case, when it is over.
    pub(super) fn case(&mut self, judged: &Judged, checked: &Checked) -> anyhow::Result<()> {
        let Checked { case, verdict, took } = checked;
        if self.out.is_json() {
            return self.document(&json!({
                "type": "case", "target": judged.url, "suite": case.suite.name(), "id": case.id,
                "title": case.title, "verdict": verdict.name(), "reason": verdict.reason(),
                "tookMs": (took.as_secs_f64() * 1e6).round() / 1e3,
            }));
        }
        let (word, style) = word(verdict);
        let (id, millis) = (case.id, took.as_millis());
        let line = format!("{style}{word:<15}{style:#}{id:<36}{millis:>6} ms");
        let reason = cut(&human::line(verdict.reason()));
        match verdict {
            Verdict::Ok => self.line(&line),
            Verdict::NonStrict(_) | Verdict::Unimplemented(_) => {
                self.line(&format!("{line}  {reason}"))
            }
            Verdict::Failed(_) => {
                self.line(&line)?;
                self.line(&format!("{:15}should be: {}", "", case.title))?;
                self.line(&format!("{:15}but: {reason}", ""))
            }
        }
    }

    /// The sums of a target, and why cases did not apply.
    pub(super) fn summary(&mut self, judged: &Judged) -> anyhow::Result<()> {
        let (tried, all) = (judged.checked.len(), judged.cases);
        let suites =
            Suite::ALL.map(|suite| (suite, VERDICTS.map(|of| judged.count(Some(suite), of))));
        let suites = suites.iter().filter(|(_, counts)| counts.iter().sum::<usize>() > 0);
        if self.out.is_json() {
            let sums = |counts: &[usize; 4]| -> BTreeMap<_, _> {
                VERDICTS.into_iter().zip(counts.iter().copied()).collect()
            };
            let suites: BTreeMap<_, _> =
                suites.map(|(suite, counts)| (suite.name(), sums(counts))).collect();
            return self.document(&json!({
                "type": "summary", "target": judged.url, "complete": tried == all, "suites": suites,
            }));
        }
        let rows: Vec<[String; 5]> = suites
            .map(|(suite, [a, b, c, d])| [suite.name().into(), text(a), text(b), text(c), text(d)])
            .collect();
        let [ok, loose, not, failed] = VERDICTS;
        self.line("")?;
        self.line(&human::table([&judged.url, ok, loose, not, failed], &rows))?;
        if tried < all {
            self.line(&format!("cut short: {tried} of {}", count(all, "case")))?;
        }
        self.reasons(judged)
    }

    /// Why cases did not apply, each reason once.
    fn reasons(&mut self, judged: &Judged) -> anyhow::Result<()> {
        let mut reasons: Vec<(&str, usize)> = Vec::new();
        for checked in &judged.checked {
            if let Verdict::Unimplemented(why) = &checked.verdict {
                match reasons.iter_mut().find(|(known, _)| known == why) {
                    Some((_, times)) => *times += 1,
                    None => reasons.push((why, 1)),
                }
            }
        }
        if reasons.is_empty() {
            return Ok(());
        }
        self.line(
            "\nnot tried, because the server does not offer it (--help says what it takes; where it \
             wants to know who you are, --auth or --signed-in says so):",
        )?;
        reasons.sort_by_key(|(_, times)| std::cmp::Reverse(*times));
        for (why, times) in reasons {
            self.line(&format!("{times:>5}  {}", cut(&human::line(why))))?;
        }
        Ok(())
    }

    /// Cases that came out differently at several targets, side by side.
    pub(super) fn differences(&mut self, judged: &[Judged]) -> anyhow::Result<()> {
        let reached: Vec<&Judged> =
            judged.iter().filter(|judged| judged.unreachable.is_none()).collect();
        let Some(first) = reached.first().filter(|_| reached.len() > 1 && !self.out.is_json())
        else {
            return Ok(());
        };
        let name = |judged: &Judged, id: &str| {
            let found = judged.checked.iter().find(|checked| checked.case.id == id);
            found.map_or("-", |checked| checked.verdict.name())
        };
        self.line("\nwhere they differ:")?;
        for (number, judged) in (1..).zip(&reached) {
            self.line(&format!("  [{number}] {}", judged.url))?;
        }
        let head: String =
            (1..=reached.len()).map(|number| format!("[{number}]{:12}", "")).collect();
        self.line(format!("{:<36}{head}", "").trim_end())?;
        for id in first.checked.iter().map(|checked| checked.case.id) {
            let names: Vec<&str> = reached.iter().map(|judged| name(judged, id)).collect();
            if names.iter().any(|name| *name != names[0]) {
                let names: String = names.iter().map(|name| format!("{name:<15}")).collect();
                self.line(format!("{id:<36}{names}").trim_end())?;
            }
        }
        Ok(())
    }
}

fn text(number: &usize) -> String {
    number.to_string()
}

fn word(verdict: &Verdict) -> (&'static str, Style) {
    match verdict {
        Verdict::Ok => ("ok", AnsiColor::Green.on_default()),
        Verdict::NonStrict(_) => ("non-strict", AnsiColor::Yellow.on_default()),
        Verdict::Unimplemented(_) => ("unimplemented", Style::new().dimmed()),
        // A failure must be seen without colours too.
        Verdict::Failed(_) => ("FAILED", AnsiColor::Red.on_default().bold()),
    }
}

fn cut(reason: &str) -> String {
    match reason.char_indices().nth(REASON_CHARS_MAX) {
        Some((at, _)) => format!("{}…", &reason[..at]),
        None => reason.to_owned(),
    }
}
