//! Which fields of a document are shown.

use bson::raw::{RawBsonRef, RawDocument, RawDocumentBuf};

use super::filter::truth;
use super::number::Number;
use super::{path, raw};
use crate::error::{Code, Error, Result};
use crate::limits;

/// Fields to show, or fields to leave out.
#[derive(Clone, Debug)]
pub struct Projection {
    source: RawDocumentBuf,
    includes: bool,
    tree: Tree,
}

/// Names by level, sorted; a tree without branches is a whole field.
#[derive(Clone, Debug, Default)]
struct Tree {
    branches: Vec<(String, Tree)>,
}

impl Projection {
    /// Compiles a projection; `None` for an empty one, which shows everything.
    ///
    /// Errors: `Invalid` for what MongoDB refuses too and above `limits::PROJECTION_FIELDS_MAX`;
    /// `Unimplemented` for computed fields.
    pub fn parse(document: &RawDocument) -> Result<Option<Projection>> {
        raw::check(document, "projection")?;
        let mut spec = Spec::default();
        spec.read(document, "")?;
        if spec.fields.len() > limits::PROJECTION_FIELDS_MAX {
            return Err(Error::invalid(format!(
                "A projection may name {} fields",
                limits::PROJECTION_FIELDS_MAX
            )));
        }
        // `_id` alone does not say which kind it is, unless nothing else does.
        let others = spec.fields.iter().find(|(path, _)| path != "_id");
        let Some((_, includes)) = others.or(spec.fields.first()) else {
            return Ok(None);
        };
        let includes = *includes;
        let mut tree = Tree::default();
        for (path, include) in &spec.fields {
            if *include == includes {
                tree.add(path, path)?;
            } else if path != "_id" {
                let (this, kind) = if includes {
                    ("exclusion", "inclusion")
                } else {
                    ("inclusion", "exclusion")
                };
                return Err(Error::invalid(format!(
                    "Cannot do {this} on field {path} in {kind} projection"
                )));
            }
        }
        let id_named = spec
            .fields
            .iter()
            .any(|(path, _)| path == "_id" || path.starts_with("_id."));
        if includes && !id_named {
            tree.add("_id", "_id")?;
        }
        Ok(Some(Projection {
            source: document.to_owned(),
            includes,
            tree,
        }))
    }

    /// The projection as a document, for a store that projects elsewhere.
    pub fn source(&self) -> &RawDocument {
        &self.source
    }

    /// The document with the fields shown, in its own order.
    pub fn apply(&self, document: &RawDocument) -> RawDocumentBuf {
        let mut out = Vec::with_capacity(document.as_bytes().len());
        self.document(document, &self.tree, &mut out, 1);
        // What was written is a document; a damaged one shows nothing.
        raw::finish(out).unwrap_or_default()
    }

    fn document(&self, document: &RawDocument, tree: &Tree, out: &mut Vec<u8>, depth: usize) {
        let start = raw::open(out);
        for field in raw::fields(document) {
            match tree.get(field.name) {
                None if self.includes => {}
                None => out.extend_from_slice(field.bytes),
                Some(branch) if branch.branches.is_empty() => {
                    if self.includes {
                        out.extend_from_slice(field.bytes);
                    }
                }
                Some(branch) => match field.element.value() {
                    Ok(RawBsonRef::Document(inner)) => {
                        raw::push_name(out, raw::TAG_DOCUMENT, field.name);
                        self.document(inner, branch, out, depth + 1);
                    }
                    Ok(RawBsonRef::Array(inner)) => {
                        raw::push_name(out, raw::TAG_ARRAY, field.name);
                        self.array(raw::as_document(inner), branch, out, depth + 1);
                    }
                    // Nothing lies below a scalar: nothing to show, nothing to leave out.
                    _ if self.includes => {}
                    _ => out.extend_from_slice(field.bytes),
                },
            }
        }
        raw::close(out, start);
    }

