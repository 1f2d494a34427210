//! The few HTTP requests that the flow begins with.

use reqwest::StatusCode;
use reqwest::blocking::{Client, RequestBuilder};
use serde_json::Value;

use crate::voice::{Failure, WAIT};

pub(crate) struct Rest {
    client: Client,
    base: String,
}

/// An environment variable that must be there.
pub(crate) fn variable(name: &str) -> Result<String, Failure> {
    std::env::var(name).map_err(|_| format!("{name} is not set").into())
}

impl Rest {
    pub(crate) fn new() -> Result<Self, Failure> {
        let client = Client::builder().timeout(WAIT).build()?;
        Ok(Self { client, base: variable("TRIALOGUE_URL")? })
    }

    /// Answers 201.
    pub(crate) fn post(
        &self,
        path: &str,
        token: Option<&str>,
        body: &Value,
    ) -> Result<Value, Failure> {
        let mut request = self.client.post(format!("{}{path}", self.base)).json(body);
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        send(request, StatusCode::CREATED)
    }

    /// Answers 200.
    pub(crate) fn get(&self, path: &str, token: &str) -> Result<Value, Failure> {
        send(self.client.get(format!("{}{path}", self.base)).bearer_auth(token), StatusCode::OK)
    }
}

fn send(request: RequestBuilder, expected: StatusCode) -> Result<Value, Failure> {
    let response = request.send()?;
    let (status, url) = (response.status(), response.url().to_string());
    let text = response.text()?;
    if status != expected {
        return Err(format!("expected {url} -> {expected}, got {status} {text}").into());
    }
    Ok(serde_json::from_str(&text)?)
}
