//! The JSON envelope of `POST /api/v2` (contract 1.7): one request, one reply.

use bytes::Bytes;
use serde::de::{self, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::fmt;

use crate::error::{Error, Result};
use crate::limits::HEAD_FIELD_BYTES_MAX;
use crate::wire::envelope::{Outgoing, TYPE_URL_PREFIX};

/// A request, as [`Head`](crate::wire::envelope::Head) is on the other doors. Absent fields
/// are empty; `seq` and `priority` are ignored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RestEnvelope {
    /// As sent: lower-case it with [`names::lower`](crate::wire::names::lower).
    pub command: String,
    pub id: String,
    pub rid: String,
    pub jwt: String,
    pub traceid: String,
    pub spanid: String,
    /// The message: protobuf bytes, or JSON text that starts with `{`
    /// ([`json_body::decode`](crate::wire::json_body::decode) takes both).
    pub data: Bytes,
}

/// Reads a request body. `data` may be `{"type_url", "value": BUFFER}`, a bare BUFFER
/// `{"type":"Buffer","data":[…]}`, a JSON string of the message, or absent or null.
///
/// # Errors
/// `Invalid`, naming the field and the place, for text that is not such an envelope;
/// `TooLarge` for a field longer than [`HEAD_FIELD_BYTES_MAX`].
pub fn decode(body: &[u8]) -> Result<RestEnvelope> {
    let mut reader = serde_json::Deserializer::from_slice(body);
    let refused = |error: serde_json::Error| {
        Error::invalid(format!(
            "this is not a JSON envelope: {error}; send \
             {{\"command\":\"…\",\"id\":\"…\",\"data\":{{\"type_url\":\"…\",\"value\":\
             {{\"type\":\"Buffer\",\"data\":[…]}}}}}}"
        ))
    };
    let envelope = reader.deserialize_map(EnvelopeVisitor).map_err(refused)?;
    reader.end().map_err(refused)?;
    for (field, text) in [
        ("command", &envelope.command),
        ("id", &envelope.id),
        ("rid", &envelope.rid),
        ("jwt", &envelope.jwt),
        ("traceid", &envelope.traceid),
        ("spanid", &envelope.spanid),
    ] {
        if text.len() > HEAD_FIELD_BYTES_MAX {
            return Err(Error::too_large(format!(
                "{field} is {} bytes, the longest accepted is {HEAD_FIELD_BYTES_MAX}",
                text.len()
            )));
        }
    }
    Ok(envelope)
}

/// Writes a reply. Without a `type_name` there is no `data`, as for `noop`; `seq` and
/// `body_len` of `parts` are not used.
pub fn encode_reply(parts: &Outgoing<'_>, body: &[u8]) -> Vec<u8> {
    // A byte takes 2.6 digits and a comma on average, at most 4 bytes.
    let mut out = Vec::with_capacity(256 + body.len() * 4);
    out.extend_from_slice(b"{\"command\":");
    match parts.reply_suffix {
        true => put_text(&mut out, &[parts.command, "reply"]),
        false => put_text(&mut out, &[parts.command]),
    }
    out.extend_from_slice(b",\"rid\":");
    put_text(&mut out, &[parts.rid]);
    out.extend_from_slice(b",\"id\":");
    put_text(&mut out, &[parts.id]);
    if !parts.type_name.is_empty() {
        out.extend_from_slice(b",\"data\":{\"type_url\":");
        put_text(&mut out, &[TYPE_URL_PREFIX, parts.type_name]);
        out.extend_from_slice(b",\"value\":{\"type\":\"Buffer\",\"data\":[");
        put_bytes(&mut out, body);
        out.extend_from_slice(b"]}}");
    }
    out.push(b'}');
    out
}

