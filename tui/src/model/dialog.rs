//! Forms and pages over everything else.

use std::time::Duration;

use trialogue_protocol::{ChatId, DisputeId, Provider};

use crate::edit::Editor;

/// What a form is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Sign in.
    SignIn,
    /// Make an account.
    SignUp,
    /// Book a job.
    Book,
    /// File a dispute.
    Dispute,
    /// End a dispute.
    Resolve,
}

/// What a field takes.
#[derive(Debug, Clone)]
pub enum Input {
    /// Text of one or more rows.
    Text(Editor),
    /// Text that is not shown.
    Secret(Editor),
    /// One of these.
    Choice {
        /// Harmless words.
        options: Vec<String>,
        /// Which one.
        at: usize,
        /// What was typed to find it.
        typed: String,
        /// What is said while there are none; nothing where there always are the same few, which
        /// are shown all at once.
        none: &'static str,
    },
}

/// One line, or a few, of a form.
#[derive(Debug, Clone)]
pub struct Field {
    /// Its name.
    pub label: &'static str,
    /// What it takes.
    pub input: Input,
    /// Rows on the screen.
    pub rows: u16,
    /// What is expected, for the line below.
    pub hint: &'static str,
}

impl Field {
    /// A line of text.
    pub fn line(label: &'static str, text: &str, hint: &'static str) -> Self {
        Self { label, input: Input::Text(Editor::new(text)), rows: 1, hint }
    }

    /// Two lines of text.
    pub fn block(label: &'static str, hint: &'static str) -> Self {
        Self { label, input: Input::Text(Editor::default()), rows: 2, hint }
    }

    /// A secret.
    pub fn secret(label: &'static str, hint: &'static str) -> Self {
        Self { label, input: Input::Secret(Editor::default()), rows: 1, hint }
    }

    /// A choice of a few.
    pub fn choice(label: &'static str, options: &[&str]) -> Self {
        let options = options.iter().map(|option| (*option).to_owned()).collect();
        let input = Input::Choice { options, at: 0, typed: String::new(), none: "" };
        Self { label, input, rows: 1, hint: "" }
    }

    /// A choice of what is still to come, and what is said until then.
    pub fn list(label: &'static str, none: &'static str, hint: &'static str) -> Self {
        let input = Input::Choice { options: Vec::new(), at: 0, typed: String::new(), none };
        Self { label, input, rows: 1, hint }
    }

    /// The text, trimmed; of a choice the chosen word.
    pub fn text(&self) -> &str {
        match &self.input {
            Input::Text(editor) => editor.text().trim(),
            // A password may begin with a space.
            Input::Secret(editor) => editor.text(),
            Input::Choice { options, at, .. } => options.get(*at).map_or("", String::as_str),
        }
    }

    /// Its editor, where it has one.
    pub fn editor(&mut self) -> Option<&mut Editor> {
        match &mut self.input {
            Input::Text(editor) | Input::Secret(editor) => Some(editor),
            Input::Choice { .. } => None,
        }
    }
}

/// A form.
#[derive(Debug, Clone)]
pub struct Form {
    /// What for.
    pub kind: Kind,
    /// Above it.
    pub title: String,
    /// From top to bottom.
    pub fields: Vec<Field>,
    /// The one with the cursor.
    pub at: usize,
    /// What is wrong.
    pub problem: Option<String>,
    /// It was sent then, and no answer came yet.
    pub busy: Option<Duration>,
    /// Makes a repeat harmless.
    pub key: String,
    /// Which chat it is about.
    pub chat: Option<ChatId>,
    /// Which dispute it ends.
    pub dispute: Option<DisputeId>,
    /// Whom the first choice means.
    pub providers: Vec<Provider>,
    /// What stood in it when it was new.
    begun: Vec<String>,
    /// What stood in it when it was sent last.
    sent: Option<Vec<String>>,
}

impl Form {
    /// An empty one.
    pub fn new(kind: Kind, title: impl Into<String>, fields: Vec<Field>, key: String) -> Self {
        let begun = texts(&fields);
        Self {
            kind,
            title: title.into(),
            fields,
            begun,
            sent: None,
            at: 0,
            problem: None,
            busy: None,
            key,
            chat: None,
            dispute: None,
            providers: Vec::new(),
        }
    }

    /// Whether something was written that only this form has.
    pub fn has_text(&self) -> bool {
        self.kind != Kind::SignIn && texts(&self.fields) != self.begun
    }

    /// It is sent; `true`: it says something else than the last time, so it is another request.
    pub fn send(&mut self, now: Duration) -> bool {
        let all = all_texts(&self.fields);
        let is_other = self.sent.as_ref().is_some_and(|sent| *sent != all);
        (self.busy, self.problem, self.sent) = (Some(now), None, Some(all));
        is_other
    }

    /// Whether it still says what was sent.
    fn is_sent(&self) -> bool {
        self.sent.as_ref() == Some(&all_texts(&self.fields))
    }

