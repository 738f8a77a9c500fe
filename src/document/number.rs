//! Numbers of different types in one exact order: int, long, double, decimal.
//!
//! Comparing by way of `f64` would make 2^53 and 2^53 + 1 equal, and with that two
//! different `_id`s.

use std::cmp::Ordering;

use bson::Decimal128;
use bson::raw::RawBsonRef;

/// A BSON number of any type.
#[derive(Clone, Copy, Debug)]
pub enum Number {
    Int(i64),
    Double(f64),
    Decimal(Decimal),
}

/// An IEEE 754 decimal, decoded.
#[derive(Clone, Copy, Debug)]
pub enum Decimal {
    NaN,
    Infinity {
        negative: bool,
    },
    /// ±coefficient × 10^exponent; the coefficient has at most 34 digits.
    Finite {
        negative: bool,
        coefficient: u128,
        exponent: i32,
    },
}

const COEFFICIENT_MAX: u128 = 9_999_999_999_999_999_999_999_999_999_999_999;
const EXPONENT_BIAS: i32 = 6176;
/// 2^63: the first double beyond a long.
const TWO_63: f64 = 9_223_372_036_854_775_808.0;
/// A double has at most 767 significant decimal digits; with so many its text is exact.
const DOUBLE_DIGITS: usize = 800;

impl Number {
    pub fn of(value: RawBsonRef<'_>) -> Option<Number> {
        Some(match value {
            RawBsonRef::Int32(value) => Number::Int(value.into()),
            RawBsonRef::Int64(value) => Number::Int(value),
            RawBsonRef::Double(value) => Number::Double(value),
            RawBsonRef::Decimal128(value) => Number::Decimal(Decimal::of(value)),
            _ => return None,
        })
    }

    /// NaN is below every number and equal to itself; -0 equals 0.
    pub fn compare(self, other: Number) -> Ordering {
        match (self, other) {
            (Number::Int(a), Number::Int(b)) => a.cmp(&b),
            (Number::Double(a), Number::Double(b)) => compare_doubles(a, b),
            (Number::Int(a), Number::Double(b)) => compare_int_double(a, b),
            (Number::Double(a), Number::Int(b)) => compare_int_double(b, a).reverse(),
            (Number::Decimal(a), Number::Decimal(b)) => a.compare(b),
            (Number::Decimal(a), Number::Int(b)) => a.compare(Decimal::of_int(b)),
            (Number::Int(a), Number::Decimal(b)) => Decimal::of_int(a).compare(b),
            (Number::Decimal(a), Number::Double(b)) => a.compare_double(b),
            (Number::Double(a), Number::Decimal(b)) => b.compare_double(a).reverse(),
        }
    }

    /// The number without its fraction; `None` for NaN, infinity, and beyond 64 bits.
    pub fn truncate(self) -> Option<i64> {
        match self {
            Number::Int(value) => Some(value),
            Number::Double(value) if (-TWO_63..TWO_63).contains(&value) => Some(value as i64),
            Number::Double(_) => None,
            Number::Decimal(value) => value.truncate(),
        }
    }
}

/// The value as an integer, if it is a whole number of any type within 64 bits.
pub fn as_i64(value: RawBsonRef<'_>) -> Option<i64> {
    let number = Number::of(value)?;
    let whole = number.truncate()?;
    (number.compare(Number::Int(whole)) == Ordering::Equal).then_some(whole)
}

fn compare_doubles(a: f64, b: f64) -> Ordering {
    match a.partial_cmp(&b) {
        Some(order) => order,
        None => b.is_nan().cmp(&a.is_nan()),
    }
}

fn compare_int_double(a: i64, b: f64) -> Ordering {
    if b.is_nan() || b < -TWO_63 {
        return Ordering::Greater;
    }
    if b >= TWO_63 {
        return Ordering::Less;
    }
    // Within these bounds the whole part of a double is a long, exactly.
    let whole = b.trunc();
    a.cmp(&(whole as i64))
        .then_with(|| compare_doubles(whole, b))
}

impl Decimal {
    pub fn of(value: Decimal128) -> Decimal {
        let bits = u128::from_le_bytes(value.bytes());
        let negative = bits >> 127 == 1;
        let combination = (bits >> 122) & 0b1_1111;
        if combination == 0b1_1111 {
            return Decimal::NaN;
        }
        if combination == 0b1_1110 {
            return Decimal::Infinity { negative };
        }
        // The second form of the coefficient only spells values above the largest: by the standard zero.
        if combination >> 3 == 0b11 {
            let exponent = ((bits >> 111) & 0x3fff) as i32 - EXPONENT_BIAS;
            return Decimal::Finite {
                negative,
                coefficient: 0,
                exponent,
            };
        }
        let exponent = ((bits >> 113) & 0x3fff) as i32 - EXPONENT_BIAS;
        let coefficient = bits & ((1 << 113) - 1);
        let coefficient = if coefficient > COEFFICIENT_MAX {
            0
        } else {
            coefficient
        };
        Decimal::Finite {
            negative,
            coefficient,
            exponent,
        }
    }

