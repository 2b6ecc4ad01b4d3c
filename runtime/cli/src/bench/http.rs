//! The least HTTP/1.1 that a benchmark needs: one kept connection, one request at a time, answers with a length.
//!
//! Threads of a blocking client would share the cores with the nodes that are measured.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// One connection, made when it is needed.
pub(crate) struct HttpClient {
    address: SocketAddr,
    stream: Option<BufReader<TcpStream>>,
}

/// What was answered.
#[derive(Debug)]
pub(crate) struct Response {
    /// The status.
    pub(crate) status: u16,
    /// The body.
    pub(crate) body: Vec<u8>,
}

impl HttpClient {
    /// A client of the node at this address, not connected yet.
    pub(crate) const fn new(address: SocketAddr) -> Self {
        Self { address, stream: None }
    }

    /// Asks for a path.
    ///
    /// # Errors
    /// When no whole answer came; the next request makes another connection.
    pub(crate) async fn get(&mut self, path: &str) -> io::Result<Response> {
        let request = format!("GET {path} HTTP/1.1\r\nhost: {}\r\n\r\n", self.address);
        self.exchange(request.as_bytes()).await
    }

    /// Writes a key, which needs no escapes.
    ///
    /// # Errors
    /// As [`HttpClient::get`]; whether the key was written is not known then.
    pub(crate) async fn put(&mut self, key: &str, value: &[u8]) -> io::Result<Response> {
        let length = value.len();
        let head =
            format!("PUT /kv/{key} HTTP/1.1\r\nhost: {}\r\ncontent-length: {length}\r\n\r\n", self.address);
        self.exchange(&[head.as_bytes(), value].concat()).await
    }

    async fn exchange(&mut self, request: &[u8]) -> io::Result<Response> {
        let stream = self.stream.take();
        let exchange = async {
            let mut stream = match stream {
                Some(stream) => stream,
                None => {
                    let stream = TcpStream::connect(self.address).await?;
                    stream.set_nodelay(true)?;
                    BufReader::new(stream)
                }
            };
            stream.write_all(request).await?;
            let response = read(&mut stream).await?;
            Ok::<_, io::Error>((stream, response))
        };
        let (stream, response) = timeout(PATIENCE, exchange).await.map_err(|_| io::ErrorKind::TimedOut)??;
        self.stream = Some(stream);
        Ok(response)
    }
}

async fn read(stream: &mut (impl AsyncBufReadExt + Unpin)) -> io::Result<Response> {
    let mut line = String::new();
    stream.read_line(&mut line).await?;
    let status =
        line.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or_else(|| malformed(&line))?;
    let mut length = 0;
    loop {
        line.clear();
        stream.read_line(&mut line).await?;
        let Some((name, value)) = line.split_once(':') else { break };
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse().map_err(|_| malformed(&line))?;
        } else if name.eq_ignore_ascii_case("transfer-encoding") {
            return Err(malformed(&line));
        }
    }
    if line != "\r\n" {
        return Err(malformed(&line));
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await?;
    Ok(Response { status, body })
}

fn malformed(line: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("not understood: {line:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn parsed(text: &str) -> io::Result<Response> {
        read(&mut text.as_bytes()).await
    }

    #[tokio::test]
    async fn an_answer_ends_where_its_length_says() {
        let text = "HTTP/1.1 201 Created\r\nContent-Length: 3\r\nsynod-index: 7\r\n\r\nabcrest";
        let response = parsed(text).await.unwrap();
        assert_eq!((response.status, response.body.as_slice()), (201, b"abc".as_slice()));
    }

    #[tokio::test]
    async fn what_is_cut_off_or_of_unknown_length_is_an_error() {
        for text in [
            "",
            "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nab",
            "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        ] {
            assert!(parsed(text).await.is_err(), "{text:?}");
        }
    }
}
