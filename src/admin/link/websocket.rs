//! The opening handshake of a WebSocket client (RFC 6455, 4.1).

use tungstenite::handshake::client::generate_key;
use tungstenite::handshake::derive_accept_key;

use super::socket::Socket;
use super::unavailable;
use crate::error::{Error, Result};
use crate::limits::{CLIENT_READ_BYTES, HTTP_HEAD_BYTES_MAX, HTTP_HEADERS_MAX};

/// Asks for the upgrade; returns the bytes that came behind the answer's head.
pub(super) async fn handshake(socket: &Socket, authority: &str, path: &str) -> Result<Vec<u8>> {
    let key = generate_key();
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {authority}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n"
    );
    socket.write(request.into_bytes()).await?;
    let mut answer = Vec::new();
    let mut chunk = Vec::with_capacity(CLIENT_READ_BYTES);
    loop {
        chunk = socket.read(chunk).await?;
        answer.extend_from_slice(&chunk);
        if let Some(end) = check(&answer, &derive_accept_key(key.as_bytes()))? {
            return Ok(answer.split_off(end));
        }
        if answer.len() > HTTP_HEAD_BYTES_MAX {
            return Err(Error::protocol(
                "the answer to the WebSocket upgrade does not end",
            ));
        }
    }
}

/// Length of the head once it is complete; an error when it is no upgrade.
fn check(answer: &[u8], accept: &str) -> Result<Option<usize>> {
    let mut headers = [httparse::EMPTY_HEADER; HTTP_HEADERS_MAX];
    let mut response = httparse::Response::new(&mut headers);
    let parsed = response
        .parse(answer)
        .map_err(|cause| Error::protocol("the answer is not HTTP").because(cause))?;
    let httparse::Status::Complete(end) = parsed else {
        return Ok(None);
    };
    let status = response.code.unwrap_or_default();
    if status != 101 {
        return Err(unavailable(format!(
            "WebSocket upgrade refused with HTTP {status}"
        )));
    }
    let accepted = response.headers.iter().any(|header| {
        header.name.eq_ignore_ascii_case("sec-websocket-accept")
            && header.value == accept.as_bytes()
    });
    match accepted {
        true => Ok(Some(end)),
        false => Err(Error::protocol(
            "Sec-WebSocket-Accept does not match the key",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_matching_upgrade_is_accepted() {
        let head = "HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: abc\r\n\r\n";
        assert_eq!(check(&head.as_bytes()[..30], "abc").unwrap(), None);
        let whole = format!("{head}rest");
        assert_eq!(check(whole.as_bytes(), "abc").unwrap(), Some(head.len()));
        assert!(check(whole.as_bytes(), "abd").is_err());
        assert!(check(b"HTTP/1.1 404 Not Found\r\n\r\n", "abc").is_err());
        assert!(check(b"\0\0\0\0", "abc").is_err());
    }
}
