//! Where a password comes from: never from an argument, which every process of the machine sees.

use std::io::{IsTerminal, Read};
use std::path::PathBuf;

use anyhow::Context as _;

use crate::args::Global;
use crate::exit::Failure;
use crate::out::Out;
use crate::prompt;

/// The environment's way.
pub(crate) const VARIABLE: &str = "TRIALOGUE_PASSWORD";

/// Longest file in bytes: a password and a newline, whatever the editor added.
const FILE_BYTES_MAX: u64 = 4_096;

const INSTEAD: &str = "use --password-stdin, --password-file or TRIALOGUE_PASSWORD";

/// Flags; without one the variable `TRIALOGUE_PASSWORD` is taken, else it is asked for.
#[derive(clap::Args)]
#[group(multiple = false)]
pub(crate) struct PasswordFrom {
    /// Read the password from the first line of standard input
    #[arg(long)]
    password_stdin: bool,
    /// Read the password from the first line of a file
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
}

/// The password of an account that is there.
pub(crate) async fn existing(
    from: &PasswordFrom,
    global: &Global,
    out: &mut Out,
) -> anyhow::Result<String> {
    match given(from).await? {
        Some(password) => Ok(password),
        None => prompt::secret(global, out, "Password: ", INSTEAD).await,
    }
}

/// The password of an account that begins: asked for twice, since nobody sees it.
pub(crate) async fn new(
    from: &PasswordFrom,
    global: &Global,
    out: &mut Out,
) -> anyhow::Result<String> {
    if let Some(password) = given(from).await? {
        return Ok(password);
    }
    let password = prompt::secret(global, out, "Password: ", INSTEAD).await?;
    if prompt::secret(global, out, "Password again: ", INSTEAD).await? != password {
        return Err(Failure::usage("the two passwords differ").into());
    }
    Ok(password)
}

/// From a flag or the environment.
async fn given(from: &PasswordFrom) -> anyhow::Result<Option<String>> {
    if from.password_stdin {
        if std::io::stdin().is_terminal() {
            // It would be shown as it is typed.
            return Err(Failure::usage("--password-stdin wants a pipe or a file").into());
        }
        return Ok(Some(prompt::answer().await?));
    }
    if let Some(path) = &from.password_file {
        let read = || {
            let mut text = String::new();
            std::fs::File::open(path)?.take(FILE_BYTES_MAX).read_to_string(&mut text)?;
            std::io::Result::Ok(text)
        };
        let text = read().with_context(|| format!("cannot read {}", path.display()))?;
        return Ok(Some(text.lines().next().unwrap_or_default().to_owned()));
    }
    match std::env::var(VARIABLE) {
        Ok(password) => Ok(Some(password)),
        Err(std::env::VarError::NotPresent) => Ok(None),
        Err(error) => Err(anyhow::Error::new(error).context(VARIABLE)),
    }
}
