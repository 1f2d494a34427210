//! Who logs in as whom: accounts of the file, of the target, and fresh ones.

use serde_json::Value;
use uuid::Uuid;

use super::{KnownAccount, RunError};
use crate::actor::Account;
use crate::file::Scenario;
use crate::scope::Scope;

pub(super) fn unresolved(scenario: &Scenario, wrong: crate::scope::Unresolved) -> RunError {
    RunError::Account { place: scenario.source.place(wrong.span), message: wrong.message }
}

/// Which of a target's accounts is an actor's: its own, else that of its role.
#[must_use]
pub fn known_of<'a>(
    known: &'a [KnownAccount],
    actor: &crate::file::Actor,
) -> Option<&'a KnownAccount> {
    let of = |name: &str| known.iter().find(|account| account.of == name);
    of(&actor.name.name).or_else(|| of(actor.role.short()))
}

fn known_account(known: &[KnownAccount], actor: &crate::file::Actor) -> Option<Account> {
    let found = known_of(known, actor)?;
    let (email, password) = (found.email.clone(), found.password.clone());
    Some(Account { email, password, ..Account::default() })
}

/// Why the target has no account of its own for everybody: two people with one account would see
/// each other's events, and a stranger who is a member is none.
pub(super) fn shared(scenario: &Scenario, known: &[KnownAccount]) -> Option<String> {
    let mut taken: Vec<(String, &str)> = Vec::new();
    for actor in &scenario.actors {
        if actor.device_of.is_some() || actor.user.is_some() {
            continue;
        }
        let name = actor.name.name.as_str();
        let Some(account) = known_account(known, actor) else { continue };
        if let Some((_, other)) = taken.iter().find(|(email, _)| *email == account.email) {
            return Some(format!(
                "the target has one account for {other} and {name}: its profile may give each \
                 one by name"
            ));
        }
        taken.push((account.email, name));
    }
    None
}

/// The accounts of the file, and fresh ones for actors without: unique, so that parallel runs
/// never meet, and of one region, so that a dispute finds this run's LSM.
pub(super) fn accounts_of(
    scenario: &Scenario,
    scope: &Scope,
    known: &[KnownAccount],
) -> Result<Vec<Account>, RunError> {
    let run = Uuid::new_v4().simple().to_string();
    let run = &run[..12];
    let text = |node: &crate::yaml::Node| match scope.resolve(node, None) {
        Ok(Value::String(text)) => Ok(text),
        Ok(other) => Ok(other.to_string()),
        Err(wrong) => Err(unresolved(scenario, wrong)),
    };
    let mut accounts: Vec<Account> = Vec::new();
    for actor in &scenario.actors {
        accounts.push(match (actor.device_of, &actor.user, &actor.password) {
            (Some(id), ..) => accounts[id.0].clone(),
            (None, Some(user), Some(password)) => {
                Account { email: text(user)?, password: text(password)?, ..Account::default() }
            }
            _ => known_account(known, actor).unwrap_or_else(|| Account {
                email: format!("{}-{run}@example.test", actor.name.name),
                password: Uuid::new_v4().to_string(),
                fresh: Some(format!("region-{run}")),
                ..Account::default()
            }),
        });
    }
    Ok(accounts)
}
