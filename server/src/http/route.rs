//! A route: what serves it and what is said of it, in one value, so that the router and the
//! document behind `GET /openapi.json` cannot differ.

use axum::handler::Handler;
use axum::routing::{MethodFilter, MethodRouter, on};
use http::Method;
use trialogue_protocol::{ErrorCode, IDEMPOTENCY_KEY_CHARS_MAX, LIST_LIMIT_MAX};
use utoipa::ToSchema;
use utoipa::openapi::path::{OperationBuilder, ParameterBuilder, ParameterIn};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::schema::{ObjectBuilder, Ref, Schema, Type};
use utoipa::openapi::security::SecurityRequirement;
use utoipa::openapi::{ContentBuilder, RefOr, Required, ResponseBuilder};

use super::extract::JSON;
use crate::state::AppState;

/// The name of the security scheme: an access token as a bearer.
pub(super) const BEARER: &str = "accessToken";

/// What every operation may answer: a foreign origin, a method that the path has not, a rate, a
/// bug, a database that is away, a server that stops.
const ALWAYS: [ErrorCode; 6] = [
    ErrorCode::Denied,
    ErrorCode::MethodNotAllowed,
    ErrorCode::RateLimited,
    ErrorCode::Internal,
    ErrorCode::Draining,
    ErrorCode::Unavailable,
];

/// See the module.
pub(super) struct Route {
    pub(super) method: Method,
    pub(super) path: &'static str,
    pub(super) serve: MethodRouter<AppState>,
    pub(super) operation: OperationBuilder,
    /// Shapes that the operation names, and those that they name.
    pub(super) schemas: Vec<(String, RefOr<Schema>)>,
    /// What it may be refused with.
    pub(super) codes: Vec<ErrorCode>,
}

