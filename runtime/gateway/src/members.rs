//! `/members`: who the members of the map's group are, and leading it to others.
//!
//! Who may change them is the configuration's to say.

use std::time::Duration;

use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};

use crate::access::admit;
use crate::body;
use crate::fault::Fault;
use crate::gate::Gate;
use crate::query::Query;
use crate::roster::{MembersChanged, Roster};

const PARAMETERS: &[&str] = &["timeout_ms"];
const BODY_LIMIT: usize = 64 << 10;
/// How long the members to be may take to catch up, unless the request says otherwise.
const PATIENCE: Duration = Duration::from_secs(60);

/// `GET /members`
pub(crate) async fn get(request: HttpRequest, gate: Data<Gate>) -> Result<HttpResponse, Fault> {
    Query::of(&request, &[])?;
    let members = gate.service.members().await.map_err(Fault::NotReady)?;
    Ok(HttpResponse::Ok().json(members))
}

/// `PUT /members`
pub(crate) async fn put(
    request: HttpRequest,
    payload: Payload,
    gate: Data<Gate>,
) -> Result<HttpResponse, Fault> {
    admit(&request, gate.config.members, "http.members", "lets its members be changed")?;
    let query = Query::of(&request, PARAMETERS)?;
    let timeout = if query.has("timeout_ms") { query.timeout(&request, &gate.config)? } else { PATIENCE };
    let body = body::read(&request, payload, BODY_LIMIT, gate.config.timeout).await?;
    let roster: Roster =
        serde_json::from_slice(&body).map_err(|error| Fault::Malformed(format!("the body: {error}")))?;
    let index = gate.service.change_members(roster, timeout).await?;
    Ok(HttpResponse::Ok().json(MembersChanged { index: index.0 }))
}
