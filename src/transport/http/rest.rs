//! Envelope REST: `POST /api/v2`, one JSON envelope in, one out (contract 1.7).
//!
//! The request becomes an ordinary envelope of a session that lives as long as it
//! does, so it meets the same dispatcher, rights and errors as on any other door.

use std::rc::Rc;

use bytes::{Bytes, BytesMut};

use crate::error::{Code, Error, Result, Retry};
use crate::session::{CloseReason, Door, Session};
use crate::wire::envelope::{Head, Outgoing, TYPE_URL_PREFIX, write_reply};
use crate::wire::rest::{self, RestEnvelope};

use super::super::{DoorContext, Page};
use super::head::RequestHead;

pub async fn envelope(
    context: &Rc<DoorContext>,
    head: &RequestHead,
    body: &Bytes,
    remote: &str,
) -> Page {
    let request = match rest::decode(body) {
        Ok(request) => request,
        Err(error) => return failed("", &error),
    };
    let session = context.dispatcher.open(Door::Rest, remote.to_owned());
    let reply = exchange(context, &session, head, &request).await;
    session.close(CloseReason::Finished);
    context.dispatcher.registry.remove(session.id);
    match reply {
        Ok(body) => json(body),
        Err(error) => failed(&request.id, &error),
    }
}

async fn exchange(
    context: &Rc<DoorContext>,
    session: &Rc<Session>,
    head: &RequestHead,
    request: &RestEnvelope,
) -> Result<Vec<u8>> {
    let jwt = if request.jwt.is_empty() {
        bearer(&head.authorization)
    } else {
        &request.jwt
    };
    context
        .dispatcher
        .submit(session, encode(request, jwt), None)
        .await?;
    session.quiet().await;
    session.outbox.close();
    let mut reply = BytesMut::new();
    while let Some(batch) = session.outbox.next_batch().await {
        batch
            .iter()
            .for_each(|segment| reply.extend_from_slice(segment));
    }
    if reply.is_empty() && context.dispatcher.is_draining() {
        // Not carried out, and it must not look as if it were.
        return Err(Error::backend(
            Code::Unavailable,
            Retry::Safe,
            "The server is shutting down and did not carry this out: send it again.",
        ));
    }
    if reply.is_empty() {
        // `noop` and other silent commands: still valid JSON, the client's connect parses it.
        let nothing = Outgoing {
            command: &request.command,
            rid: &request.id,
            ..Outgoing::default()
        };
        return Ok(rest::encode_reply(&nothing, &[]));
    }
    let head = Head::scan(&reply)?;
    let type_url = std::str::from_utf8(&reply[head.type_url.clone()]).unwrap_or_default();
    let type_name = type_url.strip_prefix(TYPE_URL_PREFIX).unwrap_or_default();
    let parts = Outgoing {
        command: head.command,
        rid: head.rid,
        id: head.id,
        type_name,
        ..Outgoing::default()
    };
    Ok(rest::encode_reply(&parts, head.body(&reply)))
}

/// The JSON envelope as protobuf.
fn encode(request: &RestEnvelope, jwt: &str) -> Bytes {
    let outgoing = Outgoing {
        command: &request.command,
        id: &request.id,
        rid: &request.rid,
        jwt,
        traceid: &request.traceid,
        spanid: &request.spanid,
        body_len: request.data.len(),
        ..Outgoing::default()
    };
    let mut frame = Vec::with_capacity(outgoing.encoded_len());
    write_reply(&mut frame, &outgoing);
    frame.extend_from_slice(&request.data);
    frame.into()
}

fn bearer(authorization: &str) -> &str {
    let scheme = "bearer ";
    match authorization.get(..scheme.len()) {
        Some(start) if start.eq_ignore_ascii_case(scheme) => authorization[scheme.len()..].trim(),
        // Basic credentials are a token like any other (contract 2.6).
        _ => authorization,
    }
}

/// Errors come as HTTP 200 with the command `error`: the client rejects any other status.
fn failed(request_id: &str, error: &Error) -> Page {
    use prost::Message;
    let message = error.context.to_string();
    let body = crate::wire::proto::ErrorResponse {
        message,
        code: 0,
        stack: String::new(),
    }
    .encode_to_vec();
    let parts = Outgoing {
        command: "error",
        rid: request_id,
        type_name: "ErrorResponse",
        ..Outgoing::default()
    };
    json(rest::encode_reply(&parts, &body))
}

fn json(body: Vec<u8>) -> Page {
    Page {
        status: 200,
        content_type: "application/json",
        body,
    }
}
