//! Patterns with `*` and `?` as regular languages: matching, inclusion in a union, intersection, and one witness for
//! each combination of patterns that can hold together. Decided exactly, by walking the deterministic product of all
//! patterns lazily; the walk is bounded, and past the bound the answer is [`TooLarge`], never a guess. What a pattern is
//! about (actions, ARNs, condition values) is not known here.

use std::collections::{BTreeSet, HashMap, VecDeque};

/// The most states that one walk may visit.
const STATE_LIMIT: usize = 40_000;

/// The patterns together have more states than the walk may visit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the patterns are too many or too entangled to be compared exactly")]
pub struct TooLarge;

/// Which characters a token takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Class {
    /// This one.
    Just(char),
    /// This one in either case (ASCII).
    Fold(char),
    /// Any.
    Any,
    /// Any but these.
    Not(&'static str),
    /// A decimal digit.
    Digit,
}

impl Class {
    fn has(self, c: char) -> bool {
        match self {
            Self::Just(own) => own == c,
            Self::Fold(own) => own.eq_ignore_ascii_case(&c),
            Self::Any => true,
            Self::Not(set) => !set.contains(c),
            Self::Digit => c.is_ascii_digit(),
        }
    }
}

/// One step of a pattern: one character of the class, or any number of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Token {
    pub(crate) class: Class,
    pub(crate) many: bool,
}

impl Token {
    pub(crate) fn one(class: Class) -> Self {
        Self { class, many: false }
    }

    pub(crate) fn many(class: Class) -> Self {
        Self { class, many: true }
    }
}

/// A pattern in which `*` takes any number of characters and `?` exactly one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pattern {
    pub(crate) tokens: Vec<Token>,
}

impl Pattern {
    /// The pattern that a text spells; case matters.
    pub fn new(text: &str) -> Self {
        Self::within(text, Class::Any)
    }

    /// The pattern that a text spells; the case of ASCII letters does not matter. For actions.
    pub fn ignoring_case(text: &str) -> Self {
        let mut pattern = Self::new(text);
        pattern.fold();
        pattern
    }

    /// The pattern that matches this text alone.
    pub fn literal(text: &str) -> Self {
        Self { tokens: text.chars().map(|c| Token::one(Class::Just(c))).collect() }
    }

    /// The pattern that a text spells, where its wildcards take only characters of `wild`.
    pub(crate) fn within(text: &str, wild: Class) -> Self {
        let tokens = text.chars().map(|c| match c {
            '*' => Token::many(wild),
            '?' => Token::one(wild),
            _ => Token::one(Class::Just(c)),
        });
        Self { tokens: tokens.collect() }
    }

    pub(crate) fn fold(&mut self) {
        for token in &mut self.tokens {
            if let Class::Just(c) = token.class {
                token.class = Class::Fold(c);
            }
        }
    }

    pub(crate) fn then(mut self, tail: &Self) -> Self {
        self.tokens.extend_from_slice(&tail.tokens);
        self
    }

    /// Whether the whole text matches.
    pub fn matches(&self, text: &str) -> bool {
        // The set of positions that the text read so far can have reached.
        let mut reached = vec![false; self.tokens.len() + 1];
        if let Some(start) = reached.first_mut() {
            *start = true;
        }
        self.close(&mut reached);
        for c in text.chars() {
            let mut next = vec![false; reached.len()];
            for (at, token) in self.tokens.iter().enumerate() {
                if reached.get(at) == Some(&true) && token.class.has(c) {
                    let to = if token.many { at } else { at + 1 };
                    if let Some(slot) = next.get_mut(to) {
                        *slot = true;
                    }
                }
            }
            self.close(&mut next);
            reached = next;
        }
        reached.last() == Some(&true)
    }

    fn close(&self, reached: &mut [bool]) {
        for (at, token) in self.tokens.iter().enumerate() {
            if token.many
                && reached.get(at) == Some(&true)
                && let Some(slot) = reached.get_mut(at + 1)
            {
                *slot = true;
            }
        }
    }
}

