//! A draft in `$EDITOR`.

use std::io::Write as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::process::{Child, Command};
use tokio_util::sync::CancellationToken;

use crate::edit::DRAFT_BYTES_MAX;

/// How long an editor that must end may take to tidy up (2 s).
const EDITOR_ENDS_MAX: Duration = Duration::from_secs(2);

/// An editor has this process's terminal.
static EDITING: AtomicBool = AtomicBool::new(false);

/// Whether an editor has this process's terminal: a Ctrl-C there goes to everybody who was started
/// from it, and only the editor is meant.
pub fn is_editing() -> bool {
    EDITING.load(Ordering::SeqCst)
}

/// [`is_editing`], as long as this lives.
struct Editing;

impl Editing {
    fn begin() -> Self {
        EDITING.store(true, Ordering::SeqCst);
        Self
    }
}

impl Drop for Editing {
    fn drop(&mut self) {
        EDITING.store(false, Ordering::SeqCst);
    }
}

/// Lets the user's editor change a draft, in a file that only the user can read. Once `leave` is
/// cancelled the editor must end.
///
/// # Errors
/// One sentence; the draft is as it was.
pub(super) async fn edit(draft: String, leave: CancellationToken) -> Result<String, String> {
    let file = tokio::task::spawn_blocking(move || {
        let file = tempfile::Builder::new().prefix("trialogue-").suffix(".txt").tempfile();
        file.and_then(|mut file| file.write_all(draft.as_bytes()).map(|()| file))
    });
    let file = file.await.map_err(|error| error.to_string())?;
    let file = file.map_err(|error| format!("cannot write a temporary file: {error}"))?;
    let named = |name: &str| std::env::var(name).ok().filter(|value| !value.trim().is_empty());
    let editor = named("VISUAL").or_else(|| named("EDITOR")).unwrap_or_else(|| "vi".to_owned());
    // By way of a shell: the variable may hold arguments.
    let mut command = Command::new("sh");
    command.arg("-c").arg(format!("{editor} \"$1\"")).arg("sh").arg(file.path());
    let _editing = Editing::begin();
    let cannot = |error| format!("cannot run {editor}: {error}");
    let mut child = command.kill_on_drop(true).spawn().map_err(cannot)?;
    let status = tokio::select! {
        status = child.wait() => status.map_err(cannot)?,
        () = leave.cancelled() => {
            end(&mut child).await;
            return Err(format!("{editor} had to end: the draft is as it was"));
        }
    };
    if !status.success() {
        return Err(format!("{editor} ended with {status}: the draft is as it was"));
    }
    let path = file.path().to_owned();
    let text =
        tokio::fs::read(&path).await.map_err(|error| format!("cannot read it back: {error}"))?;
    drop(file);
    if text.len() > DRAFT_BYTES_MAX {
        return Err(format!("it is over {DRAFT_BYTES_MAX} bytes: the draft is as it was"));
    }
    String::from_utf8(text).map_err(|_| "it is no UTF-8: the draft is as it was".to_owned())
}

/// Asks an editor to end, so that it gives the terminal back; one that does not is killed.
async fn end(child: &mut Child) {
    #[cfg(unix)]
    if let Some(pid) = child.id().and_then(|id| i32::try_from(id).ok()) {
        let pid = rustix::process::Pid::from_raw(pid);
        // One that is gone already has ended.
        let _ = pid.map(|pid| rustix::process::kill_process(pid, rustix::process::Signal::TERM));
        let _ = tokio::time::timeout(EDITOR_ENDS_MAX, child.wait()).await;
    }
    let _ = child.kill().await;
}
