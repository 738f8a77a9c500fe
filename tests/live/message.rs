//! Envelopes as the test clients build and read them: by prost, not by the server's
//! own codec, so that a mistake in the codec cannot hide itself.

use opencore::wire::proto::Envelope;
use opencore::wire::{json_body, names};
use prost::Message;

/// What came back.
#[derive(Clone, Debug)]
pub struct Reply {
    pub command: String,
    pub rid: String,
    pub seq: i32,
    pub type_url: String,
    pub body: Vec<u8>,
}

impl Reply {
    pub fn of(envelope: Envelope) -> Reply {
        let data = envelope.data.unwrap_or_default();
        Reply {
            command: envelope.command,
            rid: envelope.rid,
            seq: envelope.seq,
            type_url: data.type_url,
            body: data.value,
        }
    }

    pub fn is_error(&self) -> bool {
        self.command == "error"
    }

    /// The message as JSON.
    pub fn json(&self) -> serde_json::Value {
        let name = self.type_url.rsplit('.').next().unwrap_or_default();
        if name.is_empty() {
            return serde_json::Value::Null;
        }
        let text = json_body::from_protobuf(name, &self.body).expect("a message of ours");
        serde_json::from_slice(&text).expect("JSON")
    }

    /// The text of an error, or the message as JSON text.
    pub fn text(&self) -> String {
        match self.is_error() {
            true => self.json()["message"]
                .as_str()
                .unwrap_or_default()
                .to_owned(),
            false => self.json().to_string(),
        }
    }
}

/// A request whose message is given as JSON.
pub fn request(command: &str, seq: i32, id: &str, message: &serde_json::Value) -> Envelope {
    let lower = command.to_ascii_lowercase();
    let value = match names::messages(&lower) {
        Some(messages) => {
            json_body::to_protobuf(messages.request, message.to_string().as_bytes()).expect("fits")
        }
        None => message.to_string().into_bytes(),
    };
    let data = Some(prost_types::Any {
        type_url: String::new(),
        value,
    });
    Envelope {
        command: command.into(),
        seq,
        id: id.into(),
        data,
        ..Envelope::default()
    }
}

pub fn framed(envelope: &Envelope) -> Vec<u8> {
    let body = envelope.encode_to_vec();
    let mut frame = (body.len() as u32).to_le_bytes().to_vec();
    frame.extend(body);
    frame
}
