//! The document says what the router serves, both ways, and keeps the contract's codes.

use std::collections::BTreeSet;

use serde_json::Value;
use trialogue_protocol::ErrorCode;
use trialogue_server::http::operations;

use super::check_error;
use crate::fixture::{Fixture, SOON};

const METHODS: [&str; 6] = ["get", "post", "put", "patch", "delete", "trace"];

async fn document(server: &Fixture) -> Value {
    let (status, document) = server.nobody().get("/openapi.json").await;
    assert_eq!(status, 200);
    document
}

/// Method and path of every operation in the document.
fn described(document: &Value) -> BTreeSet<(String, String)> {
    let paths = document["paths"].as_object().unwrap();
    let operations = paths.iter().flat_map(|(path, item)| {
        item.as_object().unwrap().keys().map(move |method| (method.clone(), path.clone()))
    });
    operations.collect()
}

/// A path that the pattern matches.
fn filled(path: &str) -> String {
    let id = if path.starts_with("/chat") || path.starts_with("/notifications") {
        "0190a0b0-0000-7000-8000-00000000abcd"
    } else {
        "1"
    };
    path.replace("{id}", id)
}

#[tokio::test]
async fn what_is_described_is_served_and_what_is_served_is_described() {
    let server = Fixture::start().await;
    let described = described(&document(&server).await);
    let routed: BTreeSet<(String, String)> = operations()
        .into_iter()
        .map(|(method, path)| (method.as_str().to_ascii_lowercase(), path.to_owned()))
        .collect();
    assert_eq!(described, routed);
    let paths: BTreeSet<&String> = described.iter().map(|(_, path)| path).collect();
    for path in paths {
        for method in METHODS {
            let name = reqwest::Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
            let url = format!("{}{}", server.url, filled(path));
            let answer = server.http.request(name, url).timeout(SOON).send().await.unwrap();
            let status = answer.status().as_u16();
            let is_described = described.contains(&(method.to_owned(), path.clone()));
            if is_described {
                assert!(![404, 405].contains(&status), "{method} {path}: {status}");
            } else {
                let allow = answer.headers()["allow"].to_str().unwrap().to_lowercase();
                for known in ["get", "post"] {
                    let is_known = described.contains(&(known.to_owned(), path.clone()));
                    assert_eq!(allow.contains(known), is_known, "{path}: {allow}");
                }
                let body = answer.json().await.unwrap();
                check_error(&(status, body), "method_not_allowed");
            }
        }
    }
}

/// Every object inside a value.
fn objects<'a>(value: &'a Value, found: &mut Vec<&'a serde_json::Map<String, Value>>) {
    match value {
        Value::Object(object) => {
            found.push(object);
            object.values().for_each(|inner| objects(inner, found));
        }
        Value::Array(items) => items.iter().for_each(|inner| objects(inner, found)),
        _ => {}
    }
}

#[tokio::test]
async fn every_reference_of_the_document_leads_somewhere() {
    let server = Fixture::start().await;
    let document = document(&server).await;
    let mut found = Vec::new();
    objects(&document, &mut found);
    let references: Vec<&str> =
        found.iter().filter_map(|object| object.get("$ref")?.as_str()).collect();
    assert!(references.len() > 100, "{}", references.len());
    for reference in references {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{reference}");
    }
}

#[tokio::test]
async fn every_code_is_described_under_its_status() {
    let server = Fixture::start().await;
    let document = document(&server).await;
    let mut seen = BTreeSet::new();
    for (method, path) in described(&document) {
        let operation = &document["paths"][&path][&method];
        let has_body = operation.get("requestBody").is_some();
        let is_secured = operation.get("security").is_some();
        let mut statuses = BTreeSet::new();
        for (status, answer) in operation["responses"].as_object().unwrap() {
            let Some(reference) = answer.get("$ref").and_then(Value::as_str) else { continue };
            statuses.insert(status.as_str());
            for code in reference.rsplit('/').next().unwrap().split('-') {
                let code: ErrorCode = serde_json::from_value(code.into()).unwrap();
                assert_eq!(code.http_status().to_string(), *status, "{method} {path}");
                seen.insert(code.as_str());
            }
        }
        for status in ["403", "405", "429", "500", "503"] {
            assert!(statuses.contains(status), "{method} {path} without {status}");
        }
        assert_eq!(has_body, statuses.contains("415"), "{method} {path}");
        assert!(!is_secured || statuses.contains("401"), "{method} {path}");
    }
    let all: BTreeSet<&str> = ErrorCode::ALL.iter().map(|code| code.as_str()).collect();
    assert_eq!(seen, all);
}
