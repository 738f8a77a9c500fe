//! MongoDB's query language over raw BSON, compiled once and asked of each document.
//!
//! What runs code or reaches elsewhere (`$where`, `$function`, `$expr`, `$text`,
//! `$jsonSchema`) is refused by name; what is not known is refused too, never ignored.

mod arguments;
mod identity;
mod parse;
mod pattern;
mod test;

use std::sync::Arc;

use bson::Bson;
use bson::raw::{RawDocument, RawDocumentBuf};

use crate::error::Result;
pub(super) use arguments::truth;
use test::Test;

/// A condition on a document. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Filter {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    source: RawDocumentBuf,
    root: Node,
    candidates: Option<Vec<Bson>>,
}

/// A filter without its text.
#[derive(Debug)]
enum Node {
    And(Vec<Node>),
    Or(Vec<Node>),
    Nor(Vec<Node>),
    Field { path: String, test: Test },
}

impl Node {
    fn matches(&self, document: &RawDocument) -> bool {
        match self {
            Node::And(nodes) => nodes.iter().all(|node| node.matches(document)),
            Node::Or(nodes) => nodes.iter().any(|node| node.matches(document)),
            Node::Nor(nodes) => !nodes.iter().any(|node| node.matches(document)),
            Node::Field { path, test } => test.matches_at(document, path),
        }
    }
}

impl Filter {
    /// Compiles a filter.
    ///
    /// Errors: `Invalid` for what MongoDB refuses too and above the bounds of `limits.rs`, `TooLarge` for a
    /// regular expression above its bounds, `Unimplemented` for operators this server does not run.
    pub fn parse(document: &RawDocument) -> Result<Filter> {
        let source = identity::widen(document)?;
        let root = parse::parse(&source)?;
        let candidates = identity::candidates(&root);
        Ok(Filter {
            inner: Arc::new(Inner {
                source,
                root,
                candidates,
            }),
        })
    }

    /// The filter that every document meets.
    pub fn everything() -> Filter {
        let inner = Inner {
            source: RawDocumentBuf::new(),
            root: Node::And(Vec::new()),
            candidates: None,
        };
        Filter {
            inner: Arc::new(inner),
        }
    }

    pub fn matches(&self, document: &RawDocument) -> bool {
        self.inner.root.matches(document)
    }

    /// The filter as a document, for a store that filters elsewhere. Where an `_id` may be text or
    /// ObjectId (contract 3.4) it names both.
    pub fn source(&self) -> &RawDocument {
        &self.inner.source
    }

    /// All `_id` values a matching document can have, when the filter bounds them; they must still be
    /// asked with [`Filter::matches`]. `None`: any document may match.
    ///
    /// Only texts, ObjectIds, dates and booleans are listed, for which equal means equal bytes.
    pub fn id_candidates(&self) -> Option<Vec<Bson>> {
        self.inner.candidates.clone()
    }
}

impl Default for Filter {
    fn default() -> Self {
        Self::everything()
    }
}

#[cfg(test)]
mod array_tests;
#[cfg(test)]
mod operator_tests;
#[cfg(test)]
mod property_tests;
#[cfg(test)]
mod refusal_tests;
#[cfg(test)]
mod testing;
