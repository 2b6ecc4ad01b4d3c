//! `GET /backup`: the node's state as it is, consistent and verifiable, as a stream of known length.
//!
//! Who may have it is the configuration's to say: whoever has a backup has everything.

use actix_web::body::SizedStream;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};

use crate::access::admit;
use crate::fault::Fault;
use crate::gate::Gate;
use crate::query::Query;
use crate::service::Backup;

const PARAMETERS: &[&str] = &["timeout_ms"];

/// `GET /backup`
pub(crate) async fn backup(request: HttpRequest, gate: Data<Gate>) -> Result<HttpResponse, Fault> {
    admit(&request, gate.config.backup, "http.backup", "gives backups")?;
    let timeout = Query::of(&request, PARAMETERS)?.timeout(&request, &gate.config)?;
    let Backup { index, length, pieces } = gate.service.backup(timeout).await?;
    Ok(HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "application/octet-stream"))
        .insert_header((CACHE_CONTROL, "no-store"))
        .insert_header(("Synod-Index", index.0.to_string()))
        .body(SizedStream::new(length, pieces)))
}
