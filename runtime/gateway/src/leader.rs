//! `/leader`: handing leadership of the map's group to another member.
//!
//! Who may do that is the configuration's to say, as for members. Who leads is told by `/status`.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};

use crate::access::admit;
use crate::fault::Fault;
use crate::gate::Gate;
use crate::query::Query;
use crate::roster::Leads;

const PARAMETERS: &[&str] = &["to", "timeout_ms"];

/// `PUT /leader`
pub(crate) async fn put(request: HttpRequest, gate: Data<Gate>) -> Result<HttpResponse, Fault> {
    admit(&request, gate.config.members, "http.members", "lets its leader be chosen")?;
    let query = Query::of(&request, PARAMETERS)?;
    let timeout = query.timeout(&request, &gate.config)?;
    let leader = gate.service.transfer(query.text("to")?, timeout).await?;
    Ok(HttpResponse::Ok().json(Leads { leader }))
}