/// Whether a text matches a pattern of `*` and `?`; fast, without building anything.
pub fn glob(pattern: &str, text: &str, ignore_case: bool) -> bool {
    let same = |a: char, b: char| a == b || (ignore_case && a.eq_ignore_ascii_case(&b));
    let (mut pattern, mut text) = (pattern.chars(), text.chars());
    let mut retry = None;
    loop {
        let (before_pattern, before_text) = (pattern.clone(), text.clone());
        match (pattern.next(), text.next()) {
            (None, None) => return true,
            (Some('*'), _) => {
                text = before_text;
                retry = Some((pattern.clone(), text.clone()));
                if before_pattern.as_str() == "*" {
                    return true;
                }
            }
            (Some(p), Some(t)) if p == '?' || same(p, t) => {}
            _ => {
                let Some((after, from)) = &mut retry else { return false };
                if from.next().is_none() {
                    return false;
                }
                pattern = after.clone();
                text = from.clone();
            }
        }
    }
}

/// A text that one of `inner` matches and none of `outer`; `None` if there is none, which is a proof of inclusion.
///
/// # Errors
///
/// [`TooLarge`] if neither can be shown within the bound.
pub fn outside(inner: &[Pattern], outer: &[Pattern]) -> Result<Option<String>, TooLarge> {
    let all: Vec<&Pattern> = inner.iter().chain(outer).collect();
    let mut found = None;
    Walk::new(&all).run(|accepting, witness| {
        let inside = accepting.first().is_some_and(|first| *first < inner.len());
        let hit = inside && accepting.last().is_some_and(|last| *last < inner.len());
        if hit {
            found = Some(witness());
        }
        !hit
    })?;
    Ok(found)
}

/// A text that both patterns match; `None` if there is none.
///
/// # Errors
///
/// [`TooLarge`] if neither can be shown within the bound.
pub fn common(one: &Pattern, other: &Pattern) -> Result<Option<String>, TooLarge> {
    let mut found = None;
    Walk::new(&[one, other]).run(|accepting, witness| {
        let hit = accepting.len() == 2;
        if hit {
            found = Some(witness());
        }
        !hit
    })?;
    Ok(found)
}

/// One text for each set of `atoms` that can match together, among the texts that one of `universe` matches (all texts,
/// if it is empty). Every text of the universe agrees with one of these in which atoms match it.
pub(crate) fn representatives(atoms: &[Pattern], universe: &[Pattern]) -> Result<Vec<String>, TooLarge> {
    let atoms: Vec<&Pattern> = atoms.iter().collect::<BTreeSet<_>>().into_iter().collect();
    let anything = [Pattern::new("*")];
    let universe = if universe.is_empty() { &anything[..] } else { universe };
    let all: Vec<&Pattern> = atoms.iter().copied().chain(universe).collect();
    let mut walk = Walk::new(&all);
    walk.needed = atoms.len();
    let mut seen: HashMap<Vec<usize>, usize> = HashMap::new();
    let mut texts: Vec<String> = Vec::new();
    walk.run(|accepting, witness| {
        let universe_at = accepting.partition_point(|index| *index < atoms.len());
        if universe_at == accepting.len() {
            return true;
        }
        // Which member of the universe matches is part of the vector: a user is not a role.
        match seen.get(accepting) {
            None => {
                seen.insert(accepting.to_vec(), texts.len());
                texts.push(witness());
            }
            // A bare prefix such as `arn:aws:s3:::bucket/` is no name that anything has.
            Some(at) => {
                if let Some(text) = texts.get_mut(*at)
                    && (text.is_empty() || text.ends_with(['/', ':']))
                {
                    *text = witness();
                }
            }
        }
        true
    })?;
    Ok(texts)
}

/// The lazily determinised product of several patterns.
struct Walk {
    tokens: Vec<Option<Token>>,
    /// The pattern of each position.
    owner: Vec<usize>,
    starts: Vec<usize>,
    /// Positions before this pattern alone do not keep a state alive.
    needed: usize,
}

type State = Box<[u32]>;

impl Walk {
    fn new(patterns: &[&Pattern]) -> Self {
        let mut walk = Self { tokens: Vec::new(), owner: Vec::new(), starts: Vec::new(), needed: 0 };
        for (index, pattern) in patterns.iter().enumerate() {
            walk.starts.push(walk.tokens.len());
            walk.tokens.extend(pattern.tokens.iter().copied().map(Some));
            walk.tokens.push(None);
            walk.owner.resize(walk.tokens.len(), index);
        }
        walk
    }

    fn token(&self, at: u32) -> Option<Token> {
        self.tokens.get(at as usize).copied().flatten()
    }

    fn owner(&self, at: u32) -> usize {
        self.owner.get(at as usize).copied().unwrap_or(usize::MAX)
    }

