//! What a message costs at the door: our head scan and hand-written reply against prost
//! and against a quick-protobuf style borrowed reader.
//!
//! `cargo bench --bench envelope`. Trust the ratios, not the figures.

use std::borrow::Cow;
use std::hint::black_box;

use bytes::BytesMut;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use opencore::wire::envelope::{Head, Outgoing, write_reply};
use opencore::wire::frame::FrameDecoder;
use opencore::wire::proto::Envelope;
use prost::Message;
use prost_types::Any;

/// A request as the Rust client sends it, and one with a token and a trace.
fn envelopes() -> [(&'static str, Envelope); 2] {
    let short = Envelope {
        command: "query".into(),
        priority: 2,
        seq: 1234,
        id: "k3j9x0q1z".into(),
        data: Some(Any {
            type_url: "type.googleapis.com/openiap.QueryRequest".into(),
            value: vec![b'a'; 50],
        }),
        ..Envelope::default()
    };
    let mut traced = short.clone();
    traced.jwt = "x".repeat(180);
    traced.traceid = "0af7651916cd43dd8448eb211c80319c".into();
    traced.spanid = "b7ad6b7169203331".into();
    [("short", short), ("traced", traced)]
}

/// An Envelope as quick-protobuf generates it: borrowed text, one `Cow` per field, its body too.
#[derive(Default)]
struct BorrowedEnvelope<'a> {
    command: Cow<'a, str>,
    priority: i32,
    seq: i32,
    id: Cow<'a, str>,
    rid: Cow<'a, str>,
    data: Option<BorrowedAny<'a>>,
    jwt: Cow<'a, str>,
    traceid: Cow<'a, str>,
    spanid: Cow<'a, str>,
}

#[derive(Default)]
struct BorrowedAny<'a> {
    type_url: Cow<'a, str>,
    value: Cow<'a, [u8]>,
}

/// A reader in the manner of quick-protobuf's `BytesReader`.
struct BytesReader<'a>(&'a [u8]);

impl<'a> BytesReader<'a> {
    fn varint(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let (byte, rest) = self.0.split_first()?;
            self.0 = rest;
            value |= u64::from(byte & 0x7f) << shift;
            if *byte < 0x80 {
                return Some(value);
            }
        }
        None
    }

    fn bytes(&mut self) -> Option<&'a [u8]> {
        let len = self.varint()? as usize;
        let (bytes, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(bytes)
    }

    fn text(&mut self) -> Option<Cow<'a, str>> {
        std::str::from_utf8(self.bytes()?).ok().map(Cow::Borrowed)
    }
}

fn read_borrowed(frame: &[u8]) -> Option<BorrowedEnvelope<'_>> {
    let mut envelope = BorrowedEnvelope::default();
    let mut reader = BytesReader(frame);
    while !reader.0.is_empty() {
        match reader.varint()? {
            10 => envelope.command = reader.text()?,
            16 => envelope.priority = reader.varint()? as i32,
            24 => envelope.seq = reader.varint()? as i32,
            34 => envelope.id = reader.text()?,
            42 => envelope.rid = reader.text()?,
            50 => {
                let mut any = BorrowedAny::default();
                let mut inner = BytesReader(reader.bytes()?);
                while !inner.0.is_empty() {
                    match inner.varint()? {
                        10 => any.type_url = inner.text()?,
                        18 => any.value = Cow::Borrowed(inner.bytes()?),
                        _ => return None,
                    }
                }
                envelope.data = Some(any);
            }
            58 => envelope.jwt = reader.text()?,
            66 => envelope.traceid = reader.text()?,
            74 => envelope.spanid = reader.text()?,
            _ => return None,
        }
    }
    Some(envelope)
}

fn read_head(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("read_head");
    for (name, envelope) in envelopes() {
        let frame = envelope.encode_to_vec();
        let head = Head::scan(&frame).expect("ours");
        let borrowed = read_borrowed(&frame).expect("borrowed");
        assert_eq!(head.id, borrowed.id);
        assert_eq!(head.jwt, borrowed.jwt);
        let any = borrowed.data.expect("data");
        assert_eq!(head.body(&frame), &any.value[..]);

        group.throughput(Throughput::Bytes(frame.len() as u64));
        group.bench_with_input(BenchmarkId::new("scan", name), &frame, |bencher, frame| {
            bencher.iter(|| Head::scan(black_box(frame)).is_ok());
        });
        group.bench_with_input(
            BenchmarkId::new("borrowed", name),
            &frame,
            |bencher, frame| {
                bencher.iter(|| black_box(read_borrowed(black_box(frame))).is_some());
            },
        );
        group.bench_with_input(BenchmarkId::new("prost", name), &frame, |bencher, frame| {
            bencher.iter(|| Envelope::decode(black_box(&frame[..])).is_ok());
        });
    }
    group.finish();
}

fn answer(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("answer");
    for (name, envelope) in envelopes() {
        let frame = envelope.encode_to_vec();
        let mut out = Vec::with_capacity(4096);
        group.bench_function(BenchmarkId::new("scan_and_write", name), |bencher| {
            bencher.iter(|| {
                out.clear();
                let head = Head::scan(black_box(&frame)).expect("valid");
                let body = head.body(&frame);
                let parts = Outgoing {
                    command: head.command,
                    reply_suffix: true,
                    seq: head.seq,
                    id: "123456789",
                    rid: head.id,
                    type_name: "QueryResponse",
                    body_len: body.len(),
                    ..Outgoing::default()
                };
                black_box(parts.encoded_len());
                write_reply(&mut out, &parts);
                out.extend_from_slice(body);
                black_box(out.len())
            });
        });
        group.bench_function(BenchmarkId::new("prost_both_ways", name), |bencher| {
            bencher.iter(|| {
                out.clear();
                let request = Envelope::decode(black_box(&frame[..])).expect("valid");
                let reply = Envelope {
                    command: request.command + "reply",
                    seq: request.seq,
                    id: "123456789".into(),
                    rid: request.id,
                    data: Some(Any {
                        type_url: "type.googleapis.com/openiap.QueryResponse".into(),
                        value: request.data.map(|any| any.value).unwrap_or_default(),
                    }),
                    ..Envelope::default()
                };
                reply.encode(&mut out).expect("room");
                black_box(out.len())
            });
        });
    }
    group.finish();
}

/// 64 frames in one read, cut and scanned.
fn cut_frames(criterion: &mut Criterion) {
    let [(_, envelope), _] = envelopes();
    let frame = envelope.encode_to_vec();
    let mut stream = Vec::new();
    for _ in 0..64 {
        stream.extend_from_slice(&(frame.len() as u32).to_le_bytes());
        stream.extend_from_slice(&frame);
    }
    let mut group = criterion.benchmark_group("frames");
    group.throughput(Throughput::Elements(64));
    group.bench_function("cut_and_scan_64", |bencher| {
        bencher.iter(|| {
            let mut buffer = BytesMut::from(black_box(&stream[..]));
            let mut decoder = FrameDecoder::length_prefixed();
            let mut count = 0;
            while let Ok(Some(frame)) = decoder.next(&mut buffer) {
                count += usize::from(Head::scan(&frame).is_ok());
            }
            assert_eq!(count, 64);
        });
    });
    group.finish();
}

criterion_group!(benches, read_head, answer, cut_frames);
criterion_main!(benches);
