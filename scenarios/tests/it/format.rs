//! Files in, mistakes out: each with its place, all at once, and no second-hand noise.

use trialogue_scenarios::file::read;
use trialogue_scenarios::source::Source;

/// A file whose steps are `steps`, two blanks deep.
fn with_steps(steps: &str) -> String {
    let head = "scenario: 1\nname: t\nactors:\n  customer: { role: customer }\n  \
                provider: { role: provider }\nsteps:\n";
    format!("{head}{}", steps.lines().map(|line| format!("  {line}\n")).collect::<String>())
}

fn mistakes(text: &str) -> String {
    match read(&Source::new("t.scn.yaml", text)) {
        Ok(_) => "nothing is wrong\n".to_owned(),
        Err(wrong) => format!("{wrong}\n"),
    }
}

#[test]
fn the_bundled_demo_is_read() {
    let scenario = trialogue_scenarios::bundled("demo").unwrap();
    let scenario = read(&scenario).unwrap_or_else(|wrong| panic!("{wrong}"));
    assert_eq!(scenario.name, "demo");
    assert_eq!(scenario.actors.len(), 4);
    assert!(scenario.steps.len() > 30);
    assert_eq!(scenario.order.len(), 5);
}

#[test]
fn a_typo_in_a_verb_is_one_mistake() {
    insta::assert_snapshot!(mistakes(&with_steps("- { as: customer, recieve: new_message }")), @"
    t.scn.yaml:7:21: error: unknown field `recieve` in a step; did you mean `receive`?
        7 |   - { as: customer, recieve: new_message }
          |                     ^^^^^^^
    ");
}

#[test]
fn every_mistake_of_a_step_is_reported_at_once() {
    let steps = r#"- { as: custmer, login: yes }
- { as: customer, send: { chat: x }, within: 5, id: Hello }
- { as: customer, join: x, emit: y }
- { as: customer, note: only words }
- { join: x }
- { as: provider, wait: 2s }
- { as: [provider, provider], join: x, count: 2 }
- { as: customer, history: x, expect: { status: 99, jsn: {} } }
- { id: m, as: customer, join: x }
- { id: m, as: customer, join: x }
- { delivered: { message: m, to: provider } }
- { delivered: { message: n, to: provider, via: alive } }
- { as: customer, get: { path: /x, jsom: 1 } }
- { as: customer, join: x, save: { a: user.id } }
- { repeat: 99999, steps: [] }
- { server: kil }
- { as: customer, state: { is: connected, failed_attempts: { min: 3, max: 2 } } }
- { act: "X", lanes: [customer, sever] }
- { as: customer, join: x, join: y }
- 7"#;
    insta::assert_snapshot!(mistakes(&with_steps(steps)));
}

#[test]
fn every_mistake_of_the_head_is_reported_at_once() {
    let text = r#"scenario: 2
nme: t
timeout: 5
seed: -1
defaults: { within: 2h, transport: udp, reconnect: { delay: 1s, cap: 2s } }
actors:
  Customer: { role: custommer }
  self: { role: lsm, user: a@b.test }
  bob: { rol: customer }
steps: {}
order: [a < b, "a", 7]
check: { delivery: once, room_ordr: true, room_order: 1 }
"#;
    insta::assert_snapshot!(mistakes(text));
}

#[test]
fn an_order_names_steps_and_actors_that_exist() {
    let text = with_steps("- { id: m1, as: customer, send: { chat: x, text: y } }")
        + "order: [m1.sent < m1@provider, m1 < m2, m1@lsm < m1, m1.sved < m1]\n";
    insta::assert_snapshot!(mistakes(&text));
}

#[test]
fn a_file_that_is_something_else_is_said_to_be() {
    insta::assert_snapshot!(
        ["", "[]", "hello", "a: &x 1", "a: 1\n---\nb: 2", "a: [", "a: !!str x"]
            .map(mistakes)
            .join("\n")
    );
}