    fn of_int(value: i64) -> Decimal {
        Decimal::Finite {
            negative: value < 0,
            coefficient: value.unsigned_abs().into(),
            exponent: 0,
        }
    }

    /// -2 NaN, -1 negative, 0 zero, 1 positive.
    fn sign(self) -> i32 {
        match self {
            Decimal::NaN => -2,
            Decimal::Finite { coefficient: 0, .. } => 0,
            Decimal::Finite { negative, .. } | Decimal::Infinity { negative } => {
                1 - 2 * i32::from(negative)
            }
        }
    }

    fn compare(self, other: Decimal) -> Ordering {
        let order = self.sign().cmp(&other.sign());
        if order.is_ne() || self.sign() == 0 || self.sign() == -2 {
            return order;
        }
        let magnitude = match (self, other) {
            (Decimal::Infinity { .. }, Decimal::Infinity { .. }) => Ordering::Equal,
            (Decimal::Infinity { .. }, _) => Ordering::Greater,
            (_, Decimal::Infinity { .. }) => Ordering::Less,
            _ => self.normal().cmp(&other.normal()),
        };
        if self.sign() < 0 {
            magnitude.reverse()
        } else {
            magnitude
        }
    }

    /// Decimal exponent of the first digit, then the digits filled up to 34: comparable as they stand.
    fn normal(self) -> (i32, u128) {
        let Decimal::Finite {
            coefficient,
            exponent,
            ..
        } = self
        else {
            return (i32::MAX, 0);
        };
        let Some(log) = coefficient.checked_ilog10() else {
            return (i32::MIN, 0);
        };
        (exponent + log as i32, coefficient * 10_u128.pow(33 - log))
    }

    fn compare_double(self, other: f64) -> Ordering {
        let Decimal::Finite {
            negative,
            coefficient,
            exponent,
        } = self
        else {
            return match self {
                Decimal::NaN if other.is_nan() => Ordering::Equal,
                Decimal::NaN => Ordering::Less,
                _ if other.is_nan() => Ordering::Greater,
                _ => f64::INFINITY
                    .copysign(f64::from(self.sign()))
                    .total_cmp(&other),
            };
        };
        let sign = if negative { "-" } else { "" };
        let Ok(nearest) = format!("{sign}{coefficient}e{exponent}").parse::<f64>() else {
            return Ordering::Greater;
        };
        // Rounding keeps order, so only a tie needs the exact digits.
        let order = compare_doubles(nearest, other);
        if order.is_ne() || !other.is_finite() {
            return if nearest.is_infinite() && other == nearest {
                if negative {
                    Ordering::Greater
                } else {
                    Ordering::Less
                }
            } else {
                order
            };
        }
        let magnitude = compare_digits(coefficient, exponent, other.abs());
        if negative {
            magnitude.reverse()
        } else {
            magnitude
        }
    }

    fn truncate(self) -> Option<i64> {
        let Decimal::Finite {
            negative,
            coefficient,
            exponent,
        } = self
        else {
            return None;
        };
        let mut whole = coefficient;
        for _ in 0..exponent.unsigned_abs() {
            if whole == 0 {
                break;
            }
            whole = if exponent < 0 {
                whole / 10
            } else {
                whole.checked_mul(10)?
            };
        }
        let whole = i128::try_from(whole).ok()?;
        i64::try_from(if negative { -whole } else { whole }).ok()
    }
}

