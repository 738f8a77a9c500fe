//! JSON text to raw BSON: the parser's events go straight into the bytes of the document.

use std::fmt;

use bson::raw::RawDocumentBuf;
use foldhash::fast::FixedState;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::hash::BuildHasher;

use super::dialect::Dialect;
use crate::document::raw::{
    self, TAG_ARRAY, TAG_BOOLEAN, TAG_DOCUMENT, TAG_DOUBLE, TAG_INT32, TAG_INT64, TAG_NULL,
};
use crate::error::{Error, Result};
use crate::limits;

/// JSON object text of a document to be stored.
///
/// Errors: `Invalid` for text that is no JSON object or is nested deeper than `limits::NESTING_MAX`;
/// `TooLarge` above `limits::DOCUMENT_BYTES_MAX`. Both name `field`.
pub fn parse_document(text: &str, field: &'static str) -> Result<RawDocumentBuf> {
    parse_object(text, field, Dialect::Document)
}

/// As [`parse_document`]; `None` for empty text and for `null`.
pub fn parse_optional(text: &str, field: &'static str) -> Result<Option<RawDocumentBuf>> {
    match text.trim() {
        "" | "null" => Ok(None),
        text => parse_document(text, field).map(Some),
    }
}

/// JSON array text of documents to be stored.
///
/// Errors: as [`parse_document`], each item by itself; `Cannot create null item`; `TooLarge` above
/// `limits::BATCH_ITEMS_MAX` items.
pub fn parse_documents(text: &str, field: &'static str) -> Result<Vec<RawDocumentBuf>> {
    parse_array(text, field, Dialect::Document)
}

/// JSON object text of a filter, a projection or a sort.
///
/// Errors: as [`parse_document`].
pub fn parse_query(text: &str, field: &'static str) -> Result<RawDocumentBuf> {
    if let Some((name, value)) = lone_text(text) {
        return one_field(name, value);
    }
    parse_object(text, field, Dialect::Query)
}

/// JSON array text of aggregation stages, with the conventions of queries.
///
/// Errors: as [`parse_document`].
pub fn parse_pipeline(text: &str, field: &'static str) -> Result<Vec<RawDocumentBuf>> {
    parse_array(text, field, Dialect::Query)
}

fn parse_object(text: &str, field: &'static str, dialect: Dialect) -> Result<RawDocumentBuf> {
    let mut builder = Builder::new(field, dialect, text.len() + text.len() / 4 + 16);
    builder.run(text, |builder, parser| Top(builder).deserialize(parser))?;
    builder.take()
}

/// Name and value of `{"name":"value"}` when it is short, has no space between and nothing escaped:
/// how most clients ask for one document.
fn lone_text(text: &str) -> Option<(&str, &str)> {
    if text.len() > LONE_TEXT_BYTES_MAX {
        return None;
    }
    let inner = text.strip_prefix("{\"")?.strip_suffix("\"}")?.as_bytes();
    let name_end = inner.iter().position(|byte| *byte == b'"')?;
    let value = inner[name_end..].strip_prefix(b"\":\"")?;
    let plain = |byte: &u8| matches!(byte, 0x20..=0x7e) && !matches!(byte, b'"' | b'\\');
    if !inner[..name_end].iter().all(plain) || !value.iter().all(plain) {
        return None;
    }
    let value_start = text.len() - 2 - value.len();
    Some((&text[2..2 + name_end], &text[value_start..text.len() - 2]))
}

/// The query of one field that is a string or what a string stands for.
fn one_field(name: &str, value: &str) -> Result<RawDocumentBuf> {
    let mut bytes = Vec::with_capacity(name.len() + value.len() + 16);
    let start = raw::open(&mut bytes);
    let tag_at = bytes.len();
    raw::push_name(&mut bytes, 0, name);
    bytes[tag_at] = Dialect::Query.push_text(&mut bytes, value);
    raw::close(&mut bytes, start);
    raw::finish(bytes)
}

fn parse_array(text: &str, field: &'static str, dialect: Dialect) -> Result<Vec<RawDocumentBuf>> {
    let mut builder = Builder::new(field, dialect, 256);
    let mut documents = Vec::new();
    builder.run(text, |builder, parser| {
        parser.deserialize_seq(Items {
            builder,
            documents: &mut documents,
        })
    })?;
    Ok(documents)
}

/// Text of a query up to this length is looked at for being one plain field, bytes.
const LONE_TEXT_BYTES_MAX: usize = 128;
/// Room for the names of objects that are open, enough for most documents.
const OPEN_NAMES_EXPECTED: usize = 32;

/// The document under construction.
struct Builder {
    bytes: Vec<u8>,
    /// Hashes of the names of the objects that are open, innermost last: finds repeated names.
    names: Vec<u64>,
    depth: usize,
    dialect: Dialect,
    field: &'static str,
    /// Our own refusal, which the parser's error type cannot carry.
    refusal: Option<Error>,
}