    /// Every document in the array, and in arrays in it; scalars stay where fields are left out.
    fn array(&self, array: &RawDocument, tree: &Tree, out: &mut Vec<u8>, depth: usize) {
        let start = raw::open(out);
        let mut index = 0;
        for field in raw::fields(array) {
            // Deeper than any document we accept: only the stack must be safe.
            if depth > 2 * limits::NESTING_MAX {
                break;
            }
            match field.element.value() {
                Ok(RawBsonRef::Document(inner)) => {
                    raw::push_index(out, raw::TAG_DOCUMENT, index);
                    self.document(inner, tree, out, depth + 1);
                }
                Ok(RawBsonRef::Array(inner)) => {
                    raw::push_index(out, raw::TAG_ARRAY, index);
                    self.array(raw::as_document(inner), tree, out, depth + 1);
                }
                _ if self.includes => continue,
                _ => {
                    raw::push_index(out, field.bytes[0], index);
                    out.extend_from_slice(field.value_bytes());
                }
            }
            index += 1;
        }
        raw::close(out, start);
    }
}

impl Tree {
    fn get(&self, name: &str) -> Option<&Tree> {
        let at = self
            .branches
            .binary_search_by(|(known, _)| known.as_str().cmp(name))
            .ok()?;
        Some(&self.branches[at].1)
    }

    /// Errors: `Invalid` when one path lies within another.
    fn add(&mut self, path: &str, whole: &str) -> Result<()> {
        let collision = || Error::invalid(format!("Path collision at {whole}"));
        let (name, rest) = path::split(path);
        match (
            self.branches
                .binary_search_by(|(known, _)| known.as_str().cmp(name)),
            rest,
        ) {
            (Ok(_), None) => Err(collision()),
            (Ok(at), Some(_)) if self.branches[at].1.branches.is_empty() => Err(collision()),
            (Ok(at), Some(rest)) => self.branches[at].1.add(rest, whole),
            (Err(at), rest) => {
                let mut branch = Tree::default();
                if let Some(rest) = rest {
                    branch.add(rest, whole)?;
                }
                self.branches.insert(at, (name.to_owned(), branch));
                Ok(())
            }
        }
    }
}

/// The fields of a projection with dotted names, in order.
#[derive(Default)]
struct Spec {
    fields: Vec<(String, bool)>,
}

impl Spec {
    /// Errors: `Invalid` for names that name nothing, `Unimplemented` for computed fields.
    fn read(&mut self, document: &RawDocument, prefix: &str) -> Result<()> {
        for element in document.iter() {
            let (name, value) = element.map_err(|error| raw::damaged("projection", error))?;
            let path = format!("{prefix}{name}");
            path::check(&path)?;
            match value {
                RawBsonRef::Boolean(_) => {}
                value if Number::of(value).is_some() => {}
                RawBsonRef::Document(inner) if !inner.is_empty() && !is_operator(inner) => {
                    self.read(inner, &format!("{path}."))?;
                    continue;
                }
                _ => return Err(computed(&path)),
            }
            if path.split('.').any(|part| part == "$") {
                return Err(computed(&path));
            }
            if path
                .split('.')
                .any(|part| part.is_empty() || part.starts_with('$'))
            {
                return Err(Error::invalid(format!(
                    "Projection names no field by {path:?}"
                )));
            }
            self.fields.push((path, truth(value)));
        }
        Ok(())
    }
}

fn is_operator(document: &RawDocument) -> bool {
    document
        .iter_elements()
        .flatten()
        .any(|element| element.key().as_str().starts_with('$'))
}

