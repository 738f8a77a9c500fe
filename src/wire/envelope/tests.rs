use proptest::prelude::*;
use prost::Message;

use super::*;
use crate::error::Code;
use crate::limits::{GROUP_NESTING_MAX, HEAD_FIELD_BYTES_MAX};
use crate::wire::proto::Envelope;

fn envelope() -> Envelope {
    Envelope {
        command: "query".into(),
        priority: 2,
        seq: 7,
        id: "k3j9x0q1z".into(),
        rid: "ærø".into(),
        data: Some(prost_types::Any {
            type_url: "type.googleapis.com/openiap.QueryRequest".into(),
            value: vec![10, 2, b'{', b'}'],
        }),
        jwt: "a.b.c".into(),
        traceid: "t".into(),
        spanid: "s".into(),
    }
}

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

#[test]
fn a_head_borrows_every_field_from_the_frame() {
    let frame = envelope().encode_to_vec();
    let head = Head::scan(&frame).unwrap();
    assert_same(&head, &frame, &envelope());
    let inside = frame.as_ptr_range();
    assert!(inside.contains(&head.id.as_ptr()));
}

#[test]
fn an_empty_frame_is_an_empty_head() {
    assert_eq!(Head::scan(&[]).unwrap(), Head::default());
    assert_eq!(Head::default().body(&[]), b"");
}

#[test]
fn data_without_value_is_there_and_empty() {
    let frame = [6 << 3 | 2, 0];
    let head = Head::scan(&frame).unwrap();
    assert_eq!(head.data, Some(2..2));
}

#[test]
fn the_last_of_a_field_counts_and_data_is_merged() {
    let mut frame = envelope().encode_to_vec();
    let second = Envelope {
        id: "second".into(),
        seq: -3,
        data: Some(prost_types::Any {
            type_url: "x".into(),
            value: Vec::new(),
        }),
        ..Envelope::default()
    };
    frame.extend_from_slice(&second.encode_to_vec());
    let merged = Envelope::decode(&frame[..]).unwrap();
    assert_eq!(merged.seq, -3);
    assert_same(&Head::scan(&frame).unwrap(), &frame, &merged);
}

#[test]
fn unknown_fields_of_every_wire_type_are_skipped() {
    let mut frame = vec![
        0xf8, 0x01, 0xff, 0x7f, // 31: varint
        0xf9, 0x01, 1, 2, 3, 4, 5, 6, 7, 8, // 31: 64 bits
        0xfa, 0x01, 2, 9, 9, // 31: bytes
        0xfd, 0x01, 1, 2, 3, 4, // 31: 32 bits
        0xfb, 0x01, 0x5b, 0x08, 1, 0x5c, 0xfc, 0x01, // 31: a group with a group in it
    ];
    frame.extend_from_slice(&envelope().encode_to_vec());
    assert_same(&Head::scan(&frame).unwrap(), &frame, &envelope());
}

#[test]
fn refusals_name_the_field() {
    let nested = [0xfb, 0x01].repeat(GROUP_NESTING_MAX + 1);
    let cases: [(&[u8], &str); 15] = [
        (&[0x0a, 5, b'a'], "command reaches beyond"),
        (&[0x22, 0xff, 0xff, 0xff, 0xff, 0x0f], "id reaches beyond"),
        (&[0x2a, 1, 0xff], "rid is not UTF-8"),
        (&[0x18, 0x80], "seq reaches beyond"),
        (&[0x10], "priority reaches beyond"),
        (
            &[0x18, 255, 255, 255, 255, 255, 255, 255, 255, 255, 2],
            "seq has a varint",
        ),
        (&[0x1a, 0], "seq has a wire type"),
        (&[0x08, 0], "command has a wire type"),
        (&[0x32, 2, 0x0a, 9], "data.type_url reaches beyond"),
        (&[0x32, 2, 0x10, 9], "data.value has a wire type"),
        (&[0x32, 1, 0x12, 1, 1], "data.value reaches beyond"),
        (&[0x02, 0], "field number 0"),
        (&[0xff, 0xff, 0xff, 0xff, 0x7f], "larger than 32 bits"),
        (&[0xfc, 0x01], "ends a group"),
        (&nested, "nested too deep"),
    ];
    for (frame, word) in cases {
        let error = Head::scan(frame).expect_err(word);
        assert_eq!(error.code, Code::Protocol, "{word}");
        assert!(error.context.contains(word), "{word}: {error}");
        assert!(Envelope::decode(frame).is_err() || word == "nested too deep");
    }
}

