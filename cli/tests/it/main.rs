//! Runs the binary itself: what a shell sees of every verb.

#![expect(
    clippy::unwrap_used,
    reason = "a step that fails fails its test; helpers are no exception"
)]

mod binary;
#[cfg(unix)]
mod chaos;
#[cfg(target_os = "linux")]
mod chat;
#[cfg(unix)]
mod completing;
mod configuring;
#[cfg(unix)]
mod conform;
mod contract;
mod db;
#[cfg(unix)]
mod demo;
#[cfg(unix)]
mod doctoring;
#[cfg(unix)]
mod failing;
mod filing;
mod hostile;
mod house;
mod journals;
mod leftovers;
#[cfg(unix)]
mod lies;
mod listening;
#[cfg(unix)]
mod loading;
mod logs;
mod nodes;
mod offline;
mod operating;
mod outbox;
#[cfg(unix)]
mod pipelines;
mod plans;
#[cfg(unix)]
mod playing;
mod preflighting;
#[cfg(unix)]
mod profiles;
mod prompt;
#[cfg(unix)]
mod proving;
mod proxies;
#[cfg(unix)]
mod recording;
mod redacting;
#[cfg(unix)]
mod running;
#[cfg(unix)]
mod scenarios;
#[cfg(unix)]
mod sending;
mod shell;
mod signing;
mod silence;
#[cfg(unix)]
mod stepping;
mod story;
mod supervised;
#[cfg(unix)]
mod targets;
mod verbs;
mod workers;