/// coefficient × 10^exponent against a finite double that it rounds to, neither negative.
fn compare_digits(coefficient: u128, exponent: i32, other: f64) -> Ordering {
    if coefficient == 0 || other == 0.0 {
        return (coefficient != 0).cmp(&(other != 0.0));
    }
    let digits = coefficient.to_string();
    let first = exponent + digits.len() as i32 - 1;
    let text = format!("{other:.DOUBLE_DIGITS$e}");
    let (mantissa, power) = text.split_once('e').unwrap_or((&text, "0"));
    let power: i32 = power.parse().unwrap_or(0);
    let theirs = mantissa.bytes().filter(u8::is_ascii_digit);
    let ours = digits.bytes().chain(std::iter::repeat(b'0'));
    first.cmp(&power).then_with(|| {
        // Iterates as long as the double's digits, which are more than the decimal's 34.
        ours.zip(theirs)
            .map(|(a, b)| a.cmp(&b))
            .find(|order| order.is_ne())
            .unwrap_or(Ordering::Equal)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn decimal(text: &str) -> Number {
        Number::Decimal(Decimal::of(text.parse().unwrap()))
    }

    #[test]
    fn large_integers_and_doubles_compare_exactly() {
        let two_53 = 9_007_199_254_740_992_i64;
        assert_eq!(
            Number::Int(two_53 + 1).compare(Number::Double(two_53 as f64)),
            Ordering::Greater
        );
        assert_eq!(
            Number::Int(two_53).compare(Number::Double(two_53 as f64)),
            Ordering::Equal
        );
        assert_eq!(
            Number::Int(i64::MAX).compare(Number::Double(TWO_63)),
            Ordering::Less
        );
        assert_eq!(
            Number::Int(i64::MIN).compare(Number::Double(-TWO_63)),
            Ordering::Equal
        );
        assert_eq!(
            Number::Int(-3).compare(Number::Double(-3.5)),
            Ordering::Greater
        );
        assert_eq!(Number::Int(3).compare(Number::Double(3.5)), Ordering::Less);
    }

    #[test]
    fn nan_is_lowest_and_zeros_are_one() {
        for other in [
            Number::Int(i64::MIN),
            Number::Double(f64::NEG_INFINITY),
            decimal("-Infinity"),
        ] {
            assert_eq!(Number::Double(f64::NAN).compare(other), Ordering::Less);
            assert_eq!(decimal("NaN").compare(other), Ordering::Less);
            assert_eq!(other.compare(decimal("NaN")), Ordering::Greater);
        }
        assert_eq!(
            decimal("NaN").compare(Number::Double(f64::NAN)),
            Ordering::Equal
        );
        assert_eq!(
            Number::Double(-0.0).compare(Number::Int(0)),
            Ordering::Equal
        );
        assert_eq!(
            decimal("-0E+10").compare(Number::Double(0.0)),
            Ordering::Equal
        );
    }

    #[test]
    fn decimals_compare_by_value_not_by_spelling() {
        assert_eq!(decimal("1.10").compare(decimal("1.1")), Ordering::Equal);
        assert_eq!(decimal("1E+3").compare(Number::Int(1000)), Ordering::Equal);
        assert_eq!(
            decimal("9223372036854775808").compare(Number::Int(i64::MAX)),
            Ordering::Greater
        );
        assert_eq!(decimal("-2").compare(decimal("-1")), Ordering::Less);
        assert_eq!(
            decimal("1E-6176").compare(Number::Double(0.0)),
            Ordering::Greater
        );
        assert_eq!(
            decimal("1E+6000").compare(Number::Double(f64::INFINITY)),
            Ordering::Less
        );
        assert_eq!(
            decimal("-1E+6000").compare(Number::Double(f64::NEG_INFINITY)),
            Ordering::Greater
        );
        assert_eq!(
            decimal("Infinity").compare(Number::Double(f64::INFINITY)),
            Ordering::Equal
        );
    }

    #[test]
    fn a_double_tenth_is_not_a_decimal_tenth() {
        // 0.1 as a double is 0.1000000000000000055…
        assert_eq!(decimal("0.1").compare(Number::Double(0.1)), Ordering::Less);
        assert_eq!(
            decimal("-0.1").compare(Number::Double(-0.1)),
            Ordering::Greater
        );
        assert_eq!(decimal("0.5").compare(Number::Double(0.5)), Ordering::Equal);
        assert_eq!(
            decimal("0.10000000000000001").compare(Number::Double(0.1)),
            Ordering::Greater
        );
    }

    #[test]
    fn whole_numbers_of_any_type_are_integers() {
        assert_eq!(
            as_i64(RawBsonRef::Decimal128("12E+2".parse().unwrap())),
            Some(1200)
        );
        assert_eq!(as_i64(RawBsonRef::Decimal128("1.5".parse().unwrap())), None);
        assert_eq!(
            as_i64(RawBsonRef::Decimal128("1E+6000".parse().unwrap())),
            None
        );
        assert_eq!(as_i64(RawBsonRef::Double(-0.0)), Some(0));
        assert_eq!(as_i64(RawBsonRef::Double(TWO_63)), None);
        assert_eq!(as_i64(RawBsonRef::Boolean(true)), None);
        assert_eq!(decimal("-1.9").truncate(), Some(-1));
        assert_eq!(Number::Double(f64::NAN).truncate(), None);
    }

    fn number() -> impl Strategy<Value = Number> {
        prop_oneof![
            any::<i64>().prop_map(Number::Int),
            (-5..5_i64).prop_map(Number::Int),
            any::<f64>().prop_map(Number::Double),
            (-20..20_i32).prop_map(|n| Number::Double(f64::from(n) / 4.0)),
            (any::<i32>(), -8..8_i32).prop_map(|(c, e)| decimal(&format!("{c}E{e}"))),
            (-20..20_i32).prop_map(|n| decimal(&format!("{}", f64::from(n) / 4.0))),
            any::<[u8; 16]>()
                .prop_map(|bytes| Number::Decimal(Decimal::of(Decimal128::from_bytes(bytes)))),
        ]
    }

    proptest! {
        #[test]
        fn the_order_is_total(a in number(), b in number(), c in number()) {
            prop_assert_eq!(a.compare(a), Ordering::Equal);
            prop_assert_eq!(a.compare(b), b.compare(a).reverse());
            if a.compare(b).is_le() && b.compare(c).is_le() {
                prop_assert!(a.compare(c).is_le());
            }
        }
    }
}