/// Appends one JSON string made of `parts`.
fn put_text(out: &mut Vec<u8>, parts: &[&str]) {
    out.push(b'"');
    for part in parts {
        for character in part.chars() {
            match character {
                '"' => out.extend_from_slice(b"\\\""),
                '\\' => out.extend_from_slice(b"\\\\"),
                '\0'..='\x1f' => {
                    let code = character as u8;
                    out.extend_from_slice(b"\\u00");
                    out.push(b"0123456789abcdef"[usize::from(code >> 4)]);
                    out.push(b"0123456789abcdef"[usize::from(code & 15)]);
                }
                _ => {
                    let mut buffer = [0; 4];
                    out.extend_from_slice(character.encode_utf8(&mut buffer).as_bytes());
                }
            }
        }
    }
    out.push(b'"');
}

/// Appends decimal numbers with commas between them.
fn put_bytes(out: &mut Vec<u8>, body: &[u8]) {
    for (index, byte) in body.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        if *byte >= 100 {
            out.push(b'0' + byte / 100);
        }
        if *byte >= 10 {
            out.push(b'0' + byte / 10 % 10);
        }
        out.push(b'0' + byte % 10);
    }
}

struct EnvelopeVisitor;

impl<'de> Visitor<'de> for EnvelopeVisitor {
    type Value = RestEnvelope;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("an object with command, id and data")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RestEnvelope, A::Error> {
        let mut envelope = RestEnvelope::default();
        while let Some(key) = map.next_key::<String>()? {
            let slot = match key.as_str() {
                "command" => &mut envelope.command,
                "id" => &mut envelope.id,
                "rid" => &mut envelope.rid,
                "jwt" => &mut envelope.jwt,
                "traceid" => &mut envelope.traceid,
                "spanid" => &mut envelope.spanid,
                "data" => {
                    envelope.data = map.next_value_seed(BytesAt("data"))?.into();
                    continue;
                }
                _ => {
                    map.next_value::<IgnoredAny>()?;
                    continue;
                }
            };
            *slot = map
                .next_value::<Option<String>>()
                .map_err(|error| named(&key, error))?
                .unwrap_or_default();
        }
        Ok(envelope)
    }
}

/// Puts the field before what serde says of it.
fn named<E: de::Error>(field: &str, error: impl fmt::Display) -> E {
    E::custom(format_args!("{field}: {error}"))
}

