//! Message bodies: protobuf, or the JSON text of the same message (contract 2.2).

use std::sync::LazyLock;

use prost::{Message, Name};
use prost_reflect::{DescriptorPool, DeserializeOptions, DynamicMessage, MessageDescriptor};

use crate::error::{Error, Result};
use crate::wire::proto::DESCRIPTOR_SET;

static POOL: LazyLock<Result<DescriptorPool, String>> =
    LazyLock::new(|| DescriptorPool::decode(DESCRIPTOR_SET).map_err(|error| error.to_string()));

/// Reads the body of `command`: protobuf, or JSON text if it starts with `{`.
///
/// # Errors
/// `Invalid`, with the words of the contract, if it is neither.
pub fn decode<M: Message + Name + Default>(command: &str, body: &[u8]) -> Result<M> {
    // '{' as a protobuf key begins group 15, which no message has: try the text first.
    let refusal = match body.first() {
        Some(b'{') => match to_protobuf(M::NAME, body) {
            Ok(converted) => return decode_protobuf(command, &converted),
            Err(error) => error,
        },
        _ => return decode_protobuf(command, body),
    };
    M::decode(body).map_err(|_| {
        Error::invalid(format!("Failed decoding openiap.{command} : {refusal}")).because(refusal)
    })
}

fn decode_protobuf<M: Message + Default>(command: &str, body: &[u8]) -> Result<M> {
    M::decode(body).map_err(|error| {
        Error::invalid(format!("Failed decoding openiap.{command} : {error}")).because(error)
    })
}

/// Turns the JSON text of a message (such as `QueryRequest`) into its protobuf bytes. Field
/// names are those of `proto/`; unknown ones are ignored, as they are in protobuf.
///
/// # Errors
/// `Invalid` for text that is not JSON of this message, `Internal` for an unknown message.
pub fn to_protobuf(message: &str, json: &[u8]) -> Result<Vec<u8>> {
    let mut reader = serde_json::Deserializer::from_slice(json);
    let options = DeserializeOptions::new().deny_unknown_fields(false);
    let refused = |error: serde_json::Error| {
        Error::invalid(format!("{message} as JSON: {error}")).because(error)
    };
    let value =
        DynamicMessage::deserialize_with_options(descriptor(message)?, &mut reader, &options)
            .map_err(refused)?;
    reader.end().map_err(refused)?;
    Ok(value.encode_to_vec())
}

/// Turns the protobuf bytes of a message into its JSON text; field names are those of `proto/`.
///
/// # Errors
/// `Invalid` for bytes that are not this message, `Internal` for an unknown message.
pub fn from_protobuf(message: &str, body: &[u8]) -> Result<Vec<u8>> {
    let value = DynamicMessage::decode(descriptor(message)?, body)
        .map_err(|error| Error::invalid(format!("{message}: {error}")).because(error))?;
    let options = prost_reflect::SerializeOptions::new()
        .use_proto_field_name(true)
        .stringify_64_bit_integers(false);
    let mut json = Vec::with_capacity(body.len() * 2);
    let mut writer = serde_json::Serializer::new(&mut json);
    value
        .serialize_with_options(&mut writer, &options)
        .map_err(|error| Error::internal(format!("{message} as JSON: {error}")).because(error))?;
    Ok(json)
}

fn descriptor(message: &str) -> Result<MessageDescriptor> {
    let pool = POOL
        .as_ref()
        .map_err(|error| Error::internal(format!("the built-in descriptors: {error}")))?;
    pool.get_message_by_name(&format!("openiap.{message}"))
        .ok_or_else(|| Error::internal(format!("there is no message openiap.{message}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Code;
    use crate::wire::proto::{PushWorkitemRequest, QueryRequest, QueueEvent, Workitem};

    #[test]
    fn a_body_may_be_protobuf_or_json() {
        let request = QueryRequest {
            query: "{\"a\":1}".into(),
            collectionname: "entities".into(),
            top: 5,
            explain: true,
            ..QueryRequest::default()
        };
        let json = br#"{"query":"{\"a\":1}","collectionname":"entities","top":5,"explain":true,"new":[1]}"#;
        assert_eq!(
            decode::<QueryRequest>("query", &request.encode_to_vec()).unwrap(),
            request
        );
        assert_eq!(decode::<QueryRequest>("query", json).unwrap(), request);
        assert_eq!(
            decode::<QueryRequest>("query", b"").unwrap(),
            QueryRequest::default()
        );
    }

    #[test]
    fn field_names_are_verbatim() {
        let json = br#"{"_id":"x","success_wiqid":"y","files":[{"filename":"f","file":"AAE="}],
                       "nextrun":"2024-01-02T03:04:05Z"}"#;
        let item = Workitem::decode(&to_protobuf("Workitem", json).unwrap()[..]).unwrap();
        assert_eq!(item.id, "x");
        assert_eq!(item.success_wiqid, "y");
        assert_eq!(&item.files[0].file[..], [0, 1]);
        assert_eq!(item.nextrun.unwrap().seconds, 1_704_164_645);
        let event = QueueEvent {
            correlation_id: "c".into(),
            ..QueueEvent::default()
        };
        assert_eq!(
            from_protobuf("QueueEvent", &event.encode_to_vec()).unwrap(),
            br#"{"correlationId":"c"}"#
        );
    }

    #[test]
    fn refusals_carry_the_words_of_the_contract() {
        for body in [
            &b"{\"priority\":\"high\"}"[..],
            b"{",
            b"{}x",
            b"\xff",
            b"\x0a\x05a",
        ] {
            let error = decode::<PushWorkitemRequest>("pushworkitem", body).unwrap_err();
            assert_eq!(error.code, Code::Invalid);
            let words = "Failed decoding openiap.pushworkitem : ";
            assert!(error.context.starts_with(words), "{error}");
        }
        let nested = "{\"workitem\":".repeat(5_000);
        assert!(to_protobuf("UpdateWorkitemRequest", nested.as_bytes()).is_err());
        assert_eq!(to_protobuf("Nope", b"{}").unwrap_err().code, Code::Internal);
    }
}
