//! A request before it is sent: what goes into it, not where it goes.

use std::borrow::Cow;

use reqwest::{Method, header};
use serde::Serialize;

use crate::error::Error;

/// A request before it is sent.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) query: Vec<(Cow<'static, str>, String)>,
    pub(crate) body: Option<Vec<u8>>,
    pub(crate) idempotency_key: Option<String>,
    pub(crate) headers: Vec<(String, String)>,
}

impl Call {
    pub(crate) fn new(method: Method, path: impl Into<String>) -> Self {
        let path = path.into();
        let (query, headers) = (Vec::new(), Vec::new());
        Self { method, path, query, body: None, idempotency_key: None, headers }
    }

    pub(crate) fn get(path: impl Into<String>) -> Self {
        Self::new(Method::GET, path)
    }

    pub(crate) fn post(path: impl Into<String>) -> Self {
        Self::new(Method::POST, path)
    }

    /// With a JSON body.
    pub(crate) fn json<T: Serialize>(mut self, body: &T) -> Result<Self, Error> {
        let text = serde_json::to_vec(body).map_err(|e| Error::Invalid(e.to_string()))?;
        self.body = Some(text);
        Ok(self)
    }

    /// With `name=value`, if there is a value.
    pub(crate) fn query(mut self, name: &'static str, value: Option<impl ToString>) -> Self {
        self.query.extend(value.map(|v| (name.into(), v.to_string())));
        self
    }

    /// With all of `name=value&name=value`, as a URL has it.
    pub(crate) fn raw_query(mut self, query: &str) -> Self {
        let pairs = url::form_urlencoded::parse(query.as_bytes());
        self.query
            .extend(pairs.map(|(name, value)| (name.into_owned().into(), value.into_owned())));
        self
    }

    /// With these besides its own; one of its own names takes the place of that.
    pub(crate) fn headers(mut self, headers: &[(String, String)]) -> Self {
        self.headers = headers.to_vec();
        self
    }

    pub(crate) fn idempotency_key(mut self, key: Option<&str>) -> Self {
        self.idempotency_key = key.map(ToOwned::to_owned);
        self
    }
}

/// Names and values as HTTP has them, several of one name in their order.
pub(crate) fn read_headers(headers: &[(String, String)]) -> Result<header::HeaderMap, Error> {
    let mut read = header::HeaderMap::new();
    for (name, value) in headers {
        let wrong = || Error::Invalid(format!("`{name}` cannot be a header with such a value"));
        let own = header::HeaderName::from_bytes(name.as_bytes()).map_err(|_| wrong())?;
        read.append(own, header::HeaderValue::from_str(value).map_err(|_| wrong())?);
    }
    Ok(read)
}
