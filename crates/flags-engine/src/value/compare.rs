//! Comparisons as Python makes them.

use std::cmp::Ordering;

use super::int::{compare_big_float, compare_digits, compare_small_float, sign};
use super::{Value, View};
use crate::raised::Raised;

/// `a == b`.
pub(crate) fn equal(a: View<'_>, b: View<'_>) -> bool {
    match (a, b) {
        (View::Null, View::Null) => true,
        (View::Str(a), View::Str(b)) => a == b,
        (View::Instant(a), View::Instant(b)) => a == b,
        (View::List(a), View::List(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| equal(a.view(), b.view()))
        }
        (View::Object(a), View::Object(b)) => a.equals(b),
        _ => numeric(a, b) == Some(Ordering::Equal),
    }
}

/// How `a` and `b` compare, which a NaN does with nothing; types that have no order raise.
pub(crate) fn order(a: View<'_>, b: View<'_>) -> Result<Option<Ordering>, Raised> {
    match (a, b) {
        (View::Str(a), View::Str(b)) => Ok(Some(a.cmp(b))),
        (View::Instant(a), View::Instant(b)) => Ok(Some(a.cmp(&b))),
        (View::List(a), View::List(b)) => {
            let differing = a.iter().zip(b).find(|(a, b)| !equal(a.view(), b.view()));
            differing.map_or_else(|| Ok(Some(a.len().cmp(&b.len()))), |(a, b)| order(a.view(), b.view()))
        }
        _ if is_number(a) && is_number(b) => Ok(numeric(a, b)),
        _ => Err(Raised::NotOrdered),
    }
}

fn is_number(view: View<'_>) -> bool {
    matches!(view, View::Bool(_) | View::Small(_) | View::Big(_) | View::Float(_))
}

/// Numbers and booleans, which are numbers to Python.
fn numeric(a: View<'_>, b: View<'_>) -> Option<Ordering> {
    let number = |view| match view {
        View::Bool(value) => View::Small(i64::from(value)),
        other => other,
    };
    match (number(a), number(b)) {
        (View::Small(a), View::Small(b)) => Some(a.cmp(&b)),
        (View::Float(a), View::Float(b)) => a.partial_cmp(&b),
        (View::Small(a), View::Float(b)) => compare_small_float(a, b),
        (View::Float(a), View::Small(b)) => compare_small_float(b, a).map(Ordering::reverse),
        (View::Big(a), View::Big(b)) => Some(compare_digits(a, b)),
        (View::Big(a), View::Small(_)) => Some(sign(a)),
        (View::Small(_), View::Big(b)) => Some(sign(b).reverse()),
        (View::Big(a), View::Float(b)) => compare_big_float(a, b),
        (View::Float(a), View::Big(b)) => compare_big_float(b, a).map(Ordering::reverse),
        _ => None,
    }
}

/// `item in container`: a substring, an element, or a member's name.
pub(crate) fn contains(container: View<'_>, item: View<'_>) -> Result<bool, Raised> {
    match (container, item) {
        (View::Str(text), View::Str(part)) => Ok(text.contains(part)),
        (View::Str(_), _) => Err(Raised::NotText),
        (View::List(items), _) => Ok(items.iter().any(|each: &Value| equal(each.view(), item))),
        (View::Object(object), View::Str(name)) => Ok(object.get(name).is_some()),
        (View::Object(_), View::List(_) | View::Object(_)) => Err(Raised::NotHashable),
        (View::Object(_), _) => Ok(false),
        _ => Err(Raised::NotAContainer),
    }
}

/// Python's truth: null, zero and everything empty are false.
pub(crate) fn truthy(view: View<'_>) -> bool {
    match view {
        View::Null => false,
        View::Bool(value) => value,
        View::Small(value) => value != 0,
        View::Float(value) => value != 0.0,
        View::Str(text) => !text.is_empty(),
        View::List(items) => !items.is_empty(),
        View::Object(object) => !object.is_empty(),
        View::Big(_) | View::Instant(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nan_equals_nothing_and_comes_before_and_after_nothing() {
        let nan = Value::from(f64::NAN);
        for other in [Value::from(f64::NAN), 1.into(), 1.5.into(), true.into(), 2_i64.pow(60).into()] {
            assert_ne!(nan, other);
            assert!(matches!(order(nan.view(), other.view()), Ok(None)), "{other}");
            assert!(matches!(order(other.view(), nan.view()), Ok(None)), "{other}");
        }
        assert!(order(nan.view(), Value::from("1").view()).is_err());
    }
}
