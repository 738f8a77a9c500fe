//! Why bytes are not an Envelope, in two bytes: the scan returns it in a register, and only
//! a refusal pays for words.

use crate::error::Error;
use crate::limits::HEAD_FIELD_BYTES_MAX;

/// What was being read.
#[derive(Clone, Copy, Debug)]
pub(super) enum Field {
    Command,
    Priority,
    Seq,
    Id,
    Rid,
    Data,
    Jwt,
    Traceid,
    Spanid,
    TypeUrl,
    Value,
    Key,
    Unknown,
}

/// What is wrong with it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    Truncated,
    VarintTooLong,
    KeyTooLarge,
    NumberZero,
    TooDeep,
    GroupNotBegun,
    NoSuchWireType,
    OtherWireType,
    NotUtf8,
    TooLong,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Fault(pub Field, pub Kind);

impl Field {
    fn name(self) -> &'static str {
        match self {
            Field::Command => "command",
            Field::Priority => "priority",
            Field::Seq => "seq",
            Field::Id => "id",
            Field::Rid => "rid",
            Field::Data => "data",
            Field::Jwt => "jwt",
            Field::Traceid => "traceid",
            Field::Spanid => "spanid",
            Field::TypeUrl => "data.type_url",
            Field::Value => "data.value",
            Field::Key => "key of a field",
            Field::Unknown => "an unknown field",
        }
    }
}

impl Kind {
    fn words(self) -> &'static str {
        match self {
            Kind::Truncated => "reaches beyond the end of the message",
            Kind::VarintTooLong => "has a varint of more than 64 bits",
            Kind::KeyTooLarge => "is larger than 32 bits",
            Kind::NumberZero => "has field number 0",
            Kind::TooDeep => "has groups nested too deep",
            Kind::GroupNotBegun => "ends a group that was not begun",
            Kind::NoSuchWireType => "has a wire type that does not exist",
            Kind::OtherWireType => "has a wire type that is not its own",
            Kind::NotUtf8 => "is not UTF-8",
            Kind::TooLong => "is too long",
        }
    }
}

impl From<Fault> for Error {
    #[cold]
    fn from(Fault(field, kind): Fault) -> Self {
        let field = field.name();
        match kind {
            Kind::TooLong => Error::too_large(format!(
                "Envelope.{field} is longer than {HEAD_FIELD_BYTES_MAX} bytes: \
                 send large content in data"
            )),
            _ => Error::protocol(format!(
                "this is not an Envelope: {field} {}; send protobuf messages of openiap.Envelope",
                kind.words()
            )),
        }
    }
}