type Parser<'a, 'de> = &'a mut serde_json::Deserializer<serde_json::de::StrRead<'de>>;

impl Builder {
    fn new(field: &'static str, dialect: Dialect, capacity: usize) -> Self {
        let capacity = capacity.min(limits::DOCUMENT_BYTES_MAX);
        Self {
            bytes: Vec::with_capacity(capacity),
            names: Vec::with_capacity(OPEN_NAMES_EXPECTED),
            depth: 0,
            dialect,
            field,
            refusal: None,
        }
    }

    fn run<'de>(
        &mut self,
        text: &'de str,
        parse: impl FnOnce(&mut Self, Parser<'_, 'de>) -> serde_json::Result<()>,
    ) -> Result<()> {
        let mut parser = serde_json::Deserializer::from_str(text);
        match parse(self, &mut parser).and_then(|()| parser.end()) {
            Ok(()) => Ok(()),
            Err(error) => Err(self
                .refusal
                .take()
                .unwrap_or_else(|| invalid(self.field, &error))),
        }
    }

    fn take(&mut self) -> Result<RawDocumentBuf> {
        raw::check_size(self.bytes.len(), self.field)?;
        raw::finish(std::mem::take(&mut self.bytes))
    }

    fn refuse<E: serde::de::Error>(&mut self, error: Error) -> E {
        self.refusal = Some(error);
        E::custom("refused")
    }

    /// Stops a document that has grown too large while its text still goes on.
    fn check_room<E: serde::de::Error>(&mut self, more: usize) -> std::result::Result<(), E> {
        let bytes = self.bytes.len() + more;
        if bytes <= limits::DOCUMENT_BYTES_MAX {
            return Ok(());
        }
        let (field, max) = (self.field, limits::DOCUMENT_BYTES_MAX);
        Err(self.refuse(Error::too_large(format!(
            "{field} takes at least {bytes} bytes of BSON; the bound is {max} bytes"
        ))))
    }

    fn enter<E: serde::de::Error>(&mut self) -> std::result::Result<usize, E> {
        if self.depth == limits::NESTING_MAX {
            let (field, max) = (self.field, limits::NESTING_MAX);
            return Err(self.refuse(Error::invalid(format!(
                "Invalid JSON in {field}: nested deeper than {max} levels"
            ))));
        }
        self.depth += 1;
        Ok(raw::open(&mut self.bytes))
    }

    fn leave(&mut self, start: usize) {
        self.depth -= 1;
        raw::close(&mut self.bytes, start);
    }

    fn object<'de, A: MapAccess<'de>>(&mut self, mut map: A) -> std::result::Result<(), A::Error> {
        let start = self.enter()?;
        let first_name = self.names.len();
        loop {
            let tag_at = self.bytes.len();
            match map.next_key_seed(Name(self))? {
                None => break,
                Some(false) => drop(map.next_value::<IgnoredAny>()?),
                Some(true) => self.bytes[tag_at] = map.next_value_seed(Value(self))?,
            }
        }
        self.leave(start);
        if has_repeats(&mut self.names[first_name..]) {
            drop_repeats(&mut self.bytes, start);
        }
        self.names.truncate(first_name);
        Ok(())
    }

    fn array<'de, A: SeqAccess<'de>>(&mut self, mut items: A) -> std::result::Result<(), A::Error> {
        let start = self.enter()?;
        for index in 0.. {
            let tag_at = self.bytes.len();
            raw::push_index(&mut self.bytes, 0, index);
            match items.next_element_seed(Value(self))? {
                Some(tag) => self.bytes[tag_at] = tag,
                None => {
                    self.bytes.truncate(tag_at);
                    break;
                }
            }
        }
        self.leave(start);
        Ok(())
    }
}

fn invalid(field: &str, reason: &dyn fmt::Display) -> Error {
    Error::invalid(format!("Invalid JSON in {field}: {reason}"))
}

/// Whether two hashes are equal. Small objects, which most are, are compared in place.
fn has_repeats(hashes: &mut [u64]) -> bool {
    if hashes.len() <= 16 {
        return hashes
            .iter()
            .enumerate()
            .any(|(index, hash)| hashes[..index].contains(hash));
    }
    hashes.sort_unstable();
    hashes.windows(2).any(|pair| pair[0] == pair[1])
}

/// Keeps the last of each repeated name in the document that ends the buffer, as JavaScript keeps its value.
fn drop_repeats(bytes: &mut Vec<u8>, start: usize) {
    let Ok(document) = bson::raw::RawDocument::from_bytes(&bytes[start..]) else {
        return;
    };
    let mut kept = std::collections::HashMap::new();
    let mut spans = Vec::new();
    let mut at = start + 4;
    for field in raw::fields(document) {
        kept.insert(field.name, spans.len());
        spans.push((at, field.bytes.len(), field.name));
        at += field.bytes.len();
    }
    let spans: Vec<_> = (spans.iter().enumerate())
        .filter(|(index, (_, _, name))| kept.get(name) == Some(index))
        .map(|(_, (at, length, _))| (*at, *length))
        .collect();
    let mut end = start + 4;
    for (at, length) in spans {
        bytes.copy_within(at..at + length, end);
        end += length;
    }
    bytes.truncate(end);
    raw::close(bytes, start);
}

