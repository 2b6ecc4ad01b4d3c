//! The clients of the load: over QUIC as a client of the cluster, and over HTTP.

use bytes::Bytes;
use synod::services::kv::{Call, Expect, Kv, Put};

use crate::bench::echo::failure;
use crate::bench::http::HttpClient;
use crate::bench::load::Writer;
use crate::failure::Failure;

impl Writer for Kv {
    async fn put(&mut self, key: &str, value: &'static [u8]) -> Result<(), Failure> {
        let put =
            Put { key: key.to_owned(), value: Bytes::from_static(value), expect: Expect::Any, lease: None };
        Self::put(self, put, Call::default()).await.map_err(failure)?;
        Ok(())
    }
}

impl Writer for HttpClient {
    async fn put(&mut self, key: &str, value: &'static [u8]) -> Result<(), Failure> {
        let response = Self::put(self, key, value).await.map_err(failure)?;
        if matches!(response.status, 200 | 201) {
            return Ok(());
        }
        let body = String::from_utf8_lossy(&response.body);
        Err(Failure::new(format!("a put was answered with {}: {body}", response.status)))
    }
}
