//! What a run writes down: a history of `trialogue_checker`, a file for each client.

use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use serde_json::Value;
use trialogue_checker::history::{Entry, OpName, Plan};
use trialogue_checker::{Checker, History as Read, Line, Print, Report, Verdict};

/// The folder of a run and its clock.
#[derive(Debug)]
pub(super) struct History {
    folder: tempfile::TempDir,
    begin: Instant,
    files: Mutex<Vec<PathBuf>>,
}

impl History {
    pub(super) fn begin() -> Arc<Self> {
        let folder = tempfile::tempdir().unwrap();
        Arc::new(Self { folder, begin: Instant::now(), files: Mutex::default() })
    }

    /// Microseconds since the run began.
    pub(super) fn now(&self) -> u64 {
        u64::try_from(self.begin.elapsed().as_micros()).unwrap()
    }

    /// A file of its own for a client, or for whoever else writes under this name.
    pub(super) fn pen(self: &Arc<Self>, name: &str) -> Pen {
        let path = self.folder.path().join(format!("{name}.jsonl"));
        let file = Mutex::new(File::create_new(&path).unwrap());
        self.files.lock().unwrap().push(path);
        Pen { history: Arc::clone(self), client: name.to_owned(), file }
    }

    /// Reads everything and judges it by `plan`.
    pub(super) fn report(&self, plan: &Plan) -> Report {
        let files = self.files.lock().unwrap().clone();
        let mut checker = Checker::new(plan.config());
        Read::open(&files).unwrap().read(&mut checker).unwrap();
        checker.judge()
    }

    /// The same of a run that must be valid; when it is not, the files stay.
    pub(super) fn judge(self: Arc<Self>, plan: &Plan) -> Report {
        let report = self.report(plan);
        if report.verdict != Verdict::Valid {
            let folder = Arc::into_inner(self).map(|history| history.folder.keep());
            panic!("{report}\nthe history is in {folder:?}");
        }
        report
    }
}

/// Writes for one client, each line with one write before anything else is done.
#[derive(Debug)]
pub(super) struct Pen {
    history: Arc<History>,
    client: String,
    file: Mutex<File>,
}

impl Pen {
    pub(super) fn now(&self) -> u64 {
        self.history.now()
    }

    /// A line of this client, of now unless it says when.
    pub(super) fn client(&self, line: Line<'_>) {
        self.write(Line { client: Some(self.client.as_str().into()), ..line }, true);
    }

    /// A line of nobody's: of a fault.
    pub(super) fn fault(&self, name: &str, over: bool) {
        let over = over.then_some(true);
        let line = Line { op: OpName::Fault, name: Some(name.into()), over, ..Line::default() };
        self.write(line, true);
    }

    /// A row of a table.
    pub(super) fn row(&self, line: Line<'_>) {
        self.write(line, false);
    }

    fn write(&self, line: Line<'_>, has_time: bool) {
        let mut file = self.file.lock().unwrap();
        let t = line.t.or_else(|| has_time.then(|| self.now()));
        let mut text = serde_json::to_vec(&Line { t, ..line }).unwrap();
        text.push(b'\n');
        file.write_all(&text).unwrap();
    }
}

/// What identifies a body: a nonce makes each unlike all others.
pub(super) fn digest(body: &str) -> String {
    Print::of(body).to_string()
}

/// A message of the wire as a row of a page.
pub(super) fn entry(message: &Value) -> Entry<'static> {
    let text = |field: &str| message[field].as_str().map(str::to_owned);
    Entry {
        seq: message["seq"].as_u64(),
        id: text("id").map(Into::into),
        h: digest(message["message"].as_str().unwrap()).into(),
        cmid: text("clientMessageId").map(Into::into),
        sender: message["sender_id"].as_i64().map(|id| id.to_string().into()),
        nth: None,
    }
}

/// The same as a line of a frame or an acknowledgement.
pub(super) fn copy(op: OpName, message: &Value) -> Line<'static> {
    let entry = entry(message);
    Line {
        op,
        chat: Some(message["chatId"].as_str().unwrap().to_owned().into()),
        seq: entry.seq,
        id: entry.id,
        h: Some(entry.h),
        cmid: entry.cmid,
        sender: entry.sender,
        ..Line::default()
    }
}
