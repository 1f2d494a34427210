//! A command line that is waited for: what it printed and how it ended, within bounds.

use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::Command;
use tokio::time::timeout;

/// Most that is kept of each output (1 MiB); the rest is read and dropped.
const OUTPUT_BYTES_MAX: u64 = 1 << 20;

/// What came of a command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ran {
    /// Its exit code; absent when a signal ended it.
    pub code: Option<i32>,
    /// What it printed, at most 1 MiB.
    pub stdout: String,
    /// What it complained of, at most 1 MiB.
    pub stderr: String,
}

/// A group of processes that does not outlive whoever waits for it.
struct Group(Pid);

impl Drop for Group {
    fn drop(&mut self) {
        // Nobody may be left of it, which is fine.
        let _gone = kill_process_group(self.0, Signal::KILL);
    }
}

/// Hands `command` to `sh`, with `env` besides the own environment and nothing to read, and waits
/// for its end. All that it started ends with it.
///
/// # Errors
/// There is no shell, or it was not over within the time: a sentence.
pub async fn run_shell(
    command: &str,
    env: &[(String, String)],
    within: Duration,
) -> Result<Ran, String> {
    let mut shell = Command::new("sh");
    shell.arg("-c").arg(command).process_group(0).kill_on_drop(true);
    shell.envs(env.iter().map(|(name, value)| (name, value)));
    shell.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = shell.spawn().map_err(|error| format!("cannot run sh: {error}"))?;
    let pid = child.id().and_then(|pid| i32::try_from(pid).ok()).and_then(Pid::from_raw);
    let group = pid.map(Group);
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let all = async { tokio::join!(text_of(stdout), text_of(stderr), child.wait()) };
    let ended = timeout(within, all).await;
    drop(group);
    match ended {
        Ok((stdout, stderr, Ok(status))) => Ok(Ran { code: status.code(), stdout, stderr }),
        Ok((.., Err(error))) => Err(error.to_string()),
        Err(_) => Err(format!("it was not over within {within:?}")),
    }
}

async fn text_of(output: Option<impl AsyncRead + Unpin>) -> String {
    let Some(mut output) = output else { return String::new() };
    let mut kept = Vec::new();
    // What cannot be read any more is over.
    _ = (&mut output).take(OUTPUT_BYTES_MAX).read_to_end(&mut kept).await;
    _ = tokio::io::copy(&mut output, &mut tokio::io::sink()).await;
    String::from_utf8_lossy(&kept).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_command_is_waited_for_and_does_not_outlive_its_time() {
        let env = [("NAME".to_owned(), "it's; $HOME".to_owned())];
        let command = "printf '%s\\n' \"$NAME\"; echo no >&2; exit 3";
        let ran = run_shell(command, &env, Duration::from_secs(20)).await.unwrap();
        let (stdout, stderr) = ("it's; $HOME\n".to_owned(), "no\n".to_owned());
        assert_eq!(ran, Ran { code: Some(3), stdout, stderr });
        let flood = "head -c 3000000 /dev/zero";
        let ran = run_shell(flood, &[], Duration::from_secs(20)).await.unwrap();
        assert_eq!((ran.code, ran.stdout.len()), (Some(0), 1 << 20));
        let late = run_shell("sleep 60 & sleep 60", &[], Duration::from_millis(100)).await;
        assert_eq!(late, Err("it was not over within 100ms".to_owned()));
    }
}
