//! Any bytes: the scan agrees with prost, and what it read can be written and read again.

#![no_main]

use libfuzzer_sys::fuzz_target;
use opencore::error::Code;
use opencore::wire::envelope::{Head, Outgoing, write_reply};
use opencore::wire::proto::Envelope;
use prost::Message;

fn assert_same(head: &Head<'_>, frame: &[u8], envelope: &Envelope) {
    assert_eq!(head.command, envelope.command);
    assert_eq!(head.priority, envelope.priority);
    assert_eq!(head.seq, envelope.seq);
    assert_eq!(head.id, envelope.id);
    assert_eq!(head.rid, envelope.rid);
    assert_eq!(head.jwt, envelope.jwt);
    assert_eq!(head.traceid, envelope.traceid);
    assert_eq!(head.spanid, envelope.spanid);
    assert_eq!(head.data.is_some(), envelope.data.is_some());
    let any = envelope.data.clone().unwrap_or_default();
    assert_eq!(head.body(frame), any.value);
    assert_eq!(&frame[head.type_url.clone()], any.type_url.as_bytes());
}

fn assert_round_trip(head: &Head<'_>, frame: &[u8]) {
    let body = head.body(frame);
    let parts = Outgoing {
        command: head.command,
        reply_suffix: false,
        seq: head.seq,
        id: head.id,
        rid: head.rid,
        priority: head.priority,
        jwt: head.jwt,
        traceid: head.traceid,
        spanid: head.spanid,
        type_name: "Noop",
        body_len: body.len(),
    };
    let mut out = Vec::new();
    write_reply(&mut out, &parts);
    out.extend_from_slice(body);
    assert_eq!(out.len(), parts.encoded_len());
    let again = Head::scan(&out).expect("what was written can be read");
    assert_eq!(
        (again.command, again.seq, again.id, again.rid),
        (head.command, head.seq, head.id, head.rid)
    );
    assert_eq!((again.priority, again.jwt), (head.priority, head.jwt));
    assert_eq!(again.body(&out), body);
}

fuzz_target!(|frame: &[u8]| {
    match (Head::scan(frame), Envelope::decode(frame)) {
        (Ok(head), Ok(envelope)) => {
            assert_same(&head, frame, &envelope);
            assert_round_trip(&head, frame);
        }
        (Err(_), Err(_)) => {}
        // Ours bounds lengths and nesting more tightly.
        (Err(error), Ok(_)) => assert!(
            error.code == Code::TooLarge || error.context.contains("nested too deep"),
            "{error}"
        ),
        // The type_url is ignored, so it may be any bytes; prost wants text.
        (Ok(_), Err(error)) => {
            let words = error.to_string();
            assert!(
                words.contains("type_url") && words.contains("UTF-8"),
                "{words}"
            );
        }
    }
});
