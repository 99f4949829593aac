//! [`Object`].

use super::{Value, equal};

/// The members of a JSON object: in the order written, found by name.
///
/// Of a name that is written twice the last value counts, in the place of the first, as in Python.
#[derive(Debug)]
pub struct Object {
    members: Vec<(Box<str>, Value)>,
    /// Places in `members`, by name.
    by_name: Vec<u32>,
}

impl Object {
    pub(super) fn new(written: Vec<(Box<str>, Value)>) -> Self {
        // Depth and size of JSON are bounded long before 32 bits are.
        let mut order: Vec<u32> = (0..u32::try_from(written.len()).unwrap_or(u32::MAX)).collect();
        order.sort_by(|a, b| written[*a as usize].0.cmp(&written[*b as usize].0));
        let twice = order.windows(2).any(|pair| written[pair[0] as usize].0 == written[pair[1] as usize].0);
        if !twice {
            return Self { members: written, by_name: order };
        }
        let mut last_of = vec![None; written.len()];
        for group in order.chunk_by(|a, b| written[*a as usize].0 == written[*b as usize].0) {
            last_of[group[0] as usize] = group.last().map(|last| written[*last as usize].1.clone());
        }
        let once = written.into_iter().zip(last_of);
        Self::new(once.filter_map(|((name, _), last)| Some((name, last?))).collect())
    }

    /// The member of that name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value> {
        let place = self.by_name.binary_search_by(|at| (*self.members[*at as usize].0).cmp(name)).ok()?;
        self.members.get(self.by_name[place] as usize).map(|(_, value)| value)
    }

    /// How many members there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// The members in the order written.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.members.iter().map(|(name, value)| (&**name, value))
    }

    fn sorted(&self) -> impl Iterator<Item = &(Box<str>, Value)> {
        self.by_name.iter().filter_map(|place| self.members.get(*place as usize))
    }

    /// Equal regardless of order.
    pub(super) fn equals(&self, other: &Self) -> bool {
        self.len() == other.len()
            && self.sorted().zip(other.sorted()).all(|((name, value), (other_name, other))| {
                name == other_name && equal(value.view(), other.view())
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_value_counts_in_the_place_of_the_first() {
        let written = [("b", 1), ("a", 2), ("b", 3)].map(|(name, value)| (name.into(), Value::from(value)));
        let object = Object::new(written.into());
        let members: Vec<_> = object.iter().map(|(name, value)| (name, value.to_string())).collect();
        assert_eq!(members, [("b", "3".to_owned()), ("a", "2".to_owned())]);
        assert_eq!(object.get("b"), Some(&Value::from(3)));
        assert_eq!(object.get("c"), None);
    }
}
