//! JSON text to BSON and back, and filters, per document of about one KiB.

use std::hint::black_box;

use bson::raw::RawDocumentBuf;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use opencore::document::filter::Filter;
use opencore::document::json;

/// A user document as clients send it: about 1 KiB, an access list, dates, nesting.
fn text() -> String {
    let mut aces = String::new();
    for index in 0..5 {
        aces.push_str(&format!(
            r#"{{"deny":false,"_id":"5f00000000000000000000{index:02}","name":"some role {index}","rights":65535}},"#
        ));
    }
    aces.pop();
    format!(
        concat!(
            r#"{{"_id":"63a1b2c3d4e5f60718293a4b","_type":"invoice","name":"Invoice 2024-0042","amount":1234.5,"#,
            r#""count":42,"paid":false,"note":"Delivered to the back door; \"leave it there\" was said.","#,
            r#""_created":"2024-01-02T03:04:05.678Z","_modified":"2024-02-02T03:04:05.678Z","_version":7,"#,
            r#""_createdby":"Somebody","_createdbyid":"5f0000000000000000000001","address":{{"street":"Main street 1","#,
            r#""city":"Aarhus","zip":8000,"tags":["a","b","c"]}},"lines":[{{"sku":"A-1","n":1,"price":10.5}},"#,
            r#"{{"sku":"B-2","n":20,"price":0.25}}],"_acl":[{}]}}"#
        ),
        aces
    )
}

fn benches(criterion: &mut Criterion) {
    let text = text();
    let document = json::parse_document(&text, "item").expect("the sample is valid");

    let mut group = criterion.benchmark_group("json");
    group.throughput(Throughput::Bytes(text.len() as u64));
    group.bench_function("read", |bencher| {
        bencher.iter(|| json::parse_document(black_box(&text), "item"))
    });
    group.bench_function("read by way of a tree", |bencher| {
        bencher.iter(|| {
            let value: serde_json::Value = serde_json::from_str(black_box(&text)).expect("valid");
            bson::serialize_to_vec(&value).map(RawDocumentBuf::from_bytes)
        })
    });
    let mut out = Vec::new();
    group.bench_function("write", |bencher| {
        bencher.iter(|| {
            out.clear();
            json::write_document(black_box(&document), &mut out)
        })
    });
    group.finish();

    let mut group = criterion.benchmark_group("filter");
    for (name, query) in [
        ("two equalities", r#"{"_type":"invoice","paid":false}"#),
        ("miss on the first field", r#"{"_id":"nobody"}"#),
        (
            "access list",
            r#"{"_acl":{"$elemMatch":{"_id":{"$in":["x","5f0000000000000000000004"]},"rights":{"$bitsAllSet":[1]}}}}"#,
        ),
        ("regex", r#"{"name":{"$regex":"^invoice","$options":"i"}}"#),
        ("dotted path in an array", r#"{"lines.sku":"B-2"}"#),
    ] {
        let filter =
            Filter::parse(&json::parse_query(query, "query").expect("valid")).expect("valid");
        group.bench_function(name, |bencher| {
            bencher.iter(|| filter.matches(black_box(&document)))
        });
    }
    group.finish();
}

criterion_group!(document, benches);
criterion_main!(document);
