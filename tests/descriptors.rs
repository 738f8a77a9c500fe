//! Holds `proto/` against the descriptors inside published clients: every message, field
//! number, type, label and method. A difference is a bug unless it is listed here.
//!
//! The published files are not in this repository. `tests/fetch-descriptors` brings them to
//! `target/conformance-cache`; then `cargo test --test descriptors -- --include-ignored`
//! (`tests/run` does both).

use std::collections::BTreeMap;
use std::path::Path;

use opencore::wire::proto::DESCRIPTOR_SET;
use prost::Message;
use prost_types::FileDescriptorSet;
use prost_types::field_descriptor_proto::{Label, Type};

/// Something of ours that a published copy lacks.
struct Ours {
    name: &'static str,
    number: i32,
    reason: &'static str,
}

const WORK_ITEM_QUEUE_WORKSPACE: Ours = Ours {
    name: "WorkItemQueue._workspaceid",
    number: 24,
    reason: "in the proto repository, in no client published so far",
};

const WORK_ITEM_WORKSPACE: Ours = Ours {
    name: "Workitem._workspaceid",
    number: 20,
    reason: "in the proto repository, in no client published so far",
};

const UPLOAD_COLLECTION: Ours = Ours {
    name: "UploadRequest.collectionname",
    number: 4,
    reason: "only the Rust client has it",
};

const RUST_LACKS: &[Ours] = &[WORK_ITEM_QUEUE_WORKSPACE, WORK_ITEM_WORKSPACE];
const NODE_LACKS: &[Ours] = &[
    WORK_ITEM_QUEUE_WORKSPACE,
    WORK_ITEM_WORKSPACE,
    UPLOAD_COLLECTION,
];

/// What there is, by name: messages, `Message.field`, `rpc Method`.
fn facts(set: &FileDescriptorSet) -> BTreeMap<String, String> {
    let mut facts = BTreeMap::new();
    for file in set.file.iter().filter(|file| file.package() == "openiap") {
        for message in &file.message_type {
            facts.insert(message.name().to_owned(), "message".to_owned());
            assert!(message.nested_type.is_empty() && message.oneof_decl.is_empty());
            for field in &message.field {
                let label = match field.label() {
                    Label::Repeated => "repeated ",
                    _ => "",
                };
                let kind = match field.r#type() {
                    Type::Message | Type::Enum => field.type_name().to_owned(),
                    scalar => scalar.as_str_name().to_owned(),
                };
                let name = format!("{}.{}", message.name(), field.name());
                facts.insert(name, format!("{label}{kind} = {}", field.number()));
            }
        }
        for method in file.service.iter().flat_map(|service| &service.method) {
            let shape = format!(
                "{}{} -> {}{}",
                stream(method.client_streaming()),
                method.input_type(),
                stream(method.server_streaming()),
                method.output_type()
            );
            facts.insert(format!("rpc {}", method.name()), shape);
        }
    }
    facts
}

fn stream(streaming: bool) -> &'static str {
    match streaming {
        true => "stream ",
        false => "",
    }
}

fn our_facts() -> BTreeMap<String, String> {
    facts(&FileDescriptorSet::decode(DESCRIPTOR_SET).expect("our descriptors decode"))
}

#[track_caller]
fn assert_agrees(folder: &str, lacks: &[Ours]) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("target/conformance-cache/descriptors")
        .join(folder);
    assert!(
        folder.join("base.proto").exists(),
        "{} is not there: run tests/fetch-descriptors first",
        folder.display()
    );
    let set = protox::compile(["base.proto"], [&folder]).expect("published files compile");
    let theirs = facts(&set);
    let ours = our_facts();
    assert!(theirs.len() > 400, "only {} facts", theirs.len());

    let mut differences = Vec::new();
    for (name, theirs) in &theirs {
        match ours.get(name) {
            Some(ours) if ours == theirs => {}
            other => differences.push(format!("{name}: theirs {theirs}, ours {other:?}")),
        }
    }
    for name in ours.keys().filter(|name| !theirs.contains_key(*name)) {
        if !lacks.iter().any(|one| one.name == *name) {
            differences.push(format!("{name}: only ours, and not listed with a reason"));
        }
    }
    for one in lacks.iter().filter(|one| theirs.contains_key(one.name)) {
        let (name, reason) = (one.name, one.reason);
        differences.push(format!(
            "{name}: is there after all, though listed: {reason}"
        ));
    }
    assert_eq!(differences, Vec::<String>::new());
}

#[test]
#[ignore = "needs tests/fetch-descriptors; tests/run does both"]
fn rust_client_agrees() {
    assert_agrees("openiap-proto-0.0.41", RUST_LACKS);
}

#[test]
#[ignore = "needs tests/fetch-descriptors; tests/run does both"]
fn node_client_agrees() {
    assert_agrees("nodeapi-0.0.39", NODE_LACKS);
}

/// What the lists excuse is there, with its number, so they cannot hide a typing error.
#[test]
fn listed_differences_are_real_fields() {
    let ours = our_facts();
    for one in RUST_LACKS.iter().chain(NODE_LACKS) {
        let fact = format!("TYPE_STRING = {}", one.number);
        assert_eq!(ours.get(one.name), Some(&fact), "{}", one.name);
    }
}

#[test]
fn the_envelope_is_as_the_scan_expects() {
    let ours = our_facts();
    let expected = [
        ("command", "TYPE_STRING = 1"),
        ("priority", "TYPE_INT32 = 2"),
        ("seq", "TYPE_INT32 = 3"),
        ("id", "TYPE_STRING = 4"),
        ("rid", "TYPE_STRING = 5"),
        ("data", ".google.protobuf.Any = 6"),
        ("jwt", "TYPE_STRING = 7"),
        ("traceid", "TYPE_STRING = 8"),
        ("spanid", "TYPE_STRING = 9"),
    ];
    for (field, fact) in expected {
        assert_eq!(ours[&format!("Envelope.{field}")], fact);
    }
    let fields = ours.keys().filter(|name| name.starts_with("Envelope."));
    assert_eq!(fields.count(), expected.len());
}
