//! The first bytes tell the protocol (design, decision 4).

use crate::limits;
use crate::session::CloseReason;

/// What a peer speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// Length-prefixed envelopes.
    Framed,
    /// HTTP/1.1: REST, pages, WebSocket upgrade.
    Http1,
    /// HTTP/2 with prior knowledge: gRPC.
    Http2,
}

/// Bytes that are enough to decide.
pub const SNIFF_BYTES: usize = 4;

/// Decides by the first four bytes; `None`: more are needed.
///
/// "GET " read as a little-endian length is above 500 MB and so beyond the frame
/// limit: no HTTP request can be taken for a frame, and no frame for a request.
pub fn sniff(first: &[u8]) -> Option<Result<Protocol, CloseReason>> {
    let first: [u8; SNIFF_BYTES] = first.get(..SNIFF_BYTES)?.try_into().ok()?;
    Some(match &first {
        b"PRI " => Ok(Protocol::Http2),
        b"GET " | b"POST" | b"PUT " | b"HEAD" | b"OPTI" | b"DELE" | b"PATC" | b"TRAC" | b"CONN" => {
            Ok(Protocol::Http1)
        }
        [0x16, 0x03, _, _] => Err(CloseReason::TlsNotConfigured),
        length if u32::from_le_bytes(*length) as usize <= limits::FRAME_BYTES_MAX => {
            Ok(Protocol::Framed)
        }
        // A negative length, or one above the limit, is a framing error of a framed peer.
        length if length.iter().all(u8::is_ascii_graphic) => Err(CloseReason::WrongFirstBytes),
        _ => Ok(Protocol::Framed),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_protocol_is_told_by_its_first_bytes() {
        assert_eq!(sniff(b"GET"), None);
        assert_eq!(sniff(b"GET / HTTP/1.1"), Some(Ok(Protocol::Http1)));
        assert_eq!(sniff(b"PRI * HTTP/2.0"), Some(Ok(Protocol::Http2)));
        assert_eq!(sniff(&[0x40, 0, 0, 0]), Some(Ok(Protocol::Framed)));
        assert_eq!(sniff(&[0, 0, 0, 0]), Some(Ok(Protocol::Framed)));
        assert_eq!(
            sniff(&[0x16, 3, 1, 2]),
            Some(Err(CloseReason::TlsNotConfigured))
        );
        assert_eq!(sniff(b"SSH-2.0"), Some(Err(CloseReason::WrongFirstBytes)));
        assert_eq!(
            sniff(&[0xff; 4]),
            Some(Ok(Protocol::Framed)),
            "a negative length gets the framing error"
        );
    }
}
