//! A filter document to the tree of its conditions.

use bson::raw::{RawArray, RawBsonRef, RawDocument};

use super::pattern::{Pattern, Patterns};
use super::test::{Bits, List, Relation, Test};
use super::{Node, arguments};
use crate::document::compare::compare;
use crate::document::{path, raw};
use crate::error::{Code, Error, Result};
use crate::limits;

/// Nesting was checked before: recursion here follows the document's.
pub(super) fn parse(filter: &RawDocument) -> Result<Node> {
    Parser::default().document(filter)
}

#[derive(Default)]
struct Parser {
    patterns: Patterns,
    node_count: usize,
}

impl Parser {
    fn count(&mut self, more: usize) -> Result<()> {
        self.node_count += more;
        if self.node_count > limits::FILTER_NODES_MAX {
            return Err(Error::invalid(format!(
                "A filter may hold {} conditions",
                limits::FILTER_NODES_MAX
            )));
        }
        Ok(())
    }

    fn document(&mut self, filter: &RawDocument) -> Result<Node> {
        let mut nodes = Vec::new();
        for element in filter.iter() {
            let (name, value) = element.map_err(|error| raw::damaged("query", error))?;
            let name = name.as_str();
            if name == "$comment" {
                continue;
            }
            self.count(1)?;
            if name.starts_with('$') {
                nodes.push(self.logical(name, value)?);
            } else {
                path::check(name)?;
                let tests = self.field(value)?;
                nodes.extend(tests.into_iter().map(|test| Node::Field {
                    path: name.to_owned(),
                    test,
                }));
            }
        }
        Ok(match nodes.len() {
            1 => nodes.swap_remove(0),
            _ => Node::And(nodes),
        })
    }

    fn logical(&mut self, name: &str, value: RawBsonRef<'_>) -> Result<Node> {
        let make = match name {
            "$and" => Node::And,
            "$or" => Node::Or,
            "$nor" => Node::Nor,
            "$where" | "$function" | "$accumulator" | "$expr" | "$text" | "$jsonSchema" => {
                return Err(unsupported(name));
            }
            _ => {
                return Err(Error::invalid(format!(
                    "unknown top level operator: {name}"
                )));
            }
        };
        let not_empty = || Error::invalid(format!("{name} must be a nonempty array"));
        let parts = value.as_array().ok_or_else(not_empty)?;
        let mut nodes = Vec::new();
        for part in parts.into_iter().flatten() {
            let part = part.as_document();
            let part = part
                .ok_or_else(|| Error::invalid(format!("{name} entries need to be full objects")))?;
            self.count(1)?;
            nodes.push(self.document(part)?);
        }
        if nodes.is_empty() {
            Err(not_empty())
        } else {
            Ok(make(nodes))
        }
    }

    /// What follows a field's name: operators, an expression, or a value to equal.
    fn field(&mut self, value: RawBsonRef<'_>) -> Result<Vec<Test>> {
        match value {
            RawBsonRef::Document(operators) if is_operators(operators) => self.operators(operators),
            RawBsonRef::RegularExpression(_) => Ok(vec![Test::Pattern(self.pattern(value, None)?)]),
            value => Ok(vec![Test::Equal(value.into())]),
        }
    }

    fn operators(&mut self, operators: &RawDocument) -> Result<Vec<Test>> {
        let mut tests = Vec::new();
        for element in operators.iter() {
            let (name, value) = element.map_err(|error| raw::damaged("query", error))?;
            self.count(1)?;
            match name.as_str() {
                "$comment" => {}
                "$regex" => {
                    let options = operators.get("$options").ok().flatten();
                    tests.push(Test::Pattern(self.pattern(value, options)?));
                }
                "$options" if operators.get("$regex").is_ok_and(|regex| regex.is_some()) => {}
                "$options" => return Err(Error::invalid("$options needs a $regex")),
                name => tests.push(self.operator(name, value)?),
            }
        }
        Ok(tests)
    }