    /// The field with the cursor.
    pub fn field(&mut self) -> Option<&mut Field> {
        self.fields.get_mut(self.at)
    }

    /// What stands in the field of that name.
    pub fn text(&self, label: &str) -> &str {
        self.fields.iter().find(|field| field.label == label).map_or("", Field::text)
    }

    /// The cursor moves on or back, around the ends.
    pub fn step(&mut self, by: isize) {
        let len = self.fields.len().max(1);
        let by = by.rem_euclid(isize::try_from(len).unwrap_or(1));
        self.at = (self.at + usize::try_from(by).unwrap_or_default()) % len;
    }

    /// Something is wrong, with a field where it has this name: the cursor goes there.
    pub fn reject(&mut self, label: &str, why: impl Into<String>) {
        self.busy = None;
        self.problem = Some(why.into());
        if let Some(at) = self.fields.iter().position(|field| field.label == label) {
            self.at = at;
        }
    }
}

/// What was written by hand, without secrets.
fn texts(fields: &[Field]) -> Vec<String> {
    let written = fields.iter().filter(|field| matches!(field.input, Input::Text(_)));
    written.map(|field| field.text().to_owned()).collect()
}

/// What was written or chosen, without secrets.
fn all_texts(fields: &[Field]) -> Vec<String> {
    let said = fields.iter().filter(|field| !matches!(field.input, Input::Secret(_)));
    said.map(|field| field.text().to_owned()).collect()
}

/// Lines to read.
#[derive(Debug, Clone)]
pub struct Page {
    /// Above it.
    pub title: String,
    /// Harmless lines.
    pub lines: Vec<String>,
    /// The first line on the screen.
    pub top: usize,
    /// Only lines with these letters, of those that are still to come.
    pub only: String,
}

/// What is over everything else.
#[derive(Debug, Clone)]
pub enum Dialog {
    /// To fill in.
    Form(Box<Form>),
    /// To read.
    Page(Page),
}

/// See the module.
#[derive(Debug, Clone, Default)]
pub struct Dialogs {
    /// What is open.
    pub open: Option<Dialog>,
    /// Forms that were left, with their text: at most one of each kind.
    kept: Vec<Form>,
    /// The form that the open page stands over.
    below: Option<Kind>,
}

impl Dialogs {
    /// The open form.
    pub fn form(&mut self) -> Option<&mut Form> {
        match &mut self.open {
            Some(Dialog::Form(form)) => Some(form),
            Some(Dialog::Page(_)) | None => None,
        }
    }

    /// The open form, if it is of that kind.
    pub fn form_of(&mut self, kind: Kind) -> Option<&mut Form> {
        self.form().filter(|form| form.kind == kind)
    }

    /// Opens a page.
    pub fn read(&mut self, title: impl Into<String>, lines: Vec<String>) {
        let below = self.form().map(|form| form.kind);
        self.below = below.or(self.below);
        self.lay_aside();
        self.open =
            Some(Dialog::Page(Page { title: title.into(), lines, top: 0, only: String::new() }));
    }

    /// Opens a form: the one that was left, where it is about the same thing.
    pub fn fill(&mut self, fresh: Form) {
        self.lay_aside();
        self.below = None;
        let same = |form: &Form| form.kind == fresh.kind && form.chat == fresh.chat;
        let kept = self.kept.iter().position(same).map(|at| self.kept.remove(at));
        self.open = Some(Dialog::Form(Box::new(kept.unwrap_or(fresh))));
    }

    /// Closes what is open; the text of a form is kept, and the one below a page comes back.
    pub fn leave(&mut self) {
        self.lay_aside();
        let below = self.below.take();
        let at = below.and_then(|kind| self.kept.iter().position(|form| form.kind == kind));
        self.open = at.map(|at| Dialog::Form(Box::new(self.kept.remove(at))));
    }

    fn lay_aside(&mut self) {
        if let Some(Dialog::Form(mut form)) = self.open.take() {
            self.kept.retain(|kept| kept.kind != form.kind);
            // A password is not kept for whoever comes next.
            for field in &mut form.fields {
                if let Input::Secret(editor) = &mut field.input {
                    *editor = Editor::default();
                }
            }
            form.busy = None;
            self.kept.push(*form);
        }
    }

    /// What a form asked for is done: it goes, and whatever was written in it since then stays.
    pub fn answered(&mut self, kind: Kind) {
        if self.form_of(kind).is_some_and(|form| form.busy.is_some() || form.is_sent()) {
            self.open = None;
        }
        self.kept.retain(|form| form.kind != kind || !form.is_sent());
    }

    /// Whether a form has text that is nowhere else.
    pub fn has_text(&self) -> bool {
        let open = match &self.open {
            Some(Dialog::Form(form)) => Some(&**form),
            Some(Dialog::Page(_)) | None => None,
        };
        open.into_iter().chain(&self.kept).any(Form::has_text)
    }

    /// Closes what is open for good.
    pub fn done(&mut self) {
        (self.open, self.below) = (None, None);
    }
}
