//! Paths of CONTRACT §1. Where a path names an id, the function makes it.

use crate::ids::{ChatId, DisputeId, JobId, NotificationId};

/// `POST`.
pub const REGISTER: &str = "/auth/register";
/// `POST`.
pub const LOGIN: &str = "/auth/login";
/// `POST`.
pub const REFRESH: &str = "/auth/refresh";
/// `POST`.
pub const LOGOUT: &str = "/auth/logout";
/// `POST`.
pub const PASSWORD: &str = "/auth/password";
/// `GET`.
pub const ME: &str = "/auth/me";
/// `GET`.
pub const PROVIDERS: &str = "/providers";
/// `POST`.
pub const CREATE_JOB: &str = "/jobs/create";
/// `GET`.
pub const JOBS: &str = "/jobs";
/// `GET`.
pub const CHATS: &str = "/chat";
/// `GET` and `POST`.
pub const DISPUTES: &str = "/disputes";
/// `GET`.
pub const NOTIFICATIONS: &str = "/notifications";
/// `POST`.
pub const READ_ALL: &str = "/notifications/read-all";
/// `GET`: the process runs.
pub const LIVE: &str = "/health/live";
/// `GET`: the database answers and migrations are in.
pub const READY: &str = "/health/ready";
/// `GET`: the description of all routes.
pub const OPENAPI: &str = "/openapi.json";

/// `GET`.
pub fn job(id: JobId) -> String {
    format!("/jobs/{id}")
}

/// `POST`: done, says the provider.
pub fn complete_job(id: JobId) -> String {
    format!("/jobs/{id}/complete")
}

/// `POST`: called off by the customer.
pub fn cancel_job(id: JobId) -> String {
    format!("/jobs/{id}/cancel")
}

/// `GET`.
pub fn chat(id: ChatId) -> String {
    format!("/chat/{id}")
}

/// `GET`.
pub fn messages(id: ChatId) -> String {
    format!("/chat/{id}/messages")
}

/// `POST`.
pub fn join_dispute(id: DisputeId) -> String {
    format!("/disputes/{id}/join")
}

/// `POST`.
pub fn resolve_dispute(id: DisputeId) -> String {
    format!("/disputes/{id}/resolve")
}

/// `POST`.
pub fn read_notification(id: NotificationId) -> String {
    format!("/notifications/{id}/read")
}
