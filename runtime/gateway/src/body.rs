//! A request's body, read up to the limit and no further, and waited for no longer than the request may take.

use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::http::header::CONTENT_LENGTH;
use actix_web::web::Payload;
use bytes::Bytes;

use crate::fault::Fault;

/// The whole body, if it comes in time.
pub(crate) async fn read(
    request: &HttpRequest,
    payload: Payload,
    limit: usize,
    patience: Duration,
) -> Result<Bytes, Fault> {
    let announced = request.headers().get(CONTENT_LENGTH);
    let announced = announced.and_then(|value| value.to_str().ok()).and_then(|text| text.parse::<u64>().ok());
    if announced.is_some_and(|size| size > limit as u64) {
        return Err(Fault::TooLarge { limit });
    }
    match tokio::time::timeout(patience, payload.to_bytes_limited(limit)).await {
        Ok(Ok(Ok(bytes))) => Ok(bytes),
        Ok(Ok(Err(error))) => Err(Fault::BrokenBody(error.to_string())),
        Ok(Err(_)) => Err(Fault::TooLarge { limit }),
        Err(_) => Err(Fault::SlowBody(patience)),
    }
}