/// The text as a whole: one object.
struct Top<'a>(&'a mut Builder);

impl<'de> DeserializeSeed<'de> for Top<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, parser: D) -> std::result::Result<(), D::Error> {
        parser.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Top<'_> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> std::result::Result<(), A::Error> {
        self.0.object(map)
    }
}

/// The text as a whole: an array of objects, each a document of its own.
struct Items<'a> {
    builder: &'a mut Builder,
    documents: &'a mut Vec<RawDocumentBuf>,
}

impl<'de> Visitor<'de> for Items<'_> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a JSON array of objects")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> std::result::Result<(), A::Error> {
        while let Some(()) = items.next_element_seed(Item(self.builder))? {
            if self.documents.len() == limits::BATCH_ITEMS_MAX {
                let (field, max) = (self.builder.field, limits::BATCH_ITEMS_MAX);
                return Err(self.builder.refuse(Error::too_large(format!(
                    "{field} holds more than {max} items"
                ))));
            }
            match self.builder.take() {
                Ok(document) => self.documents.push(document),
                Err(error) => return Err(self.builder.refuse(error)),
            }
        }
        Ok(())
    }
}

/// One object of an array.
struct Item<'a>(&'a mut Builder);

impl<'de> DeserializeSeed<'de> for Item<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, parser: D) -> std::result::Result<(), D::Error> {
        parser.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Item<'_> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> std::result::Result<(), A::Error> {
        self.0.object(map)
    }

    fn visit_unit<E: serde::de::Error>(self) -> std::result::Result<(), E> {
        Err(self.0.refuse(Error::invalid("Cannot create null item")))
    }
}

/// A field's name: appends a placeholder for the tag, and the name. False when the field is dropped.
struct Name<'a>(&'a mut Builder);

impl<'de> DeserializeSeed<'de> for Name<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, parser: D) -> std::result::Result<bool, D::Error> {
        parser.deserialize_str(self)
    }
}

impl Visitor<'_> for Name<'_> {
    type Value = bool;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a field name")
    }

    fn visit_str<E: serde::de::Error>(self, name: &str) -> std::result::Result<bool, E> {
        let builder = self.0;
        if builder.dialect.drops(name) {
            return Ok(false);
        }
        if name.bytes().any(|byte| byte == 0) {
            return Err(E::custom("a field name holds a NUL character"));
        }
        builder.check_room(name.len())?;
        builder.bytes.push(0);
        let start = builder.bytes.len();
        builder.dialect.push_name(&mut builder.bytes, name);
        builder
            .names
            .push(FixedState::with_seed(0).hash_one(&builder.bytes[start..]));
        builder.bytes.push(0);
        Ok(true)
    }
}

/// A value: appends its bytes and answers its tag.
struct Value<'a>(&'a mut Builder);

impl Value<'_> {
    fn put<E: serde::de::Error>(self, tag: u8, bytes: &[u8]) -> std::result::Result<u8, E> {
        self.0.check_room(bytes.len())?;
        self.0.bytes.extend_from_slice(bytes);
        Ok(tag)
    }
}

impl<'de> DeserializeSeed<'de> for Value<'_> {
    type Value = u8;

    fn deserialize<D: Deserializer<'de>>(self, parser: D) -> std::result::Result<u8, D::Error> {
        parser.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Value<'_> {
    type Value = u8;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a JSON value")
    }

    fn visit_unit<E: serde::de::Error>(self) -> std::result::Result<u8, E> {
        self.put(TAG_NULL, &[])
    }

    fn visit_bool<E: serde::de::Error>(self, value: bool) -> std::result::Result<u8, E> {
        self.put(TAG_BOOLEAN, &[value.into()])
    }

    fn visit_i64<E: serde::de::Error>(self, value: i64) -> std::result::Result<u8, E> {
        match i32::try_from(value) {
            Ok(small) => self.put(TAG_INT32, &small.to_le_bytes()),
            Err(_) => self.put(TAG_INT64, &value.to_le_bytes()),
        }
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> std::result::Result<u8, E> {
        match i64::try_from(value) {
            Ok(value) => self.visit_i64(value),
            Err(_) => self.visit_f64(value as f64),
        }
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> std::result::Result<u8, E> {
        self.put(TAG_DOUBLE, &value.to_le_bytes())
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> std::result::Result<u8, E> {
        self.0.check_room(text.len())?;
        Ok(self.0.dialect.push_text(&mut self.0.bytes, text))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> std::result::Result<u8, A::Error> {
        self.0.object(map).map(|()| TAG_DOCUMENT)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> std::result::Result<u8, A::Error> {
        self.0.array(items).map(|()| TAG_ARRAY)
    }
}
