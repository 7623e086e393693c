//! A map as a sorted list.
//!
//! Each further kind of `BTreeMap` is 7 KB of the plugin, and `HashMap` needs randomness from the host. What we keep is
//! a few entries, or entries whose keys mostly grow, so that most are added at the end.

/// A map from keys in order.
#[derive(Debug)]
pub(crate) struct Table<K, V>(Vec<(K, V)>);

impl<K, V> Default for Table<K, V> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<K: Ord, V> Table<K, V> {
    /// The value of a key.
    pub(crate) fn get<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: std::borrow::Borrow<Q>,
    {
        let at = self.find(key).ok()?;
        self.0.get(at).map(|(_, value)| value)
    }

    /// Adds or replaces a value.
    pub(crate) fn insert(&mut self, key: K, value: V) {
        match self.find(&key) {
            Ok(at) => {
                if let Some(entry) = self.0.get_mut(at) {
                    entry.1 = value;
                }
            }
            Err(at) => self.0.insert(at, (key, value)),
        }
    }

    /// Takes a value out.
    pub(crate) fn remove(&mut self, key: &K) -> Option<V> {
        let at = self.find(key).ok()?;
        Some(self.0.remove(at).1)
    }

    /// The first entry.
    pub(crate) fn first(&self) -> Option<&(K, V)> {
        self.0.first()
    }

    /// Takes out the first entry if it is due.
    pub(crate) fn take_first_if(&mut self, is_due: impl FnOnce(&K) -> bool) -> Option<V> {
        self.first().is_some_and(|(key, _)| is_due(key)).then(|| self.0.remove(0).1)
    }

    /// How many entries there are.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    fn find<Q: Ord + ?Sized>(&self, key: &Q) -> Result<usize, usize>
    where
        K: std::borrow::Borrow<Q>,
    {
        self.0.binary_search_by(|(other, _)| other.borrow().cmp(key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_found_replaced_and_removed() {
        let mut table = Table::default();
        for key in [5, 1, 3] {
            table.insert(key, key * 10);
        }
        table.insert(3, 31);
        assert_eq!(table.len(), 3);
        assert_eq!(table.get(&3), Some(&31));
        assert_eq!(table.get(&4), None);
        assert_eq!(table.remove(&1), Some(10));
        assert_eq!(table.remove(&1), None);
        assert_eq!(table.first(), Some(&(3, 31)));
        assert_eq!(table.get(&5), Some(&50));
    }

    #[test]
    fn the_first_is_taken_only_when_it_is_due() {
        let mut table = Table::default();
        table.insert(2, "b");
        table.insert(1, "a");
        assert_eq!(table.take_first_if(|key| *key > 1), None);
        assert_eq!(table.take_first_if(|key| *key == 1), Some("a"));
        assert_eq!(table.len(), 1);
    }
}
