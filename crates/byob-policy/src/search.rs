//! The search for a request that the new document lets through and the old one does not, over the dimensions of
//! [`crate::dimension`]. Each value of a dimension is a set of rules that it leaves standing; a request leaves standing
//! what all its values do. What the rules say, and what a found request means, is not known here.

use crate::pattern::TooLarge;

/// The most comparisons of sets that one search may make.
const WORK_LIMIT: usize = 4_000_000;

/// A set of rules.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Mask(Vec<u64>);

impl Mask {
    /// No rule out of `count`.
    pub(crate) fn none(count: usize) -> Self {
        Self(vec![0; count.div_ceil(64)])
    }

    pub(crate) fn insert(&mut self, rule: usize) {
        if let Some(word) = self.0.get_mut(rule / 64) {
            *word |= 1 << (rule % 64);
        }
    }

    pub(crate) fn has(&self, rule: usize) -> bool {
        self.0.get(rule / 64).is_some_and(|word| word & (1 << (rule % 64)) != 0)
    }

    pub(crate) fn and(&self, other: &Self) -> Self {
        Self(self.0.iter().zip(&other.0).map(|(a, b)| a & b).collect())
    }

    fn is_none(&self) -> bool {
        self.0.iter().all(|word| *word == 0)
    }

    fn is_within(&self, other: &Self) -> bool {
        self.0.iter().zip(&other.0).all(|(a, b)| a & !b == 0)
    }
}

/// One value of a dimension: which rules it leaves standing.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) standing: Mask,
    /// The value's place among the dimension's values.
    pub(crate) value: usize,
    /// What had to be assumed about it, in words; none: it is known.
    pub(crate) assumed: Vec<String>,
}

/// Which of the rules belong to what.
pub(crate) struct Roles {
    pub(crate) new_allows: Vec<usize>,
    pub(crate) old_allows: Mask,
    pub(crate) new_denies: Mask,
    pub(crate) old_denies: Vec<usize>,
}

/// Calls `found` with one entry of each dimension for combinations that leave an Allow of the new document standing and
/// none of its Denies, and of the old document a Deny or no Allow; until it says no, or one has been shown for each
/// pair of rules that can make one. If it is never called, there is no such combination.
pub(crate) fn search(
    dimensions: &[Vec<&Entry>],
    roles: &Roles,
    mut found: impl FnMut(&[&Entry]) -> bool,
) -> Result<(), TooLarge> {
    let mut work = 0;
    let mut neither = roles.old_allows.clone();
    neither.0.iter_mut().zip(&roles.new_denies.0).for_each(|(a, b)| *a |= b);
    for allow in &roles.new_allows {
        let Some(kept) = keeping(dimensions, *allow) else { continue };
        if let Some(picks) = avoiding(&kept, &neither, &mut work)?
            && !found(&picks)
        {
            return Ok(());
        }
        for deny in &roles.old_denies {
            let Some(kept) = keeping(&kept, *deny) else { continue };
            if let Some(picks) = avoiding(&kept, &roles.new_denies, &mut work)?
                && !found(&picks)
            {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// The entries that leave a rule standing; `None` where a dimension has none.
fn keeping<'a>(dimensions: &[Vec<&'a Entry>], rule: usize) -> Option<Vec<Vec<&'a Entry>>> {
    let mut all = Vec::with_capacity(dimensions.len());
    for entries in dimensions {
        let kept: Vec<&Entry> = entries.iter().copied().filter(|entry| entry.standing.has(rule)).collect();
        if kept.is_empty() {
            return None;
        }
        all.push(kept);
    }
    Some(all)
}

/// One entry of each dimension that together leave none of `rules` standing; `None` if there is no such choice.
fn avoiding<'a>(
    dimensions: &[Vec<&'a Entry>],
    rules: &Mask,
    work: &mut usize,
) -> Result<Option<Vec<&'a Entry>>, TooLarge> {
    // A rule that every entry leaves standing can never be avoided: most searches end here.
    let mut always = rules.clone();
    for entry in dimensions.iter().flatten() {
        *work += 1;
        always = always.and(&entry.standing);
        if always.is_none() {
            break;
        }
    }
    if !always.is_none() {
        return Ok(None);
    }
    // Of what is left standing only the least sets count: whatever a larger one can become, they can.
    let mut states: Vec<(Mask, Vec<&Entry>)> = vec![(rules.clone(), Vec::new())];
    for entries in dimensions {
        let mut next: Vec<(Mask, Vec<&Entry>)> = Vec::new();
        for (left, picks) in &states {
            for entry in entries {
                let left = left.and(&entry.standing);
                *work += next.len() + 1;
                if *work > WORK_LIMIT {
                    return Err(TooLarge);
                }
                if next.iter().any(|(other, _)| other.is_within(&left)) {
                    continue;
                }
                next.retain(|(other, _)| !left.is_within(other));
                let mut picks = picks.clone();
                picks.push(entry);
                next.push((left, picks));
            }
        }
        states = next;
    }
    Ok(states.into_iter().find(|(left, _)| left.is_none()).map(|(_, picks)| picks))
}
