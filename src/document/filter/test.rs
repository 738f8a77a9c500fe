//! Conditions on the value of one field.

use std::cmp::Ordering;

use bson::raw::{RawBson, RawBsonRef, RawDocument};

use super::Node;
use super::pattern::Pattern;
use crate::document::compare::{compare, rank};
use crate::document::number::{Number, as_i64};
use crate::document::path::{self, Leaf};
use crate::document::raw;

/// A condition on a field, or on an element of an array.
#[derive(Debug)]
pub(super) enum Test {
    Equal(RawBson),
    Compare {
        relation: Relation,
        operand: RawBson,
    },
    In(List),
    Pattern(Pattern),
    Exists,
    Type(Vec<u8>),
    Size(i64),
    Mod {
        divisor: i64,
        remainder: i64,
    },
    Bits {
        wanted: Bits,
        positions: Vec<u64>,
    },
    /// An element of the array that is a document and meets the filter.
    ElementDocument(Box<Node>),
    /// An element of the array that meets all conditions itself.
    ElementValue(Vec<Test>),
    /// All conditions, each by whatever value at the path.
    All(Vec<Test>),
    /// Not all conditions.
    Not(Vec<Test>),
    /// `$all: []`, `$in: []`.
    Never,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Relation {
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bits {
    AllSet,
    AnySet,
    AllClear,
    AnyClear,
}

/// The values of `$in`.
#[derive(Debug)]
pub(super) struct List {
    /// In the order of [`compare`], for a binary search.
    pub values: Vec<RawBson>,
    pub patterns: Vec<Pattern>,
    pub has_null: bool,
}

impl Test {
    /// Whether the field at `path` meets the condition, by any of its values.
    pub fn matches_at(&self, document: &RawDocument, path: &str) -> bool {
        match self {
            Test::Not(tests) => !tests.iter().all(|test| test.matches_at(document, path)),
            Test::All(tests) => tests.iter().all(|test| test.matches_at(document, path)),
            Test::Never => false,
            Test::Exists | Test::Size(_) | Test::ElementDocument(_) | Test::ElementValue(_) => {
                path::walk(document, path, Leaf::Whole, &mut |value| {
                    self.matches(value)
                })
            }
            _ => path::walk(document, path, Leaf::Elements, &mut |value| {
                self.matches(value)
            }),
        }
    }

    /// Whether one value meets the condition; `None` is a missing field.
    fn matches(&self, value: Option<RawBsonRef<'_>>) -> bool {
        match (self, value) {
            (Test::Equal(operand), _) => equals(value, operand.as_raw_bson_ref()),
            (Test::Compare { relation, operand }, _) => {
                relation.holds(value, operand.as_raw_bson_ref())
            }
            (Test::In(list), _) => list.contains(value),
            (Test::All(tests), _) => tests.iter().all(|test| test.matches(value)),
            (Test::Not(tests), _) => !tests.iter().all(|test| test.matches(value)),
            (Test::Never, _) | (_, None) => false,
            (Test::Pattern(pattern), Some(value)) => pattern.matches(value),
            (Test::Exists, Some(_)) => true,
            (Test::Type(types), Some(value)) => types.contains(&(value.element_type() as u8)),
            (Test::Size(size), Some(RawBsonRef::Array(array))) => {
                array
                    .iter_elements()
                    .filter(|element| element.is_ok())
                    .count() as i64
                    == *size
            }
            (Test::Mod { divisor, remainder }, Some(value)) => Number::of(value)
                .and_then(Number::truncate)
                // The one overflow, MIN % -1, is 0 by wrapping as by arithmetic.
                .is_some_and(|number| number.wrapping_rem(*divisor) == *remainder),
            (Test::Bits { wanted, positions }, Some(value)) => wanted.hold(value, positions),
            (Test::ElementDocument(node), Some(RawBsonRef::Array(array))) => {
                array.into_iter().flatten().any(|element| match element {
                    RawBsonRef::Document(element) => node.matches(element),
                    RawBsonRef::Array(element) => node.matches(raw::as_document(element)),
                    _ => false,
                })
            }
            (Test::ElementValue(tests), Some(RawBsonRef::Array(array))) => array
                .into_iter()
                .flatten()
                .any(|element| tests.iter().all(|test| test.matches(Some(element)))),
            (Test::Size(_) | Test::ElementDocument(_) | Test::ElementValue(_), Some(_)) => false,
        }
    }
}

fn is_null(value: Option<RawBsonRef<'_>>) -> bool {
    matches!(value, None | Some(RawBsonRef::Null | RawBsonRef::Undefined))
}

fn is_nan(value: RawBsonRef<'_>) -> bool {
    // NaN alone is below every double.
    Number::of(value)
        .is_some_and(|number| number.compare(Number::Double(f64::NEG_INFINITY)).is_lt())
}

/// Null equals a missing field too.
fn equals(value: Option<RawBsonRef<'_>>, operand: RawBsonRef<'_>) -> bool {
    if matches!(operand, RawBsonRef::Null) {
        return is_null(value);
    }
    match (value, operand) {
        (Some(RawBsonRef::String(value)), RawBsonRef::String(operand)) => value == operand,
        (Some(value), operand) => compare(value, operand).is_eq(),
        (None, _) => false,
    }
}

impl Relation {
    /// Whether `value` stands so to `operand`. Only values of its own type do, by MongoDB's type bracketing.
    fn holds(self, value: Option<RawBsonRef<'_>>, operand: RawBsonRef<'_>) -> bool {
        let or_equal = matches!(self, Relation::LessEqual | Relation::GreaterEqual);
        if matches!(operand, RawBsonRef::Null) {
            return or_equal && is_null(value);
        }
        let Some(value) = value else { return false };
        if matches!(operand, RawBsonRef::MinKey | RawBsonRef::MaxKey) {
            return self.accepts(compare(value, operand));
        }
        if rank(value) != rank(operand) {
            return false;
        }
        if is_nan(value) || is_nan(operand) {
            return or_equal && is_nan(value) && is_nan(operand);
        }
        self.accepts(compare(value, operand))
    }

    fn accepts(self, order: Ordering) -> bool {
        match self {
            Relation::Less => order.is_lt(),
            Relation::LessEqual => order.is_le(),
            Relation::Greater => order.is_gt(),
            Relation::GreaterEqual => order.is_ge(),
        }
    }
}

impl List {
    fn contains(&self, value: Option<RawBsonRef<'_>>) -> bool {
        if self.has_null && is_null(value) {
            return true;
        }
        let Some(value) = value else { return false };
        self.values
            .binary_search_by(|known| compare(known.as_raw_bson_ref(), value))
            .is_ok()
            || self.patterns.iter().any(|pattern| pattern.matches(value))
    }
}

impl Bits {
    /// Applies to whole numbers within 64 bits, in two's complement, and to binary data.
    fn hold(self, value: RawBsonRef<'_>, positions: &[u64]) -> bool {
        let is_set: &dyn Fn(u64) -> bool = match value {
            RawBsonRef::Binary(binary) => &move |position| {
                let byte = usize::try_from(position / 8)
                    .ok()
                    .and_then(|at| binary.bytes.get(at));
                byte.is_some_and(|byte| byte >> (position % 8) & 1 == 1)
            },
            value => match as_i64(value) {
                // Positions beyond the number repeat its sign.
                Some(number) => &move |position| number >> position.min(63) & 1 == 1,
                None => return false,
            },
        };
        let mut positions = positions.iter().copied();
        match self {
            Bits::AllSet => positions.all(is_set),
            Bits::AnySet => positions.any(is_set),
            Bits::AllClear => positions.all(|position| !is_set(position)),
            Bits::AnyClear => positions.any(|position| !is_set(position)),
        }
    }
}
