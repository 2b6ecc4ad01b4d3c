//! The handlers of `/kv`: put, get, delete and range. What they ask of the map, and how its answers look in HTTP.

use std::future::Future;
use std::time::Duration;

use actix_web::http::header::CONTENT_TYPE;
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder};
use synod::protocols::LogIndex;
use synod::services::kv::{DeleteOutcome, KvError, Put, PutOutcome, Read, Versioned};

use crate::body;
use crate::fault::Fault;
use crate::gate::Gate;
use crate::json::Item;
use crate::key;
use crate::query::{self, Query};
use crate::watch;

const WRITE: &[&str] = &["expect", "expect_absent", "expect_index", "timeout_ms"];
const READ: &[&str] = &["consistency", "timeout_ms"];
const RANGE: &[&str] = &["prefix", "limit", "after", "consistency", "timeout_ms"];
const OCTETS: (actix_web::http::header::HeaderName, &str) = (CONTENT_TYPE, "application/octet-stream");

/// `PUT /kv/{key}`
pub(crate) async fn put(
    request: HttpRequest,
    payload: Payload,
    gate: Data<Gate>,
) -> Result<HttpResponse, Fault> {
    let key = key::of(&request)?;
    let query = Query::of(&request, WRITE)?;
    let call = query::call(&request, &query, &gate.config)?;
    let expect = query.expect()?;
    let value = body::read(&request, payload, gate.config.body_limit, call.deadline).await?;
    let outcome = gate.service.map().put(Put { key, value, expect, lease: None }, call).await?;
    Ok(match outcome {
        PutOutcome::Created { index } => indexed(HttpResponse::Created(), index).finish(),
        PutOutcome::Replaced { index } => indexed(HttpResponse::Ok(), index).finish(),
        PutOutcome::Conflict { present, index } => conflict(present, index),
    })
}

/// `DELETE /kv/{key}`
pub(crate) async fn delete(request: HttpRequest, gate: Data<Gate>) -> Result<HttpResponse, Fault> {
    let key = key::of(&request)?;
    let query = Query::of(&request, WRITE)?;
    let call = query::call(&request, &query, &gate.config)?;
    let outcome = gate.service.map().delete(key, query.expect()?, call).await?;
    Ok(match outcome {
        DeleteOutcome::Deleted { index } => indexed(HttpResponse::NoContent(), index).finish(),
        DeleteOutcome::Absent { index } => absent(index),
        DeleteOutcome::Conflict { present, index } => conflict(present, index),
    })
}

/// `GET /kv/{key}`
pub(crate) async fn get(request: HttpRequest, gate: Data<Gate>) -> Result<HttpResponse, Fault> {
    let key = key::of(&request)?;
    let query = Query::of(&request, READ)?;
    let timeout = query.timeout(&request, &gate.config)?;
    let read = gate.service.map().get(key, query.consistency()?);
    let Read { value, index } = in_time(timeout, read).await?;
    Ok(match value {
        Some(Versioned { value, index: written }) => indexed(HttpResponse::Ok(), written)
            .insert_header(("Synod-Read-Index", index.0.to_string()))
            .insert_header(OCTETS)
            .body(value),
        None => absent(index),
    })
}

/// `GET /kv`: a watch when the query says so, otherwise a range.
pub(crate) async fn range_or_watch(request: HttpRequest, gate: Data<Gate>) -> Result<HttpResponse, Fault> {
    if request.query_string().split('&').any(|part| part.split('=').next() == Some("watch")) {
        return watch::watch(&request, &gate);
    }
    let query = Query::of(&request, RANGE)?;
    let timeout = query.timeout(&request, &gate.config)?;
    let range = gate.service.map().range(query.range()?, query.consistency()?);
    let Read { value, index } = in_time(timeout, range).await?;
    let items: Vec<Item> = value.into_iter().map(Item::from).collect();
    Ok(indexed(HttpResponse::Ok(), index).json(items))
}

/// A read that takes longer has changed nothing, so it can be given up.
async fn in_time<T>(timeout: Duration, read: impl Future<Output = Result<T, KvError>>) -> Result<T, Fault> {
    match tokio::time::timeout(timeout, read).await {
        Ok(answer) => Ok(answer?),
        Err(_) => Err(Fault::Late(timeout)),
    }
}

fn indexed(mut response: HttpResponseBuilder, index: LogIndex) -> HttpResponseBuilder {
    response.insert_header(("Synod-Index", index.0.to_string()));
    response
}

fn absent(index: LogIndex) -> HttpResponse {
    indexed(HttpResponse::NotFound(), index).json(serde_json::json!({ "error": "the key is absent" }))
}

fn conflict(present: Option<Versioned>, index: LogIndex) -> HttpResponse {
    let Some(Versioned { value, index: written }) = present else {
        return indexed(HttpResponse::Conflict(), index).insert_header(("Synod-Present", "false")).finish();
    };
    indexed(HttpResponse::Conflict(), written)
        .insert_header(("Synod-Present", "true"))
        .insert_header(OCTETS)
        .body(value)
}
