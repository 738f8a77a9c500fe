//! One command by Envelope REST (contract 1.7), for `opencore call` with http://.

use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use prost::Message;
use serde_json::{Value, json};

use super::cli::ServerArgs;
use super::link::Reply;
use crate::error::{Code, Error, Result, Retry};
use crate::limits::{CLIENT_CONNECT_TIMEOUT, CLIENT_HTTP_BYTES_MAX, HTTP_HEADERS_MAX};
use crate::wire::proto::ErrorResponse;

/// Posts one envelope. An `error` reply is an error with the server's words.
pub fn call(
    authority: &str,
    server: &ServerArgs,
    command: &str,
    message: &str,
    body: &[u8],
    timeout: Duration,
) -> Result<Reply> {
    let envelope = json!({
        "command": command,
        "id": "call-1",
        "data": {
            "type_url": format!("type.googleapis.com/openiap.{message}"),
            "value": { "type": "Buffer", "data": body },
        },
    });
    let answer = post(
        authority,
        &authorization(server),
        &envelope.to_string(),
        timeout,
    )?;
    let envelope: Value = serde_json::from_slice(&answer)
        .map_err(|cause| Error::protocol("the answer is not JSON").because(cause))?;
    let reply = Reply {
        command: envelope["command"].as_str().unwrap_or_default().to_string(),
        body: buffer(&envelope["data"])?,
    };
    if reply.command == "error" {
        let text = ErrorResponse::decode(reply.body).map(|error| error.message);
        return Err(Error::invalid(
            text.unwrap_or_else(|_| "an error that cannot be read".into()),
        ));
    }
    Ok(reply)
}

fn authorization(server: &ServerArgs) -> String {
    match (&server.username, &server.password, &server.jwt) {
        (Some(username), Some(password), _) => {
            let pair = STANDARD.encode(format!("{username}:{password}"));
            format!("Authorization: Basic {pair}\r\n")
        }
        (_, _, Some(jwt)) => format!("Authorization: Bearer {jwt}\r\n"),
        _ => String::new(),
    }
}

/// The bytes of `{"value":{"type":"Buffer","data":[…]}}`; absent is empty.
fn buffer(data: &Value) -> Result<Bytes> {
    let Some(numbers) = data["value"]["data"].as_array() else {
        return Ok(Bytes::new());
    };
    let byte = |number: &Value| u8::try_from(number.as_u64()?).ok();
    let bytes: Option<Vec<u8>> = numbers.iter().map(byte).collect();
    bytes
        .map(Bytes::from)
        .ok_or_else(|| Error::protocol("the answer's data is no list of bytes"))
}

fn post(authority: &str, authorization: &str, body: &str, timeout: Duration) -> Result<Vec<u8>> {
    let failed = |cause: std::io::Error| {
        let text = format!("http://{authority}: {cause}");
        Error::backend(Code::Unavailable, Retry::Unsafe, text)
    };
    let nowhere = || failed(std::io::ErrorKind::AddrNotAvailable.into());
    let address = authority
        .to_socket_addrs()
        .map_err(failed)?
        .next()
        .ok_or_else(nowhere)?;
    let mut stream =
        TcpStream::connect_timeout(&address, CLIENT_CONNECT_TIMEOUT).map_err(failed)?;
    stream.set_read_timeout(Some(timeout)).map_err(failed)?;
    let head = format!(
        "POST /api/v2 HTTP/1.1\r\nHost: {authority}\r\nContent-Type: application/json\r\n\
         {authorization}Content-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).map_err(failed)?;
    stream.write_all(body.as_bytes()).map_err(failed)?;
    let mut answer = Vec::new();
    stream
        .take(CLIENT_HTTP_BYTES_MAX)
        .read_to_end(&mut answer)
        .map_err(failed)?;
    payload(&answer)
}

/// The body of a complete HTTP/1.1 answer with status 200.
fn payload(answer: &[u8]) -> Result<Vec<u8>> {
    let not_http = || Error::protocol("the answer is not HTTP/1.1");
    let mut headers = [httparse::EMPTY_HEADER; HTTP_HEADERS_MAX];
    let mut response = httparse::Response::new(&mut headers);
    let parsed = response.parse(answer).map_err(|_| not_http())?;
    let httparse::Status::Complete(end) = parsed else {
        return Err(not_http());
    };
    let (status, body) = (response.code.unwrap_or_default(), &answer[end..]);
    let chunked = response.headers.iter().any(|header| {
        header.name.eq_ignore_ascii_case("transfer-encoding")
            && header.value.eq_ignore_ascii_case(b"chunked")
    });
    let body = if chunked {
        unchunked(body).ok_or_else(not_http)?
    } else {
        body.to_vec()
    };
    match status {
        200 => Ok(body),
        _ => {
            let text = String::from_utf8_lossy(&body[..body.len().min(500)]).into_owned();
            Err(Error::invalid(format!("HTTP {status}: {text}")))
        }
    }
}

fn unchunked(mut rest: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let httparse::Status::Complete((head, len)) = httparse::parse_chunk_size(rest).ok()? else {
            return None;
        };
        let len = usize::try_from(len).ok()?;
        if len == 0 {
            return Some(body);
        }
        let end = head.checked_add(len)?;
        body.extend_from_slice(rest.get(head..end)?);
        rest = rest.get(end.checked_add(2)?..)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_are_read_whole_and_chunked() {
        let plain = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";
        assert_eq!(payload(plain).unwrap(), b"{}");
        let chunked =
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n1\r\n}\r\n0\r\n\r\n";
        assert_eq!(payload(chunked).unwrap(), b"{}");
        let refused = payload(b"HTTP/1.1 429 Too Many\r\n\r\nslow down").unwrap_err();
        assert!(refused.context.contains("429") && refused.context.contains("slow down"));
        let huge = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n";
        assert!(payload(huge).is_err());
        assert!(payload(b"HTTP/1.1 200").is_err());
    }

    #[test]
    fn data_is_a_list_of_bytes() {
        let data = json!({ "value": { "type": "Buffer", "data": [1, 255] } });
        assert_eq!(&buffer(&data).unwrap()[..], [1, 255]);
        assert!(buffer(&json!(null)).unwrap().is_empty());
        assert!(buffer(&json!({ "value": { "data": [256] } })).is_err());
    }
}
