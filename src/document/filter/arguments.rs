//! Arguments of operators: types, sizes, divisors, bit positions.

use bson::raw::{RawArray, RawBsonRef};
use bson::spec::ElementType;

use crate::document::number::{Number, as_i64};
use crate::error::{Error, Result};
use crate::limits;

/// Names and codes of `$type`.
const TYPES: &[(&str, i64, ElementType)] = &[
    ("double", 1, ElementType::Double),
    ("string", 2, ElementType::String),
    ("object", 3, ElementType::EmbeddedDocument),
    ("array", 4, ElementType::Array),
    ("binData", 5, ElementType::Binary),
    ("undefined", 6, ElementType::Undefined),
    ("objectId", 7, ElementType::ObjectId),
    ("bool", 8, ElementType::Boolean),
    ("date", 9, ElementType::DateTime),
    ("null", 10, ElementType::Null),
    ("regex", 11, ElementType::RegularExpression),
    ("dbPointer", 12, ElementType::DbPointer),
    ("javascript", 13, ElementType::JavaScriptCode),
    ("symbol", 14, ElementType::Symbol),
    (
        "javascriptWithScope",
        15,
        ElementType::JavaScriptCodeWithScope,
    ),
    ("int", 16, ElementType::Int32),
    ("timestamp", 17, ElementType::Timestamp),
    ("long", 18, ElementType::Int64),
    ("decimal", 19, ElementType::Decimal128),
    ("minKey", -1, ElementType::MinKey),
    ("maxKey", 127, ElementType::MaxKey),
];

/// The tags that `$type` accepts: a name, a code, or a list of them.
pub(super) fn types(value: RawBsonRef<'_>) -> Result<Vec<u8>> {
    let mut tags = Vec::new();
    if let RawBsonRef::Array(list) = value {
        for value in list.into_iter().flatten() {
            add_type(&mut tags, value)?;
        }
        if tags.is_empty() {
            return Err(Error::invalid("$type must match at least one type"));
        }
    } else {
        add_type(&mut tags, value)?;
    }
    Ok(tags)
}

fn add_type(tags: &mut Vec<u8>, value: RawBsonRef<'_>) -> Result<()> {
    if value.as_str() == Some("number") {
        let numbers = [
            ElementType::Double,
            ElementType::Int32,
            ElementType::Int64,
            ElementType::Decimal128,
        ];
        tags.extend(numbers.map(|number| number as u8));
        return Ok(());
    }
    let known = match value {
        RawBsonRef::String(name) => TYPES.iter().find(|(known, _, _)| *known == name),
        value => as_i64(value).and_then(|code| TYPES.iter().find(|(_, known, _)| *known == code)),
    };
    let Some((_, _, known)) = known else {
        return Err(match value {
            RawBsonRef::String(name) => Error::invalid(format!("Unknown type name alias: {name}")),
            value if Number::of(value).is_some() => {
                Error::invalid("Invalid numerical type code in $type")
            }
            _ => Error::invalid("type must be represented as a number or a string"),
        });
    };
    tags.push(*known as u8);
    Ok(())
}

/// MongoDB's truth: null and zero are false, all else is true.
pub(in crate::document) fn truth(value: RawBsonRef<'_>) -> bool {
    match value {
        RawBsonRef::Boolean(value) => value,
        RawBsonRef::Null | RawBsonRef::Undefined => false,
        value => Number::of(value).is_none_or(|number| number.compare(Number::Int(0)).is_ne()),
    }
}

pub(super) fn size(value: RawBsonRef<'_>) -> Result<i64> {
    as_i64(value).filter(|size| *size >= 0).ok_or_else(|| {
        Error::invalid("Failed to parse $size. Expected a non-negative whole number")
    })
}

/// Divisor and remainder of `$mod`.
pub(super) fn divisor(value: RawBsonRef<'_>) -> Result<(i64, i64)> {
    let RawBsonRef::Array(list) = value else {
        return Err(Error::invalid("malformed mod, needs to be an array"));
    };
    let numbers: Vec<_> = list
        .into_iter()
        .flatten()
        .map(|value| Number::of(value)?.truncate())
        .collect();
    match numbers[..] {
        [Some(0), _] => Err(Error::invalid("divisor cannot be 0")),
        [Some(divisor), Some(remainder)] => Ok((divisor, remainder)),
        [_, _] => Err(Error::invalid(
            "malformed mod, divisor and remainder need to be numbers",
        )),
        [] | [_] => Err(Error::invalid("malformed mod, not enough elements")),
        _ => Err(Error::invalid("malformed mod, too many elements")),
    }
}

/// Bit positions: a mask as a number or binary data, or a list of positions.
pub(super) fn positions(operator: &str, value: RawBsonRef<'_>) -> Result<Vec<u64>> {
    let positions = match value {
        RawBsonRef::Array(list) => listed_positions(operator, list)?,
        RawBsonRef::Binary(mask) => {
            let bytes = mask.bytes.iter().zip(0_u64..);
            let set = bytes.flat_map(|(byte, at)| {
                (0..8)
                    .filter(move |bit| byte >> bit & 1 == 1)
                    .map(move |bit| at * 8 + bit)
            });
            set.take(limits::FILTER_NODES_MAX + 1).collect()
        }
        value => match as_i64(value) {
            Some(mask) if mask >= 0 => (0..63).filter(|bit| mask >> bit & 1 == 1).collect(),
            _ => {
                return Err(Error::invalid(format!(
                    "{operator} takes a non-negative whole number, binary data, or an array of bit positions"
                )));
            }
        },
    };
    if positions.len() > limits::FILTER_NODES_MAX {
        return Err(Error::too_large(format!(
            "{operator} names more than {} bits",
            limits::FILTER_NODES_MAX
        )));
    }
    Ok(positions)
}

fn listed_positions(operator: &str, list: &RawArray) -> Result<Vec<u64>> {
    let position = |value| as_i64(value).and_then(|position| u64::try_from(position).ok());
    list.into_iter()
        .flatten()
        .map(|value| {
            position(value).ok_or_else(|| {
                Error::invalid(format!("Failed to parse bit position in {operator}. Expected a non-negative whole number"))
            })
        })
        .collect()
}