    /// With what can be reached without a character, and without what a later `*` of the same pattern covers.
    fn closed(&self, positions: impl Iterator<Item = u32>) -> State {
        let mut all = BTreeSet::new();
        for mut at in positions {
            all.insert(at);
            while self.token(at).is_some_and(|token| token.many) {
                at += 1;
                all.insert(at);
            }
        }
        let mut kept: Vec<u32> = Vec::with_capacity(all.len());
        let mut covered = None;
        for at in all.into_iter().rev() {
            let owner = self.owner(at);
            if covered == Some(owner) {
                continue;
            }
            kept.push(at);
            // Whatever an earlier position accepts passes through this star, which takes anything.
            if self.token(at) == Some(Token::many(Class::Any)) {
                covered = Some(owner);
            }
        }
        kept.reverse();
        kept.into_boxed_slice()
    }

    /// One character for each way on from a state.
    fn characters(&self, state: &[u32]) -> Vec<char> {
        let mut literal: BTreeSet<char> = BTreeSet::new();
        // The case that was written comes first, so that witnesses have it.
        let mut written: Vec<char> = Vec::new();
        let mut digits = false;
        let mut others = false;
        for token in state.iter().filter_map(|at| self.token(*at)) {
            match token.class {
                Class::Just(c) => {
                    literal.insert(c);
                }
                Class::Fold(c) => {
                    if !written.contains(&c) {
                        written.push(c);
                    }
                }
                Class::Any => others = true,
                Class::Not(set) => {
                    others = true;
                    literal.extend(set.chars());
                }
                Class::Digit => digits = true,
            }
        }
        // Both cases of a letter lead on alike, unless something else tells them apart.
        let cases = |c: char| [c.to_ascii_lowercase(), c.to_ascii_uppercase()];
        let told_apart: Vec<char> = written
            .iter()
            .flat_map(|c| cases(*c))
            .filter(|c| cases(*c).iter().any(|c| literal.contains(c)))
            .collect();
        literal.extend(told_apart);
        let is_taken =
            |c: &char| literal.contains(c) || written.iter().any(|own| own.eq_ignore_ascii_case(c));
        let mut all: Vec<char> = Vec::new();
        if others {
            let plain = "xyzwvutsrqponmlkjihgfedcbaXYZWVUTSRQPONMLKJIHGFEDCBA-_".chars();
            all.extend(plain.chain('\u{100}'..).find(|c| !is_taken(c)));
        }
        if digits {
            all.extend(('0'..='9').find(|c| !is_taken(c)));
        }
        literal.retain(|c| !written.contains(c));
        all.extend(written);
        all.extend(literal);
        all
    }

    fn step(&self, state: &[u32], c: char) -> State {
        self.closed(state.iter().filter_map(|at| {
            let token = self.token(*at)?;
            token.class.has(c).then_some(if token.many { *at } else { *at + 1 })
        }))
    }

