//! Why a session ended: a closed list from the first day, counted per reason.

use std::fmt;

macro_rules! reasons {
    ($($name:ident $label:literal $doc:literal,)+) => {
        /// Why a session ended.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum CloseReason { $(#[doc = $doc] $name,)+ }

        impl CloseReason {
            pub const ALL: &'static [CloseReason] = &[$(CloseReason::$name,)+];

            /// The name in logs and on monitoring pages.
            pub fn label(self) -> &'static str {
                match self { $(CloseReason::$name => $label,)+ }
            }
        }
    };
}

reasons! {
    ClientClosed "client_closed" "The client closed the connection.",
    Network "network" "Reading or writing failed.",
    WrongFirstBytes "wrong_first_bytes" "The first bytes belong to no protocol of this server.",
    TlsNotConfigured "tls_not_configured" "A TLS hello on a listener without a certificate.",
    SniffTimeout "sniff_timeout" "The first bytes never came.",
    ProtocolViolation "protocol_violation" "Bytes that break the framing, the envelope or the sequence rules.",
    FrameTooLarge "frame_too_large" "A frame above `limits::FRAME_BYTES_MAX`.",
    FrameDeadline "frame_deadline" "A frame began and did not become complete in time.",
    HeartbeatTimeout "heartbeat_timeout" "No message within `client_heartbeat_timeout`.",
    SigninTimeout "signin_timeout" "No sign-in within `client_signin_timeout`.",
    OutboxFull "outbox_full" "The client reads more slowly than its replies come.",
    WriteDeadline "write_deadline" "A write made no progress.",
    TokenExpired "token_expired" "The token ran out and its user is gone or disabled.",
    TooManySessions "too_many_sessions" "The shard holds `limits::SHARD_SESSIONS_MAX` sessions.",
    Finished "finished" "The exchange is complete (REST, HTTP).",
    DeadlineExceeded "deadline_exceeded" "The deadline that the client set has passed.",
    Drain "drain" "The server is shutting down.",
}

impl fmt::Display for CloseReason {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.label())
    }
}
