//! Where the fragments of a file are: beside it, elsewhere in its project, or part of the program.
//! A file may come from anybody, so what lies outside is not looked at.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::source::{Source, hint, utf8_of};

/// What shows that a folder is a project's own.
const PROJECT: &str = ".git";

/// The text of the fragment that `use` names; a sentence when there is none.
pub(super) fn find_fragment(source: &Source, path: &str) -> Result<String, String> {
    let bundled = || crate::bundled_fragment(path).map(ToOwned::to_owned);
    let unknown = || {
        let hint = hint(path, crate::bundled_fragments());
        format!("there is no fragment `{path}` beside this file{hint}")
    };
    // What is part of the program is the same wherever it is run.
    if source.is_bundled() {
        return bundled().ok_or_else(unknown);
    }
    if Path::new(path).is_absolute() {
        return Err(format!(
            "`{path}` is absolute: a fragment is named from the folder of its file"
        ));
    }
    let folder = Path::new(source.name()).parent().unwrap_or(Path::new(""));
    let wrong = |error: std::io::Error| format!("cannot read the fragment `{path}`: {error}");
    let whole = match folder.join(path).canonicalize() {
        Ok(whole) => whole,
        Err(error) if error.kind() == ErrorKind::NotFound => return bundled().ok_or_else(unknown),
        Err(error) => return Err(wrong(error)),
    };
    let here = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let project = project_of(&here.canonicalize().map_err(wrong)?);
    // Links are followed by now.
    if !whole.starts_with(&project) {
        return Err(format!(
            "`{path}` is outside of the project, which is the next folder above with {PROJECT}, \
             else the one where trialogue was started, else the file's own"
        ));
    }
    let bytes = std::fs::read(whole).map_err(wrong)?;
    utf8_of(bytes).map_err(|wrong| format!("cannot read the fragment `{path}`:{wrong}"))
}

/// The folder of which a file's folder is a part.
fn project_of(folder: &Path) -> PathBuf {
    let project = folder.ancestors().find(|above| above.join(PROJECT).exists());
    let started = || std::env::current_dir().and_then(|dir| dir.canonicalize()).ok();
    let above = || started().filter(|dir| folder.starts_with(dir));
    project.map(Path::to_owned).or_else(above).unwrap_or_else(|| folder.to_owned())
}
