//! Completions that a shell asks for while somebody types: verbs and flags from the clap tree, and
//! the values that only this machine knows (profiles, ids of chats and of unsent messages).
//!
//! The script that a shell reads once calls this program back for every Tab, so it cannot lag behind
//! the clap tree. What may not happen here: a word to the network, a lock, a wait, an error on the
//! person's screen; what cannot be found out is no candidate.

use std::ffi::{OsStr, OsString};

use clap::CommandFactory;
use clap_complete::CompletionCandidate;
use clap_complete::env::Shells;
use trialogue_protocol::ChatId;

use crate::account;
use crate::args::Cli;
use crate::chat::ChatGiven;
use crate::exit::Exit;
use crate::{out, recent};

/// Set by the script to the shell's name when it asks.
const VARIABLE: &str = "TRIALOGUE_COMPLETE";
const NAME: &str = "trialogue";

/// Answers a shell, if it is one that asks.
pub(crate) fn answer() -> Option<Exit> {
    let shell = std::env::var(VARIABLE).ok().filter(|shell| !shell.is_empty())?;
    let mut candidates = Vec::new();
    if let Some(shell) = Shells::builtins().completer(&shell) {
        let words: Vec<OsString> = words().collect();
        let folder = std::env::current_dir().ok();
        let mut command = Cli::command();
        command.build();
        // What cannot be completed has no candidates.
        let _ = shell.write_complete(&mut command, words, folder.as_deref(), &mut candidates);
    }
    Some(out::script(&candidates))
}

/// What was typed so far: it stands behind the first `--`.
fn words() -> impl Iterator<Item = OsString> {
    std::env::args_os().skip_while(|word| word != "--").skip(1)
}

/// The script that makes a shell ask; nothing for a shell that the engine does not know.
pub(crate) fn script(shell: &str) -> Option<std::io::Result<Vec<u8>>> {
    let shells = Shells::builtins();
    let shell = shells.completer(shell)?;
    let mut script = Vec::new();
    // By its bare name the shell finds it as it finds commands; a path must hold in every folder.
    let typed = std::env::args_os().next().map(std::path::PathBuf::from).unwrap_or_default();
    let place = match typed.components().count() {
        0 | 1 => NAME.into(),
        _ => std::env::current_exe().unwrap_or(typed),
    };
    let place = place.to_string_lossy();
    let written = shell.write_registration(VARIABLE, NAME, NAME, &place, &mut script);
    Some(written.map(|()| script))
}

/// Names of profiles.
pub(crate) fn profiles(typed: &OsStr) -> Vec<CompletionCandidate> {
    let names = account::profiles().ok().and_then(|profiles| profiles.names().ok());
    let fits = |name: &str| typed.to_str().is_some_and(|typed| name.starts_with(typed));
    let names = names.unwrap_or_default().into_iter();
    names.filter(|name| fits(name.as_str())).map(|n| n.as_str().into()).collect()
}

/// Ids of the chats that the profile's account saw last, by their beginning or their end.
pub(crate) fn chats(typed: &OsStr) -> Vec<CompletionCandidate> {
    let Some(typed) = typed.to_str() else { return Vec::new() };
    let given: Option<ChatGiven> = typed.parse().ok();
    if given.is_none() && !typed.is_empty() {
        return Vec::new();
    }
    let fits = |id: &ChatId| given.as_ref().is_none_or(|given| given.matches(*id));
    let chats = recent::chats_of(profile_typed().as_deref()).into_iter();
    chats
        .filter(|(id, _)| fits(id))
        .map(|(id, title)| CompletionCandidate::new(id.to_string()).help(Some(title.into())))
        .collect()
}

/// Ids of the messages in the outbox of the profile's account.
pub(crate) fn unsent(typed: &OsStr) -> Vec<CompletionCandidate> {
    let Some(typed) = typed.to_str() else { return Vec::new() };
    let unsent = recent::unsent_of(profile_typed().as_deref()).into_iter();
    unsent
        .filter(|(id, _)| id.as_str().starts_with(typed))
        .map(|(id, text)| CompletionCandidate::new(id.to_string()).help(Some(text.into())))
        .collect()
}

/// The profile on the line that is being typed.
fn profile_typed() -> Option<String> {
    let words: Vec<String> = words().filter_map(|word| word.into_string().ok()).collect();
    let apart = words.windows(2).rfind(|pair| pair[0] == "--profile").map(|pair| pair[1].clone());
    let joined = words.iter().rev().find_map(|word| word.strip_prefix("--profile="));
    apart.or_else(|| joined.map(str::to_owned))
}