/// A `GET` for the bearer of a token. Its answer is named with [`Route::answers`].
pub(super) fn get<H, T>(path: &'static str, handler: H, summary: &str) -> Route
where
    H: Handler<T, AppState>,
    T: 'static,
{
    Route::new(Method::GET, MethodFilter::GET, path, handler, summary)
}

/// A `POST` for the bearer of a token.
pub(super) fn post<H, T>(path: &'static str, handler: H, summary: &str) -> Route
where
    H: Handler<T, AppState>,
    T: 'static,
{
    let route = Route::new(Method::POST, MethodFilter::POST, path, handler, summary);
    route.refuses(&[ErrorCode::OutcomeUnknown])
}

impl Route {
    fn new<H, T>(
        method: Method,
        filter: MethodFilter,
        path: &'static str,
        handler: H,
        summary: &str,
    ) -> Self
    where
        H: Handler<T, AppState>,
        T: 'static,
    {
        let words = path.split(['/', '{', '}', '.', '-']).filter(|word| !word.is_empty());
        let id = words.fold(method.as_str().to_ascii_lowercase(), |id, word| id + "_" + word);
        let tag = path.split('/').nth(1).unwrap_or_default().trim_end_matches(".json");
        let operation = OperationBuilder::new()
            .operation_id(Some(id))
            .summary(Some(summary))
            .tag(tag)
            .security(SecurityRequirement::new(BEARER, [] as [&str; 0]));
        let route = Self {
            method,
            path,
            serve: on(filter, handler),
            operation,
            schemas: Vec::new(),
            codes: ALWAYS.to_vec(),
        };
        route.refuses(&[ErrorCode::Unauthenticated, ErrorCode::TokenExpired])
    }

    /// Anyone may ask, without a token.
    pub(super) fn open(mut self) -> Self {
        self.operation = self.operation.securities(None::<[SecurityRequirement; 0]>);
        let token = [ErrorCode::Unauthenticated, ErrorCode::TokenExpired];
        self.codes.retain(|code| !token.contains(code));
        self
    }

    /// Takes a JSON body.
    pub(super) fn takes<T: ToSchema>(mut self) -> Self {
        let content = ContentBuilder::new().schema(Some(self.shape::<T>())).build();
        let body = RequestBodyBuilder::new().content(JSON, content).required(Some(Required::True));
        self.operation = self.operation.request_body(Some(body.build()));
        self.refuses(&[ErrorCode::BadRequest, ErrorCode::TooLarge, ErrorCode::UnsupportedMediaType])
    }

    /// Answers with JSON.
    pub(super) fn answers<T: ToSchema>(mut self, status: u16, what: &str) -> Self {
        let content = ContentBuilder::new().schema(Some(self.shape::<T>())).build();
        let answer = ResponseBuilder::new().description(what).content(JSON, content).build();
        self.operation = self.operation.response(status.to_string(), answer);
        self
    }

    /// Answers with JSON of no shape of ours.
    pub(super) fn answers_any(mut self, what: &str) -> Self {
        let object = ObjectBuilder::new().schema_type(Type::Object).build();
        let content = ContentBuilder::new().schema(Some(object)).build();
        let answer = ResponseBuilder::new().description(what).content(JSON, content).build();
        self.operation = self.operation.response("200", answer);
        self
    }

    /// Answers with nothing.
    pub(super) fn answers_nothing(mut self, what: &str) -> Self {
        let answer = ResponseBuilder::new().description(what).build();
        self.operation = self.operation.response("204", answer);
        self
    }

    /// May be refused with these, besides what is plain from the rest.
    pub(super) fn refuses(mut self, codes: &[ErrorCode]) -> Self {
        self.codes.extend(codes);
        self
    }

    /// Has an id in its path.
    pub(super) fn id<T: ToSchema>(mut self) -> Self {
        let id = ParameterBuilder::new()
            .name("id")
            .parameter_in(ParameterIn::Path)
            .required(Required::True)
            .schema(Some(self.shape::<T>()));
        self.operation = self.operation.parameter(id);
        self.refuses(&[ErrorCode::BadRequest])
    }

    /// Reads something from the query.
    pub(super) fn query(self, name: &str, schema: impl Into<RefOr<Schema>>, what: &str) -> Self {
        self.parameter(name, ParameterIn::Query, schema, what)
    }

    /// Reads a shape of ours from the query.
    pub(super) fn query_of<T: ToSchema>(mut self, name: &str, what: &str) -> Self {
        let shape = self.shape::<T>();
        self.query(name, shape, what)
    }

    /// Is a list: takes `limit` and `cursor`, which looks like this.
    pub(super) fn list(self, cursor: &str) -> Self {
        let cursor = ObjectBuilder::new().schema_type(Type::String).pattern(Some(cursor));
        self.limit(LIST_LIMIT_MAX).query("cursor", cursor, "`next` of the list before")
    }

    /// Takes `limit`.
    pub(super) fn limit(self, max: i64) -> Self {
        let limit =
            ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(1)).maximum(Some(max));
        self.query("limit", limit, "at most so many")
    }

    /// Takes an `Idempotency-Key`.
    pub(super) fn idempotency_key(self) -> Self {
        let key = ObjectBuilder::new()
            .schema_type(Type::String)
            .min_length(Some(1))
            .max_length(Some(IDEMPOTENCY_KEY_CHARS_MAX))
            .pattern(Some(r"^[\u0021-\u007e]+$"));
        let what = "names the request, so that a retry stores nothing twice";
        self.parameter("Idempotency-Key", ParameterIn::Header, key, what)
            .refuses(&[ErrorCode::IdempotencyConflict])
    }

    fn parameter(
        mut self,
        name: &str,
        place: ParameterIn,
        schema: impl Into<RefOr<Schema>>,
        what: &str,
    ) -> Self {
        let parameter = ParameterBuilder::new()
            .name(name)
            .parameter_in(place)
            .required(Required::False)
            .description(Some(what))
            .schema(Some(schema));
        self.operation = self.operation.parameter(parameter);
        self.refuses(&[ErrorCode::BadRequest])
    }

    /// A reference to a shape, which is described once.
    fn shape<T: ToSchema>(&mut self) -> RefOr<Schema> {
        self.schemas.push((T::name().into_owned(), T::schema()));
        T::schemas(&mut self.schemas);
        RefOr::Ref(Ref::from_schema_name(T::name()))
    }
}
