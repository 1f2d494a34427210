//! `trialogue logout`: ends the session at the server and forgets it here.

use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;
use trialogue_client::journal::OpenError;

use crate::account::Account;
use crate::exit::Exit;
use crate::out::Out;
use crate::verb::Context;

/// How long another process may still have the outbox open: the server ends its session too, and
/// within 2 s its sockets (CONTRACT §1).
const OUTBOX_WAIT: Duration = Duration::from_secs(3);

/// What `--json` prints.
#[derive(Serialize)]
struct SignedOut<'a> {
    profile: &'a str,
    /// Messages that no server has, and that stay.
    unsent: usize,
    /// Where they are.
    outbox: Option<PathBuf>,
}

/// Forgets the tokens, the recent chats and the texts of what was sent, whether or not the server
/// can be told. What was never sent stays, because nothing is dropped in silence.
pub(crate) async fn run(context: &Context, out: &mut Out) -> anyhow::Result<Exit> {
    let account = Account::open(&context.global)?;
    // Not within one time limit for all: what is forgotten here must not wait for a silent server.
    let told = account.rest.logout().await;
    let wiped = account.wipe_recent();
    // To open it is to write it anew, without the texts of what was sent.
    let outbox = account.outbox(OUTBOX_WAIT.min(context.global.timeout)).await;
    let unsent = match &outbox {
        Ok(opened) => opened.as_ref().map_or(0, |opened| opened.restored.len()),
        Err(_) => account.look_at_outbox()?.map_or(0, |looked| looked.restored.len()),
    };
    let outbox = match outbox {
        Ok(opened) => opened.map(|_| account.outbox_folder()),
        Err(error) if matches!(error.downcast_ref(), Some(OpenError::Busy)) => {
            out.say(&format!("{error}; what it has sent leaves the disk when it ends"));
            Some(account.outbox_folder())
        }
        Err(error) => {
            return Err(error.context(match told {
                Ok(_) => "signed out, but texts that were sent may still be on this disk",
                Err(_) => {
                    "the server was not told, and texts that were sent may still be on this disk"
                }
            }));
        }
    };
    wiped?;
    told?;
    if out.is_json() {
        out.json(&SignedOut { profile: account.profile_name(), unsent, outbox })?;
        return Ok(Exit::DONE);
    }
    out.say(&format!("signed out, profile {}", account.profile_name()));
    if let Some(folder) = outbox.filter(|_| unsent > 0) {
        let (stay, them) = match unsent {
            1 => ("message stays", "it"),
            _ => ("messages stay", "them"),
        };
        out.say(&format!("{unsent} unsent {stay} in {}", folder.display()));
        out.say(&format!(
            "`trialogue outbox` shows {them}, `trialogue outbox --discard-all` wipes {them}"
        ));
    }
    Ok(Exit::DONE)
}
