//! Versions as the origin compares them: numbers between dots, any count of them, missing ones zero.

use std::cmp::Ordering;

use crate::value::{Int, View, display};

#[derive(Debug)]
pub(super) struct Version(Box<[Int]>);

const ZERO: Int = Int::Small(0);

impl Version {
    pub(super) fn new(view: View<'_>) -> Option<Self> {
        if matches!(view, View::Null) {
            return None;
        }
        display(view).split('.').map(Int::from_python).collect::<Option<_>>().map(Self)
    }

    /// How a value compares with this version; `None` when it is no version.
    pub(super) fn compare(&self, actual: View<'_>) -> Option<Ordering> {
        if matches!(actual, View::Null) {
            return None;
        }
        let text = display(actual);
        let (mut ordering, mut count) = (Ordering::Equal, 0);
        for part in text.split('.') {
            // To the last part, since one that is no number makes it no version.
            let part = Int::from_python(part)?;
            ordering = ordering.then_with(|| part.cmp(self.0.get(count).unwrap_or(&ZERO)));
            count += 1;
        }
        let rest = self.0.get(count..).unwrap_or_default();
        Some(rest.iter().fold(ordering, |ordering, part| ordering.then_with(|| ZERO.cmp(part))))
    }
}
