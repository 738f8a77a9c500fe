//! The head of an HTTP/1.1 request.

use bytes::{Buf, BytesMut};

use crate::error::{Error, Result};
use crate::limits;

/// What the server reads of a request's head.
#[derive(Debug, Default)]
pub struct RequestHead {
    pub method: String,
    /// Path without its query.
    pub path: String,
    pub keep_alive: bool,
    pub content_length: Option<usize>,
    pub chunked: bool,
    pub expects_continue: bool,
    /// The token of `Authorization`, with its scheme.
    pub authorization: String,
    pub upgrade: String,
    pub connection: String,
    pub websocket_key: String,
    pub websocket_version: String,
}

impl RequestHead {
    pub fn has_body(&self) -> bool {
        self.chunked || self.content_length.is_some_and(|length| length > 0)
    }

    pub fn wants_websocket(&self) -> bool {
        self.method == "GET" && self.upgrade.eq_ignore_ascii_case("websocket")
    }
}

/// Takes a complete head from the front of `bytes`; `None`: more bytes are needed.
///
/// Errors: not HTTP/1.1, or beyond `limits::HTTP_HEAD_BYTES_MAX` or `HTTP_HEADERS_MAX`.
pub fn parse(bytes: &mut BytesMut) -> Result<Option<RequestHead>> {
    let mut headers = [httparse::EMPTY_HEADER; limits::HTTP_HEADERS_MAX];
    let mut request = httparse::Request::new(&mut headers);
    let length = match request.parse(bytes) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) if bytes.len() >= limits::HTTP_HEAD_BYTES_MAX => {
            let limit = limits::HTTP_HEAD_BYTES_MAX;
            return Err(Error::too_large(format!(
                "The request head is larger than {limit} bytes: send fewer headers."
            )));
        }
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(error) => {
            return Err(Error::protocol(format!(
                "This is not an HTTP/1.1 request: {error}."
            )));
        }
    };
    let head = read(&request)?;
    bytes.advance(length);
    Ok(Some(head))
}

fn read(request: &httparse::Request<'_, '_>) -> Result<RequestHead> {
    let target = request.path.unwrap_or("/");
    let mut head = RequestHead {
        method: request.method.unwrap_or_default().to_owned(),
        path: target.split(['?', '#']).next().unwrap_or("/").to_owned(),
        keep_alive: request.version == Some(1),
        ..RequestHead::default()
    };
    for header in request.headers.iter() {
        let value = || {
            String::from_utf8_lossy(header.value)
                .trim_matches([' ', '\t'])
                .to_owned()
        };
        match header.name.to_ascii_lowercase().as_str() {
            "content-length" => {
                head.content_length = Some(content_length(&value(), head.content_length)?)
            }
            "transfer-encoding" => head.chunked = chunked(&value())?,
            "connection" => head.connection = value().to_ascii_lowercase(),
            "expect" => head.expects_continue = value().eq_ignore_ascii_case("100-continue"),
            "authorization" => head.authorization = value(),
            "upgrade" => head.upgrade = value(),
            "sec-websocket-key" => head.websocket_key = value(),
            "sec-websocket-version" => head.websocket_version = value(),
            _ => {}
        }
    }
    let names = |option: &str| head.connection.split(',').any(|name| name.trim() == option);
    if names("close") {
        head.keep_alive = false;
    } else if names("keep-alive") {
        head.keep_alive = true;
    }
    if head.chunked && head.content_length.is_some() {
        // Two lengths are how requests are smuggled past a proxy (RFC 9112, 6.3).
        return Err(Error::protocol(
            "The request has both Content-Length and Transfer-Encoding: send one.",
        ));
    }
    Ok(head)
}

fn content_length(value: &str, earlier: Option<usize>) -> Result<usize> {
    let digits = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
    let length = value.parse::<usize>().ok().filter(|_| digits);
    let length = length.ok_or_else(|| Error::protocol("Content-Length is not a number."))?;
    if earlier.is_some_and(|earlier| earlier != length) {
        return Err(Error::protocol(
            "Content-Length is given twice with different values.",
        ));
    }
    if length > limits::HTTP_BODY_BYTES_MAX {
        let limit = limits::HTTP_BODY_BYTES_MAX;
        return Err(Error::too_large(format!(
            "A body of {length} bytes is above the limit of {limit} bytes."
        )));
    }
    Ok(length)
}

fn chunked(value: &str) -> Result<bool> {
    if value.eq_ignore_ascii_case("chunked") {
        return Ok(true);
    }
    Err(Error::protocol(format!(
        "Transfer-Encoding {value:?} is not supported: send chunked, or Content-Length."
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(text: &str) -> Result<Option<RequestHead>> {
        parse(&mut BytesMut::from(text))
    }

    #[test]
    fn a_request_is_read_and_taken_from_the_buffer() {
        let mut bytes = BytesMut::from(
            "POST /api/v2?x=1 HTTP/1.1\r\nContent-Length: 3\r\nAuthorization: Bearer t\r\n\r\nabc",
        );
        let head = parse(&mut bytes).expect("valid").expect("complete");
        assert_eq!(
            (head.method.as_str(), head.path.as_str()),
            ("POST", "/api/v2")
        );
        assert_eq!((head.content_length, head.keep_alive), (Some(3), true));
        assert_eq!(head.authorization, "Bearer t");
        assert_eq!(&bytes[..], b"abc");
    }

    #[test]
    fn smuggling_and_nonsense_are_refused() {
        for bad in [
            "GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
            "GET / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
            "GET / HTTP/1.1\r\nContent-Length: +1\r\n\r\n",
            "GET / HTTP/1.1\r\nContent-Length: 999999999999\r\n\r\n",
            "GET / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n",
            "GET \0 HTTP/1.1\r\n\r\n",
        ] {
            assert!(head(bad).is_err(), "{bad:?}");
        }
        assert!(head("GET / HT").expect("partial").is_none());
        let endless = format!(
            "GET / HTTP/1.1\r\nx: {}",
            "y".repeat(limits::HTTP_HEAD_BYTES_MAX)
        );
        assert!(head(&endless).is_err());
    }
}
