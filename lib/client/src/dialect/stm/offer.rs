//! What somebody who registers offers there, and where: whoever offers nothing cannot be booked
//! (DEPLOYED §2 and §4).

use serde_json::{Value, json};
use trialogue_protocol::{JobId, Register, Role, UserId};

use super::json as read_json;
use crate::error::Error;
use crate::http::Call;
use crate::rest::Rest;

/// Where somebody works who does not say: a code that everybody knows, and nobody is asked for.
const ZIP_CODE: &str = "10001";

/// Adds a region, and for a provider an area and the first service that the server lists. Where
/// it lists none, the account is made without, and can be booked once it offers something.
pub(super) async fn add(rest: &Rest, body: &Register, fields: &mut Value) {
    let region = body.region.clone().unwrap_or_default();
    match body.role {
        Role::Customer => {}
        Role::Lsm => {
            fields["state"] = json!(region);
            // A provider with an area needs an LSM of that very area.
            fields["area"] = json!(region);
        }
        Role::Provider => {
            fields["state"] = json!(region);
            fields["zipCodes"] = json!([ZIP_CODE]);
            if let Some(service) = first_service(rest).await {
                fields["serviceType"] = json!(service);
            }
        }
    }
}

/// What a booking calls the provider who is signed in: the id of the profile, which is no user's.
pub(crate) async fn bookable(rest: &Rest) -> Result<UserId, Error> {
    let answer = rest.signed(Call::get("/auth/profile")).await?;
    let profile = read_json(&answer)?;
    let id = profile["roleData"]["id"].as_i64();
    id.map(UserId).ok_or_else(|| Error::Garbled("the profile has no id".to_owned()))
}

/// A provider is `pending` until the LSM of the region says otherwise.
pub(crate) async fn accept_provider(rest: &Rest, provider: UserId) -> Result<(), Error> {
    let call = Call::post(format!("/lsm/providers/{provider}/set-status"));
    let answer = rest.signed(call.json(&json!({"status": "active"}))?).await?;
    read_json(&answer).map(drop)
}

/// The provider accepts, then the customer closes the deal: only then is a job in progress.
pub(crate) async fn begin_job(rest: &Rest, job: JobId) -> Result<(), Error> {
    let (path, action) = match super::me(rest).await?.role {
        Role::Provider => (format!("/provider/jobs/{job}/respond"), "accept"),
        Role::Customer | Role::Lsm => (format!("/customers/jobs/{job}/action"), "close_deal"),
    };
    let answer = rest.signed(Call::post(path).json(&json!({ "action": action }))?).await?;
    read_json(&answer).map(drop)
}

async fn first_service(rest: &Rest) -> Option<String> {
    let answer = rest.bare(Call::get("/services"), None).await.ok()?;
    let body: Value = serde_json::from_slice(&answer.body).ok()?;
    body["services"][0]["name"].as_str().map(ToOwned::to_owned)
}
