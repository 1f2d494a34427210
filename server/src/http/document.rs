//! The description of all routes, OpenAPI 3.1: what `GET /openapi.json` answers.

use std::collections::BTreeMap;

use http::Method;
use trialogue_protocol::openapi::ErrorDetails;
use trialogue_protocol::{ErrorBody, ErrorCode};
use utoipa::ToSchema;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::path::{HttpMethod, PathsBuilder};
use utoipa::openapi::schema::{
    AllOfBuilder, ComponentsBuilder, Object, ObjectBuilder, Ref, Schema, Type,
};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{
    ContentBuilder, InfoBuilder, OpenApi, OpenApiBuilder, PathItem, RefOr, Response,
    ResponseBuilder,
};

use super::extract::JSON;
use super::route::{BEARER, Route};

const ABOUT: &str = "\
Three people, one job, one chat. This is the part of Trialogue that is asked for; what is said live \
goes over Socket.IO at `/socket.io/`, namespace `/chat`. Times are RFC 3339 in UTC with \
milliseconds. Unknown fields are ignored. Every answer that is not a success has the body \
`ErrorBody`, an unknown route (404, `not_found`) included. Bodies have at most 64 KiB.";

/// Describes routes.
pub(super) fn of(routes: Vec<Route>) -> OpenApi {
    let mut paths = PathsBuilder::new();
    let mut error = Vec::new();
    ErrorBody::schemas(&mut error);
    let mut components = ComponentsBuilder::new()
        .security_scheme(BEARER, bearer())
        .schema_from::<ErrorBody>()
        .schema_from::<ErrorDetails>()
        .schemas_from_iter(error);
    let mut refusals = BTreeMap::new();
    for Route { method, path, operation, schemas, codes, .. } in routes {
        let mut operation = operation;
        for (status, codes) in by_status(&codes) {
            let name = codes.iter().map(|code| code.as_str()).collect::<Vec<_>>().join("-");
            operation =
                operation.response(status.to_string(), RefOr::Ref(Ref::from_response_name(&name)));
            refusals.entry(name).or_insert_with(|| refusal(status, &codes));
        }
        components = components.schemas_from_iter(schemas);
        paths = paths.path(path, PathItem::new(method_of(&method), operation));
    }
    let components = components.responses_from_iter(refusals).build();
    let info = InfoBuilder::new()
        .title("Trialogue")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(ABOUT));
    OpenApiBuilder::new().info(info).paths(paths).components(Some(components)).build()
}

fn method_of(method: &Method) -> HttpMethod {
    if method == Method::GET { HttpMethod::Get } else { HttpMethod::Post }
}

/// Codes under the status that carries them, in the order of the contract's table.
fn by_status(codes: &[ErrorCode]) -> BTreeMap<u16, Vec<ErrorCode>> {
    let mut by_status: BTreeMap<u16, Vec<ErrorCode>> = BTreeMap::new();
    for code in ErrorCode::ALL.iter().filter(|code| codes.contains(code)) {
        by_status.entry(code.http_status()).or_default().push(*code);
    }
    by_status
}

/// An answer that is not a success: the body of all of them, narrowed to these codes.
fn refusal(status: u16, codes: &[ErrorCode]) -> Response {
    let words = codes.iter().map(|code| code.as_str());
    let narrowed = ObjectBuilder::new()
        .property(
            "statusCode",
            ObjectBuilder::new().schema_type(Type::Integer).enum_values(Some([status])),
        )
        .property(
            "error",
            ObjectBuilder::new().schema_type(Type::String).enum_values(Some(words.clone())),
        );
    let body = AllOfBuilder::new().item(Ref::from_schema_name(ErrorBody::name())).item(narrowed);
    let content = ContentBuilder::new().schema(Some(Schema::AllOf(body.build()))).build();
    let text = words.map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ");
    let answer = ResponseBuilder::new().description(text).content(JSON, content);
    let header = |kind, what| {
        HeaderBuilder::new().schema(Some(Object::with_type(kind))).description(Some(what)).build()
    };
    match status {
        401 => answer.header("WWW-Authenticate", header(Type::String, "`Bearer`")),
        405 => answer.header("Allow", header(Type::String, "the methods that the path has")),
        429 => answer.header("Retry-After", header(Type::Integer, "seconds until it works again")),
        503 => answer.header("Retry-After", header(Type::Integer, "seconds, where it is known")),
        _ => answer,
    }
    .build()
}

fn bearer() -> SecurityScheme {
    let http = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .bearer_format("JWT")
        .description(Some("the access token of register, login or refresh"));
    SecurityScheme::Http(http.build())
}