    /// Visits every reachable state once, nearest first, with the patterns that accept there and a text that leads
    /// there, until `visit` says no.
    fn run(&self, mut visit: impl FnMut(&[usize], &dyn Fn() -> String) -> bool) -> Result<(), TooLarge> {
        let start = self.closed(self.starts.iter().map(|at| u32::try_from(*at).unwrap_or(u32::MAX)));
        let mut known: HashMap<State, usize> = HashMap::from([(start.clone(), 0)]);
        let mut came: Vec<(usize, char)> = vec![(0, ' ')];
        let mut queue = VecDeque::from([(0_usize, start)]);
        while let Some((id, state)) = queue.pop_front() {
            let accepting: Vec<usize> =
                state.iter().filter(|at| self.token(**at).is_none()).map(|at| self.owner(*at)).collect();
            let witness = || {
                let mut text = Vec::new();
                let mut at = id;
                while at != 0 {
                    let Some((before, c)) = came.get(at) else { break };
                    text.push(*c);
                    at = *before;
                }
                text.iter().rev().collect()
            };
            if !visit(&accepting, &witness) {
                return Ok(());
            }
            for c in self.characters(&state) {
                let next = self.step(&state, c);
                if !next.iter().any(|at| self.owner(*at) >= self.needed) {
                    continue;
                }
                if known.contains_key(&next) {
                    continue;
                }
                if known.len() >= STATE_LIMIT {
                    return Err(TooLarge);
                }
                let child = came.len();
                came.push((id, c));
                known.insert(next.clone(), child);
                queue.push_back((child, next));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn patterns(texts: &[&str]) -> Vec<Pattern> {
        texts.iter().map(|text| Pattern::new(text)).collect()
    }

    #[test]
    fn a_union_includes_what_no_single_pattern_does() {
        assert_eq!(outside(&patterns(&["a*"]), &patterns(&["a", "a?", "a??*"])), Ok(None));
        assert_eq!(outside(&patterns(&["a*"]), &patterns(&["a", "a??*"])), Ok(Some("ax".to_owned())));
        assert_eq!(outside(&patterns(&["*a*"]), &patterns(&["*"])), Ok(None));
        assert_eq!(outside(&patterns(&["*?*"]), &patterns(&["?*"])), Ok(None));
        assert_eq!(outside(&patterns(&["*"]), &patterns(&["?*"])), Ok(Some(String::new())));
        assert_eq!(outside(&[], &patterns(&["x"])), Ok(None));
        assert!(
            outside(&[Pattern::ignoring_case("s3:GET*")], &[Pattern::ignoring_case("S3:get*")]) == Ok(None)
        );
    }

    #[test]
    fn an_intersection_has_a_witness_or_is_empty() {
        let both = |a: &str, b: &str| common(&Pattern::new(a), &Pattern::new(b)).expect("small");
        assert_eq!(both("a*", "*b"), Some("ab".to_owned()));
        assert_eq!(both("a*", "b*"), None);
        assert_eq!(both("s3:Get*", "s3:*Acl"), Some("s3:GetAcl".to_owned()));
    }

    #[test]
    fn a_set_of_patterns_of_a_full_document_is_walked_within_the_bound() {
        let many: Vec<Pattern> =
            (0..400).map(|n| Pattern::new(&format!("arn:aws:s3:::bucket-with-a-name/team-{n}/*"))).collect();
        let texts = representatives(&many, &[]).expect("small");
        assert_eq!(texts.len(), 401);
    }

    #[test]
    fn entangled_patterns_are_refused_rather_than_guessed() {
        let many: Vec<Pattern> = ('a'..='z').map(|c| Pattern::new(&format!("*{c}*{c}*"))).collect();
        assert_eq!(representatives(&many, &[]), Err(TooLarge));
    }

    fn words(alphabet: &[char], longest: usize) -> Vec<String> {
        let mut all = vec![String::new()];
        let mut last = all.clone();
        for _ in 0..longest {
            last = last.iter().flat_map(|word| alphabet.iter().map(move |c| format!("{word}{c}"))).collect();
            all.extend(last.iter().cloned());
        }
        all
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1500))]

        #[test]
        fn matching_agrees_with_its_fast_form(pattern in "[ab*?]{0,6}", text in "[abA]{0,6}") {
            prop_assert_eq!(Pattern::new(&pattern).matches(&text), glob(&pattern, &text, false));
            prop_assert_eq!(Pattern::ignoring_case(&pattern).matches(&text), glob(&pattern, &text, true));
        }

        #[test]
        fn inclusion_is_never_refuted_and_its_witness_holds(
            inner in proptest::collection::vec("[ab*?]{0,4}", 1..3),
            outer in proptest::collection::vec("[ab*?]{0,4}", 0..4),
        ) {
            let any = |all: &[String], word: &str| all.iter().any(|pattern| glob(pattern, word, false));
            let languages = |all: &[String]| all.iter().map(|text| Pattern::new(text)).collect::<Vec<_>>();
            match outside(&languages(&inner), &languages(&outer)).expect("small") {
                Some(witness) => prop_assert!(any(&inner, &witness) && !any(&outer, &witness), "{}", witness),
                None => {
                    for word in words(&['a', 'b', 'x'], 5) {
                        prop_assert!(!any(&inner, &word) || any(&outer, &word), "{}", word);
                    }
                }
            }
        }

        #[test]
        fn every_text_agrees_with_a_representative(all in proptest::collection::vec("[ab*?]{0,4}", 0..5)) {
            let vector = |text: &str| all.iter().map(|pattern| glob(pattern, text, false)).collect::<Vec<_>>();
            let atoms: Vec<Pattern> = all.iter().map(|text| Pattern::new(text)).collect();
            let known: Vec<_> =
                representatives(&atoms, &[]).expect("small").iter().map(|text| vector(text)).collect();
            for word in words(&['a', 'b', 'x'], 5) {
                prop_assert!(known.contains(&vector(&word)), "{}", word);
            }
        }
    }
}
