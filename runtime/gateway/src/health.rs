//! What operators and their tools ask: whether the process lives, whether it can serve, how it stands, what it has counted.

use actix_web::http::header::{ACCEPT, CONTENT_TYPE};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};

use crate::fault::Fault;
use crate::gate::Gate;

const PROMETHEUS: &str = "text/plain; version=0.0.4; charset=utf-8";
const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// `GET /healthz`: the process answers.
pub(crate) async fn healthz() -> HttpResponse {
    HttpResponse::Ok().json(serde_json::json!({ "alive": true }))
}

/// `GET /readyz`: the node knows a leader and has applied what was committed.
pub(crate) async fn readyz(gate: Data<Gate>) -> Result<HttpResponse, Fault> {
    let status = gate.service.status().await.map_err(Fault::NotReady)?;
    if gate.stopping.has_begun() {
        return Err(Fault::NotReady("the node shuts down".to_owned()));
    }
    match gate.caught_up.missing(&status) {
        Some(reason) => Err(Fault::NotReady(reason)),
        None => Ok(HttpResponse::Ok().json(serde_json::json!({ "ready": true }))),
    }
}

/// `GET /status`
pub(crate) async fn status(gate: Data<Gate>) -> Result<HttpResponse, Fault> {
    Ok(HttpResponse::Ok().json(gate.service.status().await.map_err(Fault::NotReady)?))
}

/// `GET /metrics` in the Prometheus text format, which is OpenMetrics for those who ask for it: the text is both.
pub(crate) async fn metrics(request: HttpRequest, gate: Data<Gate>) -> HttpResponse {
    let accept = request.headers().get(ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = if accept.contains("application/openmetrics-text") { OPENMETRICS } else { PROMETHEUS };
    HttpResponse::Ok().insert_header((CONTENT_TYPE, kind)).body(gate.service.metrics().render())
}