/// Bytes at the named field: a Buffer, an array of numbers, text, or an object whose
/// `value` or `data` is one of these. Levels are few: each name leads to the next.
struct BytesAt(&'static str);

impl<'de> DeserializeSeed<'de> for BytesAt {
    type Value = Vec<u8>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Vec<u8>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for BytesAt {
    type Value = Vec<u8>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "a Buffer, bytes or JSON text in {}", self.0)
    }

    fn visit_unit<E: de::Error>(self) -> Result<Vec<u8>, E> {
        Ok(Vec::new())
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Vec<u8>, E> {
        Ok(text.as_bytes().to_vec())
    }

    fn visit_string<E: de::Error>(self, text: String) -> Result<Vec<u8>, E> {
        Ok(text.into_bytes())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut numbers: A) -> Result<Vec<u8>, A::Error> {
        let mut bytes = Vec::new();
        loop {
            match numbers.next_element::<u8>() {
                Ok(Some(byte)) => bytes.push(byte),
                Ok(None) => return Ok(bytes),
                Err(error) => {
                    let field = format!("{}[{}]", self.0, bytes.len());
                    return Err(named(&field, error));
                }
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Vec<u8>, A::Error> {
        let mut bytes = None;
        while let Some(key) = map.next_key::<String>()? {
            let inner = match (self.0, key.as_str()) {
                ("data", "value") => "data.value",
                ("data", "data") => "data.data",
                ("data.value", "data") => "data.value.data",
                _ => {
                    map.next_value::<IgnoredAny>()?;
                    continue;
                }
            };
            bytes = Some(map.next_value_seed(BytesAt(inner))?);
        }
        match (bytes, self.0) {
            (Some(bytes), _) => Ok(bytes),
            // An Any with no value is an empty message.
            (None, "data") => Ok(Vec::new()),
            (None, field) => Err(named(field, "has no array \"data\"")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Code;
    use proptest::prelude::*;

    #[test]
    fn data_comes_in_four_forms() {
        for (data, expected) in [
            (
                r#"{"type_url":"x","value":{"type":"Buffer","data":[1,2,255]}}"#,
                &[1, 2, 255][..],
            ),
            (r#"{"type":"Buffer","data":[ 1 , 0 ]}"#, &[1, 0]),
            (r#""{\"top\":1}""#, b"{\"top\":1}"),
            (r#"{"type_url":"x"}"#, b""),
            (r#"{"value":[7],"type_url":"x"}"#, &[7]),
            ("null", b""),
        ] {
            let body = format!(
                r#"{{"command":"query","seq":1.5,"priority":2,"id":"i","rid":null,
                    "jwt":"j","traceid":"t","spanid":"s","data":{data},"more":{{"a":[]}}}}"#
            );
            let envelope = decode(body.as_bytes()).unwrap();
            assert_eq!(envelope.data, expected, "{data}");
            assert_eq!(envelope.command, "query");
            assert_eq!(envelope.rid, "");
            assert_eq!((&*envelope.jwt, &*envelope.traceid), ("j", "t"));
        }
        let bare = decode(br#"{"command":"noop"}"#).unwrap();
        assert_eq!((&*bare.command, &bare.data[..]), ("noop", &b""[..]));
    }

    #[test]
    fn refusals_name_the_field() {
        for (body, word) in [
            (r#"{"command":5}"#, "command: "),
            (
                r#"{"data":{"type":"Buffer","data":[1,256]}}"#,
                "data.data[1]: ",
            ),
            (
                r#"{"data":{"value":{"type":"Buffer","data":["a"]}}}"#,
                "data.value.data[0]: ",
            ),
            (
                r#"{"data":{"value":{"type":"Buffer"}}}"#,
                "data.value: has no",
            ),
            (r#"{"data":{"value":7}}"#, "in data.value"),
            (r#"[]"#, "an object with command"),
            (r#"{"command":"a"} x"#, "trailing"),
            ("", "EOF"),
        ] {
            let error = decode(body.as_bytes()).expect_err(body);
            assert_eq!(error.code, Code::Invalid);
            assert!(error.context.contains(word), "{body}: {error}");
        }
        let deep = format!("{{\"data\":{}", "{\"data\":".repeat(100_000));
        assert_eq!(decode(deep.as_bytes()).unwrap_err().code, Code::Invalid);
        let long = format!(
            r#"{{"command":"query","jwt":"{}"}}"#,
            "j".repeat(HEAD_FIELD_BYTES_MAX + 1)
        );
        let error = decode(long.as_bytes()).unwrap_err();
        assert_eq!(error.code, Code::TooLarge);
        assert!(error.context.starts_with("jwt is 65537 bytes"));
    }

    #[test]
    fn a_reply_to_noop_has_no_data() {
        let parts = Outgoing {
            command: "noop",
            rid: "r\"\n",
            id: "i",
            ..Outgoing::default()
        };
        let json = encode_reply(&parts, b"");
        assert_eq!(json, br#"{"command":"noop","rid":"r\"\u000a","id":"i"}"#);
    }

    proptest! {
        #[test]
        fn a_reply_is_json_and_reads_back(
            command in ".{0,20}", rid in ".{0,20}", body in prop::collection::vec(any::<u8>(), 0..300),
        ) {
            let parts = Outgoing {
                command: &command,
                reply_suffix: true,
                rid: &rid,
                id: "i",
                type_name: "CountResponse",
                ..Outgoing::default()
            };
            let json = encode_reply(&parts, &body);
            let value: serde_json::Value = serde_json::from_slice(&json).unwrap();
            prop_assert_eq!(&value["data"]["value"]["type"], "Buffer");
            prop_assert_eq!(&value["data"]["type_url"], "type.googleapis.com/openiap.CountResponse");
            let envelope = decode(&json).unwrap();
            prop_assert_eq!(envelope.command, format!("{command}reply"));
            prop_assert_eq!(envelope.rid, rid);
            prop_assert_eq!(envelope.data, body);
        }
    }
}
