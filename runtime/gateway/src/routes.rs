//! The table of routes. Whatever stands in none of its lines is answered in JSON like everything else.

use actix_web::web::{self, Data, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse, Resource};

use crate::fault::Fault;
use crate::gate::Gate;
use crate::{backup, health, kv, leader, members};

/// Registers every route.
pub(crate) fn configure(app: &mut ServiceConfig, gate: Data<Gate>) {
    app.app_data(gate)
        .service(others(web::resource("/kv").get(kv::range_or_watch), "GET"))
        .service(others(
            web::resource("/kv/{key:.*}").put(kv::put).get(kv::get).delete(kv::delete),
            "PUT, GET, DELETE",
        ))
        .service(others(web::resource("/backup").get(backup::backup), "GET"))
        .service(others(web::resource("/members").get(members::get).put(members::put), "GET, PUT"))
        .service(others(web::resource("/leader").put(leader::put), "PUT"))
        .service(others(web::resource("/healthz").get(health::healthz), "GET"))
        .service(others(web::resource("/readyz").get(health::readyz), "GET"))
        .service(others(web::resource("/metrics").get(health::metrics), "GET"))
        .service(others(web::resource("/status").get(health::status), "GET"))
        .default_service(web::to(no_route));
}

fn others(resource: Resource, allowed: &'static str) -> Resource {
    resource.default_service(web::to(move |request: HttpRequest| async move {
        Err::<HttpResponse, _>(Fault::Method { method: request.method().to_string(), allowed })
    }))
}

async fn no_route(request: HttpRequest) -> Result<HttpResponse, Fault> {
    Err(Fault::NoRoute(request.path().to_owned()))
}
