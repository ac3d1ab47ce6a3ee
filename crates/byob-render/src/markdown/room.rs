//! How much fits into a comment, and what has to stay out. Whatever is left out is counted, and said at the end.

use std::cell::Cell;

use super::markup::{LONG, is_long, prose};

/// A comment of more than 65,536 characters is refused; how they are counted is not known. A text of fewer bytes has
/// fewer characters in every encoding. The rest is a margin.
pub(crate) const LIMIT: usize = 60_000;

/// What is kept for each part that is still to come.
pub(crate) const SHARE: usize = 3_000;

/// What is kept for the sentences about what was left out.
const LEFT_OUT: usize = 1_000;

/// A comment that is being written.
pub(crate) struct Comment {
    text: String,
    limit: usize,
    left_out: Vec<String>,
    /// Whether a text was cut.
    cut: Cell<bool>,
}

impl Comment {
    /// `end` is what the comment must end with, whatever happens.
    pub(crate) fn new(end: &str) -> Self {
        Self {
            text: String::new(),
            limit: LIMIT.saturating_sub(end.len() + LEFT_OUT),
            left_out: Vec::new(),
            cut: Cell::new(false),
        }
    }

    /// What must stand there.
    pub(crate) fn push(&mut self, text: &str) {
        self.text.push_str(text);
    }

    /// A sentence with words from outside in it; remembers whether it had to be cut.
    pub(crate) fn text(&self, text: &str) -> String {
        self.cut.set(self.cut.get() || is_long(text));
        prose(text)
    }

    /// An empty line, unless there is one.
    pub(crate) fn gap(&mut self) {
        if !self.text.is_empty() && !self.text.ends_with("\n\n") {
            self.text.push('\n');
        }
    }

    /// Bytes that may still be written if so many parts are to come.
    pub(crate) fn room(&self, parts: usize) -> usize {
        self.limit.saturating_sub(self.text.len() + parts * SHARE)
    }

    /// What there is room for; what there is none for is left out and named.
    pub(crate) fn offer(&mut self, text: &str, parts: usize, what: &str) {
        if text.len() <= self.room(parts) {
            self.push(text);
        } else {
            self.leave_out(what.to_owned());
        }
    }

    /// As many items, in their order, as there is room for; `more` is the line that counts the rest, and `what` is what
    /// they are. `head` stands above them, if there are any.
    pub(crate) fn items(
        &mut self,
        head: &str,
        items: &[String],
        parts: usize,
        more: impl Fn(usize) -> String,
        what: &str,
    ) {
        self.some(head, items, usize::MAX, parts, more, what);
    }

    /// The same, of no more than `most` items.
    pub(crate) fn some(
        &mut self,
        head: &str,
        items: &[String],
        most: usize,
        parts: usize,
        more: impl Fn(usize) -> String,
        what: &str,
    ) {
        if items.is_empty() {
            return;
        }
        let fits = fitting(items, self.room(parts).saturating_sub(head.len()), &more).min(most);
        self.push(head);
        items.iter().take(fits).for_each(|item| self.push(item));
        if fits < items.len() {
            self.push(&more(items.len() - fits));
            self.leave_out(format!("{} of {} {what}", items.len() - fits, items.len()));
        }
    }

    /// Notes that something was left out.
    pub(crate) fn leave_out(&mut self, what: String) {
        self.left_out.push(what);
    }

    /// The comment. `whole`: the command that prints everything.
    pub(crate) fn finish(mut self, whole: &str, end: &str) -> String {
        if self.cut.get() {
            self.leave_out(format!("the ends of texts of more than {LONG} characters"));
        }
        if !self.left_out.is_empty() {
            self.gap();
            let what = self.left_out.join("; ");
            self.push(&format!(
                "**Left out here**, because a comment holds 65,536 characters: {what}. {whole} prints all of it; in a \
                 pipeline, so does the job's log.\n"
            ));
        }
        self.gap();
        self.push(end);
        self.text
    }
}

/// How many items fit, with the line that counts the rest.
pub(crate) fn fitting(items: &[String], room: usize, more: &impl Fn(usize) -> String) -> usize {
    if items.iter().map(String::len).sum::<usize>() <= room {
        return items.len();
    }
    let mut left = room.saturating_sub(more(items.len()).len());
    let mut fits = 0;
    for item in items {
        let Some(rest) = left.checked_sub(item.len()) else { break };
        (left, fits) = (rest, fits + 1);
    }
    fits
}