    fn operator(&mut self, name: &str, value: RawBsonRef<'_>) -> Result<Test> {
        Ok(match name {
            "$eq" => Test::Equal(value.into()),
            "$ne" => {
                refuse_pattern(name, value)?;
                Test::Not(vec![Test::Equal(value.into())])
            }
            "$gt" => relation(name, Relation::Greater, value)?,
            "$gte" => relation(name, Relation::GreaterEqual, value)?,
            "$lt" => relation(name, Relation::Less, value)?,
            "$lte" => relation(name, Relation::LessEqual, value)?,
            "$in" => self.list(name, value)?,
            "$nin" => Test::Not(vec![self.list(name, value)?]),
            "$not" => self.not(value)?,
            "$exists" if arguments::truth(value) => Test::Exists,
            "$exists" => Test::Not(vec![Test::Exists]),
            "$type" => Test::Type(arguments::types(value)?),
            "$size" => Test::Size(arguments::size(value)?),
            "$mod" => {
                let (divisor, remainder) = arguments::divisor(value)?;
                Test::Mod { divisor, remainder }
            }
            "$all" => self.all(value)?,
            "$elemMatch" => self.element(value)?,
            "$bitsAllSet" => bits(name, Bits::AllSet, value)?,
            "$bitsAnySet" => bits(name, Bits::AnySet, value)?,
            "$bitsAllClear" => bits(name, Bits::AllClear, value)?,
            "$bitsAnyClear" => bits(name, Bits::AnyClear, value)?,
            "$where" | "$function" | "$accumulator" | "$expr" | "$text" | "$jsonSchema" => {
                return Err(unsupported(name));
            }
            _ => return Err(Error::invalid(format!("unknown operator: {name}"))),
        })
    }

    fn list(&mut self, name: &str, value: RawBsonRef<'_>) -> Result<Test> {
        let values = needs_array(name, value)?;
        let mut list = List {
            values: Vec::new(),
            patterns: Vec::new(),
            has_null: false,
        };
        for value in values.into_iter().flatten() {
            self.count(1)?;
            match value {
                RawBsonRef::Document(document) if is_operators(document) => {
                    return Err(Error::invalid(format!("cannot nest $ under {name}")));
                }
                RawBsonRef::RegularExpression(_) => list.patterns.push(self.pattern(value, None)?),
                value => {
                    list.has_null |= matches!(value, RawBsonRef::Null);
                    list.values.push(value.into());
                }
            }
        }
        if list.values.is_empty() && list.patterns.is_empty() {
            return Ok(Test::Never);
        }
        list.values
            .sort_by(|a, b| compare(a.as_raw_bson_ref(), b.as_raw_bson_ref()));
        Ok(Test::In(list))
    }

    fn not(&mut self, value: RawBsonRef<'_>) -> Result<Test> {
        match value {
            RawBsonRef::RegularExpression(_) => {
                Ok(Test::Not(vec![Test::Pattern(self.pattern(value, None)?)]))
            }
            RawBsonRef::Document(operators) if operators.is_empty() => {
                Err(Error::invalid("$not cannot be empty"))
            }
            RawBsonRef::Document(operators) => Ok(Test::Not(self.operators(operators)?)),
            _ => Err(Error::invalid("$not needs a regex or a document")),
        }
    }

    fn all(&mut self, value: RawBsonRef<'_>) -> Result<Test> {
        let mut tests = Vec::new();
        let mut elements = 0;
        for value in needs_array("$all", value)?.into_iter().flatten() {
            self.count(1)?;
            tests.push(match value {
                RawBsonRef::RegularExpression(_) => Test::Pattern(self.pattern(value, None)?),
                RawBsonRef::Document(document) if is_operators(document) => {
                    let inner = document.get("$elemMatch").ok().flatten();
                    let inner = inner.ok_or_else(|| Error::invalid("no $ expressions in $all"))?;
                    elements += 1;
                    self.element(inner)?
                }
                value => Test::Equal(value.into()),
            });
        }
        if elements > 0 && elements < tests.len() {
            return Err(Error::invalid("$all/$elemMatch has to be consistent"));
        }
        Ok(if tests.is_empty() {
            Test::Never
        } else {
            Test::All(tests)
        })
    }

