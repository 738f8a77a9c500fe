//! gRPC status in trailers (grpc/doc/PROTOCOL-HTTP2.md).

use std::fmt::Write;
use std::time::Duration;

use http::{HeaderMap, HeaderValue, Response};

use crate::session::CloseReason;

pub struct Status {
    pub code: u8,
    pub message: String,
}

impl Status {
    pub fn unimplemented(message: String) -> Self {
        Self { code: 12, message }
    }

    pub fn of(reason: CloseReason) -> Self {
        let (code, text) = match reason {
            CloseReason::ClientClosed | CloseReason::Finished => (0, ""),
            CloseReason::ProtocolViolation | CloseReason::WrongFirstBytes => {
                (3, "the stream broke the protocol")
            }
            CloseReason::DeadlineExceeded => (4, "the deadline set by the client has passed"),
            CloseReason::FrameTooLarge | CloseReason::TooManySessions => {
                (8, "beyond a limit of the server")
            }
            CloseReason::OutboxFull | CloseReason::WriteDeadline => {
                (8, "replies were not read in time")
            }
            CloseReason::SigninTimeout => (16, "no sign-in in time"),
            CloseReason::TokenExpired => (16, "the token expired and was not renewed"),
            CloseReason::Drain => (14, "the server is shutting down: reconnect"),
            _ => (14, "the connection ended"),
        };
        let message = if text.is_empty() {
            String::new()
        } else {
            format!("{text} ({reason})")
        };
        Self { code, message }
    }

    pub fn trailers(&self) -> HeaderMap {
        let mut trailers = HeaderMap::new();
        trailers.insert("grpc-status", HeaderValue::from(u16::from(self.code)));
        if let Ok(message) = HeaderValue::from_str(&percent_encoded(&self.message)) {
            trailers.insert("grpc-message", message);
        }
        trailers
    }

    /// A response of trailers only.
    pub fn alone(&self) -> Response<()> {
        let mut response = Response::new(());
        *response.headers_mut() = self.trailers();
        response.headers_mut().insert(
            http::header::CONTENT_TYPE,
            HeaderValue::from_static("application/grpc"),
        );
        response
    }
}

fn percent_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b' '..=b'~' if byte != b'%' => encoded.push(byte as char),
            _ => write!(encoded, "%{byte:02X}").unwrap_or_default(),
        }
    }
    encoded
}

/// The value of `grpc-timeout`: up to eight digits and a unit.
pub fn timeout(value: &str) -> Option<Duration> {
    let (digits, unit) = value.split_at_checked(value.len().checked_sub(1)?)?;
    if digits.is_empty() || digits.len() > 8 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let count: u64 = digits.parse().ok()?;
    match unit {
        "H" => Some(Duration::from_secs(count * 3600)),
        "M" => Some(Duration::from_secs(count * 60)),
        "S" => Some(Duration::from_secs(count)),
        "m" => Some(Duration::from_millis(count)),
        "u" => Some(Duration::from_micros(count)),
        "n" => Some(Duration::from_nanos(count)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timeouts_are_read_by_their_unit() {
        assert_eq!(timeout("5S"), Some(Duration::from_secs(5)));
        assert_eq!(timeout("250m"), Some(Duration::from_millis(250)));
        assert_eq!(timeout("123456789S"), None);
        assert_eq!(timeout("S"), None);
        assert_eq!(timeout("-1S"), None);
        assert_eq!(timeout(""), None);
    }

    #[test]
    fn messages_are_percent_encoded() {
        let trailers = Status::unimplemented("50 % ü".into()).trailers();
        assert_eq!(trailers["grpc-message"], "50 %25 %C3%BC");
        assert_eq!(trailers["grpc-status"], "12");
    }
}
