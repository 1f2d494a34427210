//! `trialogue new`: a scenario to begin with, which holds as it is.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::ValueEnum;

use super::Context;
use crate::exit::{Exit, Failure};
use crate::out::Out;
use crate::prompt;

/// Arguments of `new`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Its name: a-z, 0-9 and - (asked for at a terminal)
    name: Option<String>,
    /// Who takes part besides the customer and the provider
    #[arg(long, value_enum, value_delimiter = ',', value_name = "ROLE")]
    with: Vec<More>,
    /// The file [default: NAME.scn.yaml]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Who may take part besides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum More {
    /// A local service manager, called in by a dispute
    Lsm,
    /// Somebody who has no business in the chat
    Stranger,
    /// A server that is killed in the middle
    Crash,
}

/// Writes the file; never over another one.
pub(crate) async fn run(args: Args, context: &Context, out: &mut Out) -> anyhow::Result<Exit> {
    let name = match args.name {
        Some(name) => name,
        None => {
            let label = "Name of the scenario: ";
            prompt::line(&context.global, out, label, "give it as NAME").await?
        }
    };
    let is_fine = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if name.is_empty() || !name.chars().all(is_fine) {
        return Err(Failure::usage("a scenario's name is a-z, 0-9 and -").into());
    }
    let path = args.output.unwrap_or_else(|| PathBuf::from(format!("{name}.scn.yaml")));
    let mut file = match std::fs::File::create_new(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            return Err(Failure::usage(format!("{} is there already", path.display())).into());
        }
        Err(error) => {
            return Err(error).with_context(|| format!("cannot write {}", path.display()));
        }
    };
    file.write_all(text(&name, &args.with).as_bytes())
        .with_context(|| format!("cannot write {}", path.display()))?;
    let path = path.display();
    out.data(&path.to_string())?;
    out.say(&format!("next: trialogue check {path}, then trialogue run {path}"));
    Ok(Exit::DONE)
}

const STRANGER: &str = "
  # Who is not in the chat is refused, and hears nothing.
  - { as: stranger, emit: join_chat, data: { chatId: \"${chat}\" }, expect: { error: { code: denied } } }
  - { as: stranger, never: new_message, during: 300ms }
";

const LSM: &str = "
  # A dispute calls the local service manager in.
  - { as: customer, do: dispute, with: { chat: \"${chat}\", reason: price }, save: { dispute: $.dispute } }
  - { as: lsm, do: enter_dispute, with: { dispute: \"${dispute}\" } }
  - { as: lsm, join: \"${chat}\" }
  - { id: m2, as: lsm, send: { chat: \"${chat}\", text: \"How can I help?\" } }
  - { delivered: { message: m2, to: [customer, provider, lsm], via: live } }
";

const CRASH: &str = "
  # The server dies; what is typed meanwhile waits in the outbox and is not lost.
  - { server: kill }
  - { as: [customer, provider], state: reconnecting }
  - { id: m3, as: customer, send: { chat: \"${chat}\", text: typed while offline } }
  - { server: start }
  - { as: [customer, provider], reconnected: { rejoined: [\"${chat}\"] }, within: 15s }
  - { delivered: { message: m3, to: [customer, provider], via: either } }
";

const END: &str = "
order:
  - booked < m1.sent < m1@provider

check:
  delivery: exactly-once
  per_sender_order: true
  room_order: true
  history_equals_live: true
";

/// Proves something where somebody listens who is not in the chat, or not yet.
const ISOLATION: &str = "  room_isolation: true
";

fn text(name: &str, with: &[More]) -> String {
    let has = |more| with.contains(&more);
    let mut actors = String::from("  customer: { role: customer, outbox: true }\n");
    actors.push_str("  provider: { role: provider }\n");
    let mut all = String::from("customer, provider");
    for (more, actor, role) in [(More::Lsm, "lsm", "lsm"), (More::Stranger, "stranger", "customer")]
    {
        if has(more) {
            _ = writeln!(actors, "  {actor}: {{ role: {role} }}");
            _ = write!(all, ", {actor}");
        }
    }
    let mut text = format!(
        "scenario: 1
name: {name}
description: Say in one sentence what must hold.
tags: [draft]
defaults: {{ within: 5s, reconnect: {{ delay: 200ms, max: 1s }} }}

# Fresh accounts for each run: runs never meet. `user` and `password` name an account that exists.
actors:
{actors}
steps:
  - {{ as: [{all}], login: true }}
  - {{ as: [{all}], connect: true }}

  # A booking makes the chat; what a step saves is ${{chat}} from then on.
  - id: booked
    as: customer
    do: book
    with: {{ provider: provider, title: Fix the sink }}
    expect: {{ status: 201, json: {{ chat: {{ is: uuid }} }} }}
    save: {{ chat: $.chat }}
  - {{ as: [customer, provider], join: \"${{chat}}\" }}

  # `delivered` waits until everybody was shown the message.
  - {{ id: m1, as: customer, send: {{ chat: \"${{chat}}\", text: Hello }} }}
  - {{ delivered: {{ message: m1, to: [customer, provider], via: live }} }}
  - {{ id: answer, as: provider, send: {{ chat: \"${{chat}}\", text: On my way }} }}
  - {{ delivered: {{ message: answer, to: [customer, provider], via: live }} }}
"
    );
    for (more, steps) in [(More::Stranger, STRANGER), (More::Lsm, LSM), (More::Crash, CRASH)] {
        if has(more) {
            text += steps;
        }
    }
    text += END;
    if has(More::Stranger) || has(More::Lsm) {
        text += ISOLATION;
    }
    text
}

#[cfg(test)]
mod tests {
    use trialogue_scenarios::file::{read, tidy};
    use trialogue_scenarios::source::Source;

    use super::*;

    #[test]
    fn every_kind_of_a_new_scenario_makes_sense_and_is_laid_out_well() {
        let all = [More::Lsm, More::Stranger, More::Crash];
        for n in 0..8_usize {
            let with: Vec<More> = all
                .iter()
                .enumerate()
                .filter(|(at, _)| n >> at & 1 == 1)
                .map(|(_, m)| *m)
                .collect();
            let source = Source::new("t", text("t", &with));
            read(&source).unwrap_or_else(|wrong| panic!("{wrong}"));
            assert_eq!(tidy(&source).unwrap(), source.text());
        }
    }
}
