//! The upgrade from HTTP/1.1 (RFC 6455, 4.2).

use tungstenite::handshake::derive_accept_key;

use super::super::http::RequestHead;

/// The response that completes the upgrade, or the one that refuses it.
pub fn answer(head: &RequestHead) -> Result<String, String> {
    if head.websocket_version != "13" {
        return Err("HTTP/1.1 426 Upgrade Required\r\nSec-WebSocket-Version: 13\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".into());
    }
    if head.websocket_key.is_empty()
        || !head
            .connection
            .split(',')
            .any(|name| name.trim() == "upgrade")
    {
        return Err(
            "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".into(),
        );
    }
    let accept = derive_accept_key(head.websocket_key.as_bytes());
    Ok(format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_of_the_specification_gets_its_answer() {
        let head = RequestHead {
            websocket_version: "13".into(),
            websocket_key: "dGhlIHNhbXBsZSBub25jZQ==".into(),
            connection: "keep-alive, upgrade".into(),
            ..RequestHead::default()
        };
        assert!(
            answer(&head)
                .expect("accepted")
                .contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
        );
        assert!(
            answer(&RequestHead {
                websocket_version: "8".into(),
                ..head
            })
            .expect_err("refused")
            .contains("426")
        );
    }
}
