//! Who takes part: accounts and rooms, made over the server's own routes.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream;
use trialogue_client::{Credentials, Error, Rest};
use trialogue_protocol::{CreateJob, ErrorCode, OpenDispute, Register, Role, UserId};
use uuid::Uuid;

use crate::plan::Plan;
use crate::target::Target;
use crate::users::Renewal;

/// Rooms that are made at once.
const AT_ONCE: usize = 16;
/// A server that limits how fast accounts are made is obeyed, for so many pauses.
const PATIENCE: u32 = 60;
/// The pause when it does not say how long.
const PAUSE: Duration = Duration::from_millis(500);
const PAUSE_MAX: Duration = Duration::from_secs(10);
/// Most people of a room: a customer, a provider, and a manager once there is a dispute.
pub(crate) const PEOPLE_MAX: u32 = 3;

/// A room and who may enter it.
#[derive(Debug, Clone)]
pub struct Room {
    /// The id of its chat, of letters that JSON need not escape.
    pub chat: String,
    /// Tokens of its people, who take turns in having a socket.
    pub tokens: Vec<Arc<str>>,
}

/// Why there is nobody to speak.
#[derive(Debug, thiserror::Error)]
#[error("cannot set the stage: {what}")]
pub struct CastError {
    pub(crate) what: String,
    #[source]
    pub(crate) source: Option<Error>,
}

/// What was made for a run.
#[derive(Debug)]
pub struct Made {
    /// The rooms.
    pub rooms: Vec<Room>,
    /// Keeps the tokens of their people fresh while it is polled: sockets find the newest in the
    /// target's `tokens`.
    pub renewal: Renewal,
}

/// Makes the accounts and the rooms of a plan; `told` learns how many rooms there are.
///
/// # Errors
/// The first request that was refused, or not answered.
pub async fn make(
    target: &Target,
    plan: &Plan,
    mut told: impl FnMut(usize),
) -> Result<Made, CastError> {
    let run = Uuid::new_v4().simple().to_string();
    let run = &run[..12];
    let people = plan.members.min(PEOPLE_MAX);
    let rooms = (0..plan.rooms).map(|number| room(target, format!("{run}-{number}"), people));
    let mut rooms = stream::iter(rooms).buffered(AT_ONCE);
    let mut renewal = Renewal::new(target.tokens.clone());
    let mut made = Vec::with_capacity(plan.rooms as usize);
    while let Some(room) = rooms.next().await {
        let (room, people) = room?;
        let first = room.tokens.iter().cloned();
        people.into_iter().zip(first).for_each(|(rest, first)| renewal.watch(rest, first));
        made.push(room);
        told(made.len());
    }
    Ok(Made { rooms: made, renewal })
}

/// A booked job; with a third person a dispute and its manager.
async fn room(target: &Target, name: String, people: u32) -> Result<(Room, Vec<Rest>), CastError> {
    let person = |role| person(target, role, &name);
    let (customer, _) = person(Role::Customer).await?;
    let (provider, id) = person(Role::Provider).await?;
    let book = CreateJob {
        provider_id: id,
        title: Some("load".to_owned()),
        description: None,
        location: None,
        scheduled_at: None,
        budget: None,
    };
    let booked = patiently("book a job", || customer.create_job(&book, Some(&name))).await?;
    let chat = booked.chat_id;
    let mut all = vec![customer, provider];
    // Who may not register managers has rooms of two people.
    let manager = if people > 2 { allowed(person(Role::Lsm).await)? } else { None };
    if let Some((manager, _)) = manager {
        let description = "load".to_owned();
        let body = OpenDispute { chat_id: Some(chat), job_id: None, description };
        let opened = patiently("open a dispute", || all[0].open_dispute(&body)).await?;
        patiently("join a dispute", || manager.join_dispute(opened.dispute_id)).await?;
        all.push(manager);
    }
    let tokens = all.iter().map(token).collect::<Result<_, _>>()?;
    Ok((Room { chat: chat.to_string(), tokens }, all))
}

/// Nothing when it was refused.
fn allowed<T>(made: Result<T, CastError>) -> Result<Option<T>, CastError> {
    match made {
        Ok(made) => Ok(Some(made)),
        Err(CastError { source: Some(Error::Refused(_)), .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

pub(crate) fn token(rest: &Rest) -> Result<Arc<str>, CastError> {
    match rest.credentials().tokens() {
        // It stands in packets as it is.
        Some(tokens) if tokens.access_token.bytes().all(|b| b.is_ascii_graphic() && b != b'"') => {
            Ok(tokens.access_token.as_str().into())
        }
        _ => Err(CastError { what: "an account without a usable token".to_owned(), source: None }),
    }
}

async fn person(target: &Target, role: Role, name: &str) -> Result<(Rest, UserId), CastError> {
    let rest = Rest::new(target.http.clone(), target.dialect, Credentials::in_memory(None));
    let body = Register {
        email: format!("load-{}-{name}@example.test", role.as_str()),
        password: Uuid::new_v4().to_string(),
        first_name: "Load".to_owned(),
        last_name: "Test".to_owned(),
        role,
        region: Some(format!("load-{name}")),
        business_name: None,
    };
    let what = format!("register a {}", role.as_str());
    let session = patiently(&what, || rest.register(&body)).await?;
    Ok((rest, session.user.id))
}

/// Again, for as long as the server says that there were too many.
pub(crate) async fn patiently<T, F>(what: &str, mut ask: impl FnMut() -> F) -> Result<T, CastError>
where
    F: Future<Output = Result<T, Error>>,
{
    let mut pauses = 0;
    loop {
        match ask().await {
            Err(Error::Refused(refusal))
                if refusal.code == ErrorCode::RateLimited && pauses < PATIENCE =>
            {
                pauses += 1;
                tokio::time::sleep(refusal.retry_after.unwrap_or(PAUSE).min(PAUSE_MAX)).await;
            }
            Err(source) => {
                return Err(CastError { what: format!("{what}: {source}"), source: Some(source) });
            }
            Ok(done) => return Ok(done),
        }
    }
}
