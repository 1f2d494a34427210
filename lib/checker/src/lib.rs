//! Verdicts over recorded histories: what was lost, doubled, misordered, leaked.
//!
//! Whoever tests a chat server records what its clients did and saw, and what an independent
//! database connection found afterwards. A [`Checker`] takes that in and says whether every
//! promise was kept (RELIABILITY §3.0), with the invariants [I1 to I10](Invariant) and the names
//! of [what can be wrong](Wrong).
//!
//! Reads histories and nothing else: no sockets, no clock, no chance. The same history gives the
//! same report, whichever of its files is read first.
//!
//! # A history
//!
//! One file for each process that records, a line of JSON for each thing that happened, flushed
//! before what it announces is done: an `invoke` before the first byte of the send leaves. A line
//! that a kill tore in two is left out. `t` is in microseconds of one clock for all files (or
//! clocks as near as the plan's `clock_error`). A `client` is one run of an app: another device
//! and a restarted app are other clients. `h` is a digest of the body, which a nonce makes unlike
//! all others; sixteen hexadecimal digits are shown as they are in findings, and
//! [`Print::of`] makes such. Ids, names and digests have up to 128 bytes. A field that an `op`
//! does not have is an error that names file and line.
//!
//! ```
//! # let history = r#"
//! {"op":"plan","table":"dump","faults":1,"notes":true,"late":2500000}
//! {"op":"open","t":10,"client":"ann-1","user":"ann"}
//! {"op":"join","t":20,"client":"ann-1","chat":"c","since":0,"last_seq":0}
//! {"op":"page","t":21,"client":"ann-1","chat":"c","more":false,"rows":[]}
//! {"op":"open","t":30,"client":"bob-1","user":"bob"}
//! {"op":"join","t":40,"client":"bob-1","chat":"c","last_seq":0}
//! {"op":"open","t":50,"client":"lsm-1","user":"lsm"}
//! {"op":"join","t":60,"client":"lsm-1","chat":"c","last_seq":0}
//! {"op":"evict","t":70,"client":"lsm-1","chat":"c"}
//! {"op":"invoke","t":100,"client":"ann-1","chat":"c","cmid":"k1","h":"9e3779b97f4a7c15"}
//! {"op":"fail","t":110,"client":"ann-1","chat":"c","cmid":"k1","h":"9e3779b97f4a7c15"}
//! {"op":"invoke","t":120,"client":"ann-1","chat":"c","cmid":"k1","h":"9e3779b97f4a7c15"}
//! {"op":"fault","t":125,"name":"kill-1"}
//! {"op":"info","t":130,"client":"ann-1","chat":"c","cmid":"k1","h":"9e3779b97f4a7c15"}
//! {"op":"down","t":131,"client":"ann-1"}
//! {"op":"fault","t":140,"name":"kill-1","over":true}
//! {"op":"open","t":150,"client":"ann-1","user":"ann"}
//! {"op":"join","t":160,"client":"ann-1","chat":"c","since":0,"last_seq":1}
//! {"op":"page","t":161,"client":"ann-1","chat":"c","more":false,
//!  "rows":[{"seq":1,"id":"m1","h":"9e3779b97f4a7c15"}]}
//! {"op":"show","t":162,"client":"ann-1","chat":"c","seq":1,"id":"m1","h":"9e3779b97f4a7c15"}
//! {"op":"invoke","t":170,"client":"ann-1","chat":"c","cmid":"k1","h":"9e3779b97f4a7c15"}
//! {"op":"ok","t":180,"client":"ann-1","chat":"c","cmid":"k1","seq":1,"id":"m1",
//!  "h":"9e3779b97f4a7c15","stored":true}
//! {"op":"recv","t":190,"client":"bob-1","chat":"c","seq":1,"id":"m1","h":"9e3779b97f4a7c15",
//!  "sender":"ann","stored":true}
//! {"op":"leave","t":200,"client":"bob-1","chat":"c"}
//! {"op":"canary","t":210,"client":"bob-1","chat":"c"}
//! {"op":"page","t":900,"client":"ann-1","chat":"c","is_final":true,"more":false,"last_seq":1,
//!  "rows":[{"seq":1,"id":"m1","h":"9e3779b97f4a7c15"}]}
//! {"op":"page","t":900,"client":"bob-1","chat":"c","is_final":true,"more":false,"last_seq":1,
//!  "rows":[{"seq":1,"id":"m1","h":"9e3779b97f4a7c15"}]}
//! {"op":"row","chat":"c","seq":1,"id":"m1","cmid":"k1","sender":"ann","h":"9e3779b97f4a7c15"}
//! {"op":"chat","chat":"c","last_seq":1}
//! {"op":"member","chat":"c","user":"ann"}
//! {"op":"member","chat":"c","user":"bob","from":1,"added_seq":0,"added":0}
//! {"op":"member","chat":"c","user":"lsm","removed_seq":0,"removed":70}
//! {"op":"note","chat":"c","user":"bob","seq":1}
//! # "#.trim().replace(",\n ", ",");
//! # let path = std::env::temp_dir().join(format!("history-{}.jsonl", std::process::id()));
//! # std::fs::write(&path, &history)?;
//! # let files = [&path];
//! # use trialogue_checker::{Checker, History, Verdict};
//! // (broken over two lines here, where a file has one)
//! let history = History::open(&files)?;
//! let config = history.plan().map(|plan| plan.config()).unwrap_or_default();
//! let mut checker = Checker::new(config);
//! history.read(&mut checker)?;
//! let report = checker.judge();
//! assert_eq!(report.verdict, Verdict::Valid, "{report}");
//! # std::fs::remove_file(&path)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! | op | when it is written |
//! |---|---|
//! | `plan` | first line of a file: [what was ordered](history::Plan) |
//! | `invoke`, `ok`, `fail`, `info` | a try to send begins; is stored; is certainly not stored (only codes that mean it); nobody knows |
//! | `recv`, `show` | a frame came over the connection; the app showed a line |
//! | `open`, `down` | a connection begins (the greeting came); it ended |
//! | `join`, `leave`, `evict` | let into a room; left it; was put out of it |
//! | `page` | a page of history came, or the messages that answer a join; `is_final` in the final read, after everything has come to rest, to the last page that has no `more` |
//! | `canary` | a chat's canary was found in an error, a notification, a log |
//! | `row`, `chat`, `member`, `note` | rows of the tables, by an independent connection, after everything |
//! | `fault` | a fault was fired, or is `over` |
//!
//! `stored` is what an independent database connection saw at that moment (I8).
//!
//! # The verdict
//!
//! **Invalid** when anything was found. **Unknown** when nothing was found and nothing is proved:
//! there was no `ok`; a member's final read, or the dump of a chat, is missing; fewer faults were
//! fired than ordered; or faults were ordered and fewer than 1 % of the sends met one. Else
//! **valid**.
//!
//! Every wrong is told once, by the invariant that it breaks first: a place of which a lost
//! message was told is no hole; a stream that falls because its last message was lost and its
//! place given again is not misordered; two messages with one seq are neither a duplicate frame
//! nor misordered; a changed body is mutated, and not one message that is lost and one that
//! nobody sent. The self-test (`tests/it/self_test.rs`) tells the fourteen lies of RELIABILITY
//! and as many others about thousands of histories: each gets its one name, and without its
//! invariant it is missed.
//!
//! # Who uses it how
//!
//! | | truth | how |
//! |---|---|---|
//! | reliability tests | [`Table::Dump`] | files of all processes, [`History`] |
//! | scenarios | [`Table::Reads`] | [`Checker::take`], final reads by every actor; a word of a scenario is a part of the verdict ([`Report::verdict_of`], [`Report::count`]) |
//! | load tests | [`Table::Acks`] | [`Checker::take`] with keys and numbers, one checker a worker, [`Report::merge`] |
//!
//! | word of a scenario | holds when nothing is found of |
//! |---|---|
//! | `delivery: exactly-once` | I1, I2, I5, I6 |
//! | `delivery: at-least-once`, `at-most-once` | I1, I5, I6; I2, I6 |
//! | `per_sender_order` | [`Wrong::SenderMisordered`] |
//! | `room_order` | I4, I3 |
//! | `room_isolation` | I7 |
//! | `saved_before_broadcast` | I8 |
//! | `history_equals_live` | I5, I8, [`Wrong::Mutated`] |
//!
//! | word of a load test | is |
//! |---|---|
//! | lost | [`Wrong::NeverRead`], [`Wrong::Skipped`] (and [`Wrong::Lost`] where there is a table) |
//! | duplicated, reordered, misrouted, phantom, late | I2, I4, I7, I6, I9 |

mod checker;
mod config;
pub mod history;
mod judge;
mod key;
mod latency;
mod messages;
mod op;
mod ranges;
mod receivers;
mod report;

pub use checker::Checker;
pub use config::{
    Config, EVICT_MAX_DEFAULT, EXAMPLES_MAX_DEFAULT, Invariant, Invariants, LATE_MAX_DEFAULT, Table,
};
pub use history::{History, HistoryError, Line};
pub use key::{ChatKey, ClientKey, Micros, Print, UserKey};
pub use latency::{Latency, LatencySummary};
pub use op::{By, Copied, Membership, Op};
pub use report::{Counts, Doubt, Example, Finding, Report, Verdict, Wrong};