#[test]
fn a_field_beyond_its_bound_is_refused() {
    let mut envelope = envelope();
    envelope.jwt = "j".repeat(HEAD_FIELD_BYTES_MAX);
    let frame = envelope.encode_to_vec();
    assert_same(&Head::scan(&frame).unwrap(), &frame, &envelope);
    envelope.jwt.push('j');
    let error = Head::scan(&envelope.encode_to_vec()).unwrap_err();
    assert_eq!(error.code, Code::TooLarge);
    assert!(
        error
            .context
            .contains("Envelope.jwt is longer than 65536 bytes")
    );
}

#[test]
fn a_reply_is_byte_exact() {
    let parts = Outgoing {
        command: "count",
        reply_suffix: true,
        seq: 300,
        id: "i",
        rid: "r",
        type_name: "CountResponse",
        body_len: 2,
        ..Outgoing::default()
    };
    let mut out = Vec::new();
    write_reply(&mut out, &parts);
    let mut expected = b"\x0a\x0acountreply\x18\xac\x02\x22\x01i\x2a\x01r\x32\x2f".to_vec();
    expected.extend_from_slice(b"\x0a\x29type.googleapis.com/openiap.CountResponse\x12\x02");
    // 0x2f = 43 bytes of type_url with its header + 4 of the value.
    assert_eq!(out, expected);
    assert_eq!(parts.head_len(), out.len());
    assert_eq!(parts.encoded_len(), out.len() + 2);
}

#[test]
fn a_reply_without_type_or_body_still_has_data() {
    let parts = Outgoing {
        command: "getelement",
        ..Outgoing::default()
    };
    let mut out = Vec::new();
    write_reply(&mut out, &parts);
    assert_eq!(out, b"\x0a\x0agetelement\x32\x00");
    assert_eq!(parts.encoded_len(), out.len());
}

fn any_envelope() -> impl Strategy<Value = Envelope> {
    let data = prop::option::of((".{0,20}", prop::collection::vec(any::<u8>(), 0..300)));
    (
        (".{0,12}", any::<i32>(), any::<i32>(), ".{0,12}", ".{0,12}"),
        data,
        ("[a-zA-Z0-9._-]{0,200}", ".{0,8}", ".{0,8}"),
    )
        .prop_map(|(head, data, tail)| Envelope {
            command: head.0,
            priority: head.1,
            seq: head.2,
            id: head.3,
            rid: head.4,
            data: data.map(|(type_url, value)| prost_types::Any { type_url, value }),
            jwt: tail.0,
            traceid: tail.1,
            spanid: tail.2,
        })
}

proptest! {
    #[test]
    fn the_scan_reads_what_prost_writes(envelope in any_envelope()) {
        let frame = envelope.encode_to_vec();
        assert_same(&Head::scan(&frame).unwrap(), &frame, &envelope);
    }

    #[test]
    fn prost_reads_what_is_written(
        envelope in any_envelope(),
        reply_suffix in any::<bool>(),
        type_name in "[A-Za-z]{0,20}",
    ) {
        let body = envelope.data.clone().unwrap_or_default().value;
        let parts = Outgoing {
            command: &envelope.command,
            reply_suffix,
            seq: envelope.seq,
            id: &envelope.id,
            rid: &envelope.rid,
            priority: envelope.priority,
            jwt: &envelope.jwt,
            traceid: &envelope.traceid,
            spanid: &envelope.spanid,
            type_name: &type_name,
            body_len: body.len(),
        };
        let mut out = Vec::new();
        write_reply(&mut out, &parts);
        prop_assert_eq!(out.len(), parts.head_len());
        out.extend_from_slice(&body);
        prop_assert_eq!(out.len(), parts.encoded_len());
        let suffix = if reply_suffix { "reply" } else { "" };
        let type_url = match type_name.as_str() {
            "" => String::new(),
            name => format!("type.googleapis.com/openiap.{name}"),
        };
        let expected = Envelope {
            command: format!("{}{suffix}", envelope.command),
            data: Some(prost_types::Any { type_url, value: body }),
            ..envelope.clone()
        };
        prop_assert_eq!(Envelope::decode(&out[..]).unwrap(), expected.clone());
        assert_same(&Head::scan(&out).unwrap(), &out, &expected);
    }

    #[test]
    fn damaged_frames_are_read_as_prost_reads_them(
        envelope in any_envelope(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut frame = envelope.encode_to_vec();
        prop_assume!(!frame.is_empty());
        for (index, byte) in damage {
            let at = index.index(frame.len());
            frame[at] = byte;
        }
        match (Envelope::decode(&frame[..]), Head::scan(&frame)) {
            (Ok(envelope), Ok(head)) => assert_same(&head, &frame, &envelope),
            (Err(_), Err(_)) => {}
            // The type_url is ignored, so it may be anything.
            (Err(_), Ok(head)) => {
                prop_assert!(std::str::from_utf8(&frame[head.type_url]).is_err());
            }
            (Ok(_), Err(error)) => prop_assert!(false, "{}", error),
        }
    }
}