fn computed(path: &str) -> Error {
    Error::client(
        Code::Unimplemented,
        format!(
            "Projection of {path} must be 1, 0, true or false: operators and expressions are not available in a \
             projection; read the whole field, or compute with $project in aggregate"
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::json::parse_query;
    use crate::document::testing::document;
    use bson::rawdoc;
    use proptest::prelude::*;

    fn apply(projection: &str, document: &RawDocument) -> RawDocumentBuf {
        Projection::parse(&parse_query(projection, "projection").unwrap())
            .unwrap()
            .unwrap()
            .apply(document)
    }

    fn refused(projection: &str) -> Error {
        Projection::parse(&parse_query(projection, "projection").unwrap()).unwrap_err()
    }

    #[test]
    fn inclusion_keeps_id_and_the_documents_order() {
        let document = rawdoc! { "_id": "x", "a": 1, "b": 2, "c": 3 };
        assert_eq!(
            apply(r#"{"c":1,"a":true}"#, &document),
            rawdoc! { "_id": "x", "a": 1, "c": 3 }
        );
        assert_eq!(apply(r#"{"a":1,"_id":0}"#, &document), rawdoc! { "a": 1 });
        assert_eq!(apply(r#"{"_id":1}"#, &document), rawdoc! { "_id": "x" });
        assert_eq!(apply(r#"{"z":1}"#, &document), rawdoc! { "_id": "x" });
    }

    #[test]
    fn exclusion_keeps_the_rest() {
        let document = rawdoc! { "_id": "x", "a": 1, "b": 2 };
        assert_eq!(
            apply(r#"{"a":0}"#, &document),
            rawdoc! { "_id": "x", "b": 2 }
        );
        assert_eq!(apply(r#"{"_id":0}"#, &document), rawdoc! { "a": 1, "b": 2 });
        assert_eq!(
            apply(r#"{"_id":1,"a":0}"#, &document),
            rawdoc! { "_id": "x", "b": 2 }
        );
        assert_eq!(apply(r#"{"_id":0,"a":0}"#, &document), rawdoc! { "b": 2 });
    }

    #[test]
    fn dotted_names_reach_into_documents_and_arrays() {
        let document = rawdoc! {
            "_id": "x", "d": { "a": 1, "b": 2 }, "s": 5,
            "l": [{ "a": 1, "b": 2 }, 7, { "b": 3 }, [{ "a": 4, "b": 5 }, 8]],
        };
        assert_eq!(
            apply(r#"{"d.a":1,"l.a":1,"s.a":1}"#, &document),
            rawdoc! { "_id": "x", "d": { "a": 1 }, "l": [{ "a": 1 }, {}, [{ "a": 4 }]] }
        );
        assert_eq!(
            apply(r#"{"d.a":0,"l.a":0,"s.a":0}"#, &document),
            rawdoc! { "_id": "x", "d": { "b": 2 }, "s": 5, "l": [{ "b": 2 }, 7, { "b": 3 }, [{ "b": 5 }, 8]] }
        );
        assert_eq!(
            apply(r#"{"d":{"a":1}}"#, &document),
            rawdoc! { "_id": "x", "d": { "a": 1 } }
        );
        assert_eq!(
            apply(
                r#"{"_id.x":1,"s":1}"#,
                &rawdoc! { "_id": { "x": 1, "y": 2 }, "s": 3 }
            ),
            rawdoc! { "_id": { "x": 1 }, "s": 3 }
        );
    }

    #[test]
    fn an_empty_projection_is_none() {
        assert!(Projection::parse(&rawdoc! {}).unwrap().is_none());
    }

    #[test]
    fn what_cannot_be_is_refused_with_the_reason() {
        assert_eq!(
            refused(r#"{"a":1,"b":0}"#).context,
            "Cannot do exclusion on field b in inclusion projection"
        );
        assert_eq!(
            refused(r#"{"a":0,"b":1}"#).context,
            "Cannot do inclusion on field b in exclusion projection"
        );
        for collision in [r#"{"a":1,"a.b":1}"#, r#"{"a.b":1,"a":1}"#] {
            assert!(
                refused(collision)
                    .context
                    .starts_with("Path collision at a"),
                "{collision}"
            );
        }
        for computed in [
            r#"{"a":{"$slice":1}}"#,
            r#"{"a":{"$elemMatch":{"b":1}}}"#,
            r#"{"a":"$b"}"#,
            r#"{"a.$":1}"#,
            r#"{"a":{}}"#,
            r#"{"a":[1]}"#,
        ] {
            let error = refused(computed);
            assert_eq!(error.code, Code::Unimplemented, "{computed}");
            assert!(error.context.contains("aggregate"), "{}", error.context);
        }
        for nothing in [r#"{"":1}"#, r#"{"a..b":1}"#, r#"{"$a":1}"#] {
            assert_eq!(refused(nothing).code, Code::Invalid, "{nothing}");
        }
    }

    proptest! {
        #[test]
        fn what_is_shown_is_valid_and_both_kinds_part_the_fields(document in document()) {
            let shown = apply(r#"{"a.b":1,"b":1}"#, &document);
            let hidden = apply(r#"{"a.b":0,"b":0}"#, &document);
            raw::check(&shown, "shown").unwrap();
            raw::check(&hidden, "hidden").unwrap();
            prop_assert_eq!(shown.get("b").unwrap(), document.get("b").unwrap());
            prop_assert!(hidden.get("b").unwrap().is_none());
            prop_assert!(shown.as_bytes().len() <= document.as_bytes().len());
        }
    }
}