    fn element(&mut self, value: RawBsonRef<'_>) -> Result<Test> {
        let inner = value
            .as_document()
            .ok_or_else(|| Error::invalid("$elemMatch needs an Object"))?;
        let logical = |name: &str| {
            matches!(
                name,
                "$and" | "$or" | "$nor" | "$where" | "$expr" | "$comment"
            )
        };
        let first = inner
            .iter_elements()
            .next()
            .and_then(std::result::Result::ok);
        match first {
            Some(first)
                if first.key().as_str().starts_with('$') && !logical(first.key().as_str()) =>
            {
                Ok(Test::ElementValue(self.operators(inner)?))
            }
            _ => Ok(Test::ElementDocument(Box::new(self.document(inner)?))),
        }
    }

    /// `value` is text or an expression; its own options and those given beside it exclude each other.
    fn pattern(
        &mut self,
        value: RawBsonRef<'_>,
        options: Option<RawBsonRef<'_>>,
    ) -> Result<Pattern> {
        let options = match options {
            None => None,
            Some(RawBsonRef::String(options)) => Some(options),
            Some(_) => return Err(Error::invalid("$options has to be a string")),
        };
        match value {
            RawBsonRef::String(source) => self.patterns.compile(source, options.unwrap_or("")),
            RawBsonRef::RegularExpression(regex) => {
                let own = regex.options.as_str();
                if options.is_some() && !own.is_empty() {
                    return Err(Error::invalid("options set in both $regex and $options"));
                }
                self.patterns
                    .compile(regex.pattern.as_str(), options.unwrap_or(own))
            }
            _ => Err(Error::invalid("$regex has to be a string")),
        }
    }
}

/// Whether a document is operators rather than a value: by its first name, as MongoDB decides.
fn is_operators(document: &RawDocument) -> bool {
    let first = document
        .iter_elements()
        .next()
        .and_then(std::result::Result::ok);
    let name = first.as_ref().map_or("", |first| first.key().as_str());
    // A DBRef is a value.
    name.starts_with('$') && !matches!(name, "$ref" | "$id" | "$db")
}

fn needs_array<'a>(name: &str, value: RawBsonRef<'a>) -> Result<&'a RawArray> {
    value
        .as_array()
        .ok_or_else(|| Error::invalid(format!("{name} needs an array")))
}

fn refuse_pattern(name: &str, value: RawBsonRef<'_>) -> Result<()> {
    match value {
        RawBsonRef::RegularExpression(_) => {
            Err(Error::invalid(format!("Can't have regex as arg to {name}")))
        }
        _ => Ok(()),
    }
}

fn relation(name: &str, relation: Relation, value: RawBsonRef<'_>) -> Result<Test> {
    refuse_pattern(name, value)?;
    Ok(Test::Compare {
        relation,
        operand: value.into(),
    })
}

fn bits(name: &str, wanted: Bits, value: RawBsonRef<'_>) -> Result<Test> {
    Ok(Test::Bits {
        wanted,
        positions: arguments::positions(name, value)?,
    })
}

fn unsupported(name: &str) -> Error {
    let instead = match name {
        "$where" | "$function" | "$accumulator" => {
            "this server runs no code of a query; say it with $and, $or and operators on fields"
        }
        "$text" => "use $regex on the field that holds the text",
        "$expr" => "compare fields with values by $eq, $gt and the like",
        _ => "use $exists, $type and operators on fields",
    };
    Error::client(
        Code::Unimplemented,
        format!("{name} is not allowed in a query: {instead}"),
    )
}
