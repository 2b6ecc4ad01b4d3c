//! `GET /backup`: the node's state as it is, consistent and verifiable, as a stream of known length.
//!
//! Who may have it is the configuration's to say: whoever has a backup has everything.

use actix_web::body::SizedStream;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use synod::node::BackupAccess;

use crate::fault::Fault;
use crate::gate::Gate;
use crate::query::Query;
use crate::service::Backup;

const PARAMETERS: &[&str] = &["timeout_ms"];

/// `GET /backup`
pub(crate) async fn backup(request: HttpRequest, gate: Data<Gate>) -> Result<HttpResponse, Fault> {
    admit(&request, gate.config.backup)?;
    let timeout = Query::of(&request, PARAMETERS)?.timeout(&request, &gate.config)?;
    let Backup { index, length, pieces } = gate.service.backup(timeout).await?;
    Ok(HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "application/octet-stream"))
        .insert_header((CACHE_CONTROL, "no-store"))
        .insert_header(("Synod-Index", index.0.to_string()))
        .body(SizedStream::new(length, pieces)))
}

fn admit(request: &HttpRequest, access: BackupAccess) -> Result<(), Fault> {
    let near = request.peer_addr().is_some_and(|peer| peer.ip().to_canonical().is_loopback());
    let refusal = match access {
        BackupAccess::Anybody => return Ok(()),
        BackupAccess::Loopback if near => return Ok(()),
        BackupAccess::Loopback => "this node gives backups to its own machine only (http.backup)",
        BackupAccess::Nobody => "this node gives no backups (http.backup)",
    };
    Err(Fault::Forbidden(refusal.to_owned()))
}
