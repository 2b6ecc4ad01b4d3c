//! The one middleware: every request that is answered is counted.

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use actix_web::web::Data;
use tokio::time::Instant;

use crate::gate::Gate;

/// Counts a request when its answer begins.
pub(crate) async fn count(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, actix_web::Error> {
    let begun = Instant::now();
    let gate = request.app_data::<Data<Gate>>().cloned();
    let method = request.method().clone();
    // The pattern and not the path: labels are few, keys are many.
    let route = request.match_pattern().unwrap_or_else(|| "other".to_owned());
    let answer = next.call(request).await;
    if let Some(gate) = gate {
        let status = match &answer {
            Ok(response) => response.status(),
            Err(error) => error.as_response_error().status_code(),
        };
        gate.measures.record(&route, &method, status.as_u16(), begun.elapsed());
    }
    answer
}
