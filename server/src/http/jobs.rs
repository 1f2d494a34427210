//! `/jobs`.

use axum::extract::State;
use http::HeaderMap;
use trialogue_protocol::{CreateJob, ErrorCode, Job, JobCreated, JobId, JobList, route};

use super::chats::with_presence;
use super::extract::{Created, Json, Paging, Path, Query};
use super::route::{Route, get, post};
use super::{ID_CURSOR, settle};
use crate::error::Error;
use crate::flow::log_in::Caller;
use crate::flow::{book_job, browse};
use crate::state::AppState;

/// Names a booking, so that a retry books nothing twice.
const IDEMPOTENCY_KEY: &str = "idempotency-key";

pub(super) fn routes() -> Vec<Route> {
    vec![
        post(route::CREATE_JOB, create, "Book a job; with it comes its chat")
            .idempotency_key()
            .takes::<CreateJob>()
            .answers::<JobCreated>(201, "booked")
            .refuses(&[ErrorCode::NotFound]),
        get(route::JOBS, list, "Jobs of my chats, newest first")
            .list(ID_CURSOR)
            .answers::<JobList>(200, "a page"),
        get("/jobs/{id}", one, "A job of one of my chats").id::<JobId>().answers::<Job>(200, "it"),
        post("/jobs/{id}/complete", complete, "Say that the job is done, as its provider")
            .id::<JobId>()
            .answers::<Job>(200, "completed")
            .refuses(&[ErrorCode::Conflict]),
        post("/jobs/{id}/cancel", cancel, "Call the job off, as its customer; the chat closes")
            .id::<JobId>()
            .answers::<Job>(200, "cancelled")
            .refuses(&[ErrorCode::Conflict]),
    ]
}

async fn create(
    State(state): State<AppState>,
    caller: Caller,
    headers: HeaderMap,
    Json(body): Json<CreateJob>,
) -> Result<Created<JobCreated>, Error> {
    let key = match headers.get(IDEMPOTENCY_KEY).map(|key| key.to_str()) {
        None => None,
        Some(Ok(key)) => Some(key.to_owned()),
        Some(Err(_)) => {
            return Err(Error::field("Idempotency-Key", "Idempotency-Key is not ASCII"));
        }
    };
    let store = state.store.clone();
    let booking =
        async move { book_job::book(&store, caller.person.id, &body, key.as_deref()).await };
    let mut created = settle(&state, booking).await?;
    created.chat = created.chat.map(|chat| with_presence(&state, chat));
    Ok(Created(created))
}

async fn list(
    State(state): State<AppState>,
    caller: Caller,
    Query(paging): Query<Paging>,
) -> Result<Json<JobList>, Error> {
    browse::jobs(&state.store, caller.person.id, &paging.into()).await.map(Json)
}

async fn one(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<JobId>,
) -> Result<Json<Job>, Error> {
    browse::job(&state.store, caller.person.id, id).await.map(Json)
}

async fn complete(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<JobId>,
) -> Result<Json<Job>, Error> {
    let store = state.store.clone();
    let ending = async move { book_job::complete(&store, caller.person.id, id).await };
    settle(&state, ending).await?.map(Json)
}

async fn cancel(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<JobId>,
) -> Result<Json<Job>, Error> {
    let store = state.store.clone();
    let ending = async move { book_job::cancel(&store, caller.person.id, id).await };
    settle(&state, ending).await?.map(Json)
}
