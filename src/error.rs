//! What went wrong, whose fault it is, whether to retry, and what to do now.
//!
//! One value for every refusal of the server. Doors map it: [`Error::http_status`],
//! [`Error::grpc_status`], and `ErrorResponse.message` (contract 2.4), which is the
//! context alone: clients show it word for word and match fragments of it.

use std::borrow::Cow;
use std::fmt;

pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What kind of failure. Numbers are stable and never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub enum Code {
    /// The request cannot be understood or breaks a rule of its own.
    Invalid = 1,
    /// No credential, or one that does not hold.
    Unauthenticated = 2,
    /// The identity may not do this.
    Denied = 3,
    /// The thing asked for is not there.
    NotFound = 4,
    /// It exists already, or changed meanwhile.
    Conflict = 5,
    /// Larger than a bound in `limits.rs`.
    TooLarge = 6,
    /// No room now; later there may be.
    Exhausted = 7,
    /// A part the server needs is away.
    Unavailable = 8,
    /// Not done in time; a write may have happened.
    Deadline = 9,
    /// This server does not do that.
    Unimplemented = 10,
    /// A defect of the server.
    Internal = 11,
    /// Stored data is damaged.
    Corrupt = 12,
    /// Bytes that are not the protocol; the connection ends.
    Protocol = 13,
}

/// Whose fault it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    Client,
    Backend,
    Server,
}

/// Whether the same request may be sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// It will fail again until something changes.
    Never,
    /// Nothing happened: send it again, later.
    Safe,
    /// It may have happened: look before sending it again.
    Unsafe,
}

/// A refusal. `context` is written for the person who reads it.
#[derive(Debug)]
pub struct Error {
    pub code: Code,
    pub origin: Origin,
    pub retry: Retry,
    pub context: Cow<'static, str>,
    pub cause: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// The client's fault; sending the same again will fail again.
    pub fn client(code: Code, context: impl Into<Cow<'static, str>>) -> Self {
        Self {
            code,
            origin: Origin::Client,
            retry: Retry::Never,
            context: context.into(),
            cause: None,
        }
    }

    pub fn invalid(context: impl Into<Cow<'static, str>>) -> Self {
        Self::client(Code::Invalid, context)
    }

    pub fn denied(context: impl Into<Cow<'static, str>>) -> Self {
        Self::client(Code::Denied, context)
    }

    pub fn unauthenticated(context: impl Into<Cow<'static, str>>) -> Self {
        Self::client(Code::Unauthenticated, context)
    }

    pub fn too_large(context: impl Into<Cow<'static, str>>) -> Self {
        Self::client(Code::TooLarge, context)
    }

    pub fn protocol(context: impl Into<Cow<'static, str>>) -> Self {
        Self::client(Code::Protocol, context)
    }

    /// The server's own defect.
    pub fn internal(context: impl Into<Cow<'static, str>>) -> Self {
        Self {
            code: Code::Internal,
            origin: Origin::Server,
            retry: Retry::Unsafe,
            context: context.into(),
            cause: None,
        }
    }

    /// No room now; nothing happened; try later.
    pub fn exhausted(context: impl Into<Cow<'static, str>>) -> Self {
        Self {
            code: Code::Exhausted,
            origin: Origin::Server,
            retry: Retry::Safe,
            context: context.into(),
            cause: None,
        }
    }

    /// A backend failed: storage, broker, disk.
    pub fn backend(code: Code, retry: Retry, context: impl Into<Cow<'static, str>>) -> Self {
        Self {
            code,
            origin: Origin::Backend,
            retry,
            context: context.into(),
            cause: None,
        }
    }

    /// Keeps the error underneath, for the log; clients never see it.
    pub fn because(mut self, cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.cause = Some(cause.into());
        self
    }

    pub fn http_status(&self) -> u16 {
        match self.code {
            Code::Invalid | Code::Protocol => 400,
            Code::Unauthenticated => 401,
            Code::Denied => 403,
            Code::NotFound => 404,
            Code::Conflict => 409,
            Code::TooLarge => 413,
            Code::Exhausted => 429,
            Code::Unavailable => 503,
            Code::Deadline => 504,
            Code::Unimplemented => 501,
            Code::Internal | Code::Corrupt => 500,
        }
    }

    /// gRPC status code number, by grpc/doc/statuscodes.md.
    pub fn grpc_status(&self) -> u8 {
        match self.code {
            Code::Invalid | Code::Protocol => 3,
            Code::Deadline => 4,
            Code::NotFound => 5,
            Code::Conflict => 10,
            Code::Denied => 7,
            Code::TooLarge | Code::Exhausted => 8,
            Code::Unimplemented => 12,
            Code::Internal => 13,
            Code::Unavailable => 14,
            Code::Corrupt => 15,
            Code::Unauthenticated => 16,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.context)?;
        if let Some(cause) = &self.cause {
            write!(out, " ({cause})")?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {}
