//! A draft in `$EDITOR`.

use std::io::Write as _;

use tokio::process::Command;

use crate::edit::DRAFT_BYTES_MAX;

/// Lets the user's editor change a draft, in a file that only the user can read.
///
/// # Errors
/// One sentence; the draft is as it was.
pub(super) async fn edit(draft: String) -> Result<String, String> {
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
    let status = command.status().await.map_err(|error| format!("cannot run {editor}: {error}"))?;
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
