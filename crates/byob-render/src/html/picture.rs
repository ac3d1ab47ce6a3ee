//! Where everything stands in the picture of who reaches what: principals on the left, buckets and keys on the right; on a
//! narrow page one below the other. Numbers only; what is said is decided elsewhere, and how it looks by the style sheet.

use serde::Serialize;

use super::reach::{Edge, Graph, Mark};

/// Pixels a line of text is high.
const LINE: usize = 17;
/// Pixels between a box's edge and its text.
const PAD: usize = 10;
/// Pixels between boxes.
const GAP: usize = 18;

/// A picture, in pixels.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(super) struct Picture {
    pub width: usize,
    pub height: usize,
    pub boxes: Vec<Box>,
    pub arrows: Vec<Arrow>,
}

/// A principal, or buckets or keys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Box {
    pub x: usize,
    pub y: usize,
    pub width: usize,
    pub height: usize,
    /// `who`, `bucket` or `key`.
    pub class: &'static str,
    pub lines: Vec<Text>,
    /// All of it, where the lines are cut.
    pub whole: String,
}

/// A line of text; `y` is its baseline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Text {
    pub x: usize,
    pub y: usize,
    pub class: &'static str,
    pub spans: Vec<Span>,
}

/// A part of a line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Span {
    pub class: &'static str,
    pub text: String,
}

/// One arrow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Arrow {
    pub mark: Mark,
    pub sign: &'static str,
    /// The line, and its head.
    pub path: String,
    pub head: String,
    /// Where the sign stands.
    pub x: usize,
    pub y: usize,
    pub lines: Vec<Text>,
}

/// A column of text, in characters of the two faces.
#[derive(Debug, Clone, Copy)]
struct Room {
    bold: usize,
    small: usize,
    label: usize,
}

/// The picture for a page that is wide.
pub(super) fn wide(graph: &Graph) -> Picture {
    const WIDTH: usize = 960;
    const LEFT: usize = 250;
    const LABEL: usize = 412;
    const RIGHT: usize = 712;
    let room = Room { bold: 27, small: 33, label: 36 };
    let mut picture = Picture { width: WIDTH, ..Picture::default() };
    let mut y = 2;
    // Where the line of each arrow runs.
    let mut levels: Vec<usize> = Vec::new();
    for (at, roots) in graph.roots.iter().enumerate() {
        let top = y;
        for edge in graph.edges.iter().filter(|edge| edge.roots == at) {
            let lines = labels(edge, room.label);
            let start = y + PAD;
            let level = start + lines.len() * LINE + 4;
            let mut texts: Vec<Text> = stacked(lines, LABEL + 18, start);
            let below = below(edge, room.small + 6);
            y = level + below.len() * LINE + PAD;
            texts.extend(
                below
                    .into_iter()
                    .enumerate()
                    .map(|(n, line)| text(LABEL + 18, level + 16 + n * LINE, "carrier", line)),
            );
            picture.arrows.push(Arrow {
                mark: edge.mark,
                sign: edge.mark.sign(),
                path: String::new(),
                head: head_right(RIGHT, level),
                x: LABEL,
                y: level,
                lines: texts,
            });
            levels.push(level);
        }
        let kind = if roots.is_key { "key" } else { "bucket" };
        let words = named(&roots.title, &roots.names, room, RIGHT + PAD);
        let height = (y - top).max(words.len() * LINE + 2 * PAD);
        picture.boxes.push(boxed(
            (RIGHT, top, WIDTH - RIGHT - 2, height),
            kind,
            words,
            (&roots.title, &roots.names),
        ));
        y = top + height + GAP;
    }
    let right = y;
    // Each principal beside the middle of what it reaches, in the order of those.
    let mut column: Vec<(usize, usize)> = (0..graph.who.len())
        .map(|who| {
            let own: Vec<usize> = graph
                .edges
                .iter()
                .zip(&levels)
                .filter(|(edge, _)| edge.who == who)
                .map(|(_, level)| *level)
                .collect();
            (own.iter().sum::<usize>() / own.len().max(1), who)
        })
        .collect();
    column.sort_unstable();
    let mut bottom = 2;
    let mut boxes: Vec<(usize, usize)> = vec![(0, 0); graph.who.len()];
    for (middle, at) in column {
        let Some(who) = graph.who.get(at) else { continue };
        let words = named(&who.title, &who.names, room, PAD + 2);
        let ports = graph.edges.iter().filter(|edge| edge.who == at).count();
        let height = (words.len() * LINE + 2 * PAD).max(ports * 8 + 2 * PAD);
        let top = middle.saturating_sub(height / 2).max(bottom);
        bottom = top + height + GAP;
        picture.boxes.push(boxed((2, top, LEFT - 2, height), "who", words, (&who.title, &who.names)));
        if let Some(place) = boxes.get_mut(at) {
            *place = (top, height);
        }
    }
    let mut used = vec![0; graph.who.len()];
    for (edge, arrow) in graph.edges.iter().zip(&mut picture.arrows) {
        let (top, height) = boxes.get(edge.who).copied().unwrap_or_default();
        let ports = graph.edges.iter().filter(|other| other.who == edge.who).count();
        let port = used.get(edge.who).copied().unwrap_or_default();
        if let Some(used) = used.get_mut(edge.who) {
            *used += 1;
        }
        let from = top + height * (port + 1) / (ports + 1);
        let bend = (LEFT + LABEL) / 2;
        arrow.path = format!(
            "M{LEFT} {from}C{bend} {from} {bend} {y} {LABEL} {y}H{end}",
            y = arrow.y,
            end = RIGHT - 8
        );
    }
    picture.height = right.max(bottom).saturating_sub(GAP) + 2;
    picture
}

/// The picture for a page that is narrow: each bucket or key, and below it who reaches it.
pub(super) fn narrow(graph: &Graph) -> Picture {
    const WIDTH: usize = 328;
    const SPINE: usize = 16;
    const SIGN: usize = 40;
    const TEXT: usize = 58;
    let room = Room { bold: 36, small: 42, label: 34 };
    let mut picture = Picture { width: WIDTH, ..Picture::default() };
    let mut y = 2;
    for (at, roots) in graph.roots.iter().enumerate() {
        let kind = if roots.is_key { "key" } else { "bucket" };
        let words = named(&roots.title, &roots.names, room, PAD + 2);
        let height = words.len() * LINE + 2 * PAD;
        picture.boxes.push(boxed((2, y, WIDTH - 4, height), kind, words, (&roots.title, &roots.names)));
        let bottom = y + height;
        y = bottom + PAD;
        for edge in graph.edges.iter().filter(|edge| edge.roots == at) {
            let who = graph.who.get(edge.who);
            let mut lines: Vec<(&'static str, Vec<Span>)> =
                fold(who.map(|who| who.title.as_str()).unwrap_or_default(), 31, 3)
                    .into_iter()
                    .map(|text| ("title", vec![Span { class: "plain", text }]))
                    .collect();
            let level = y + LINE - 5;
            lines.extend(labels(edge, room.label));
            let mut texts = stacked(lines, TEXT, y);
            let end = y + texts.len() * LINE;
            let below = below(edge, room.small - 4);
            let after = end + below.len() * LINE + PAD;
            texts.extend(
                below
                    .into_iter()
                    .enumerate()
                    .map(|(n, line)| text(TEXT, end + 13 + n * LINE, "carrier", line)),
            );
            picture.arrows.push(Arrow {
                mark: edge.mark,
                sign: edge.mark.sign(),
                path: format!("M{} {level}H{SPINE}V{}", SIGN + 12, bottom + 8),
                head: head_up(SPINE, bottom),
                x: SIGN,
                y: level,
                lines: texts,
            });
            y = after;
        }
        y += GAP;
    }
    picture.height = y.saturating_sub(GAP) + 2;
    picture
}

/// `(x, y, width, height)`; the words are put in its middle.
fn boxed(
    (x, y, width, height): (usize, usize, usize, usize),
    class: &'static str,
    words: Vec<Text>,
    (title, names): (&str, &str),
) -> Box {
    let free = height - (words.len() * LINE).min(height);
    let lines = words.into_iter().map(|line| Text { y: line.y + y + free / 2, ..line }).collect();
    let whole = if names.is_empty() { title.to_owned() } else { format!("{title}: {names}") };
    Box { x, y, width, height, class, lines, whole }
}

/// Title and names, from 0 downwards.
fn named(title: &str, names: &str, room: Room, x: usize) -> Vec<Text> {
    let bold =
        fold(title, room.bold, 3).into_iter().map(|text| ("title", vec![Span { class: "plain", text }]));
    let small =
        fold(names, room.small, 3).into_iter().map(|text| ("names", vec![Span { class: "plain", text }]));
    stacked(bold.chain(small.filter(|_| !names.is_empty())).collect(), x, 0)
}

fn stacked(lines: Vec<(&'static str, Vec<Span>)>, x: usize, top: usize) -> Vec<Text> {
    let line = |(n, (class, spans)): (usize, (&'static str, Vec<Span>))| {
        // A baseline stands a quarter of the line above its end.
        Text { x, y: top + (n + 1) * LINE - 4, class, spans }
    };
    lines.into_iter().enumerate().map(line).collect()
}

fn text(x: usize, y: usize, class: &'static str, text: String) -> Text {
    Text { x, y, class, spans: vec![Span { class: "plain", text }] }
}

/// What an arrow says, in lines of at most so many characters.
fn labels(edge: &Edge, width: usize) -> Vec<(&'static str, Vec<Span>)> {
    let mut lines = Vec::new();
    for one in &edge.lines {
        let mut spans = vec![Span { class: "class", text: format!("{}: ", one.class) }];
        let mut used = columns(one.class) + 2;
        for (n, chunk) in one.chunks.iter().enumerate() {
            let comma = if n + 1 < one.chunks.len() { ", " } else { "" };
            let text = format!("{}{comma}", chunk.text);
            if used + columns(text.trim_end()) > width {
                lines.push(("label", std::mem::take(&mut spans)));
                used = 2;
                spans.push(Span { class: "plain", text: "\u{2003}".to_owned() });
            }
            used += columns(&text);
            spans.push(Span { class: chunk.fate, text });
        }
        lines.push(("label", spans));
    }
    lines
}

/// What carries an arrow, and on what conditions.
fn below(edge: &Edge, width: usize) -> Vec<String> {
    let mut lines = vec![format!("by the {}", edge.carrier)];
    if !edge.conditions.is_empty() {
        lines.extend(fold(&edge.conditions, width, 3));
    }
    lines
}

fn head_right(x: usize, y: usize) -> String {
    format!("M{x} {y}L{} {}V{}Z", x - 9, y - 5, y + 5)
}

fn head_up(x: usize, y: usize) -> String {
    format!("M{x} {y}L{} {}H{}Z", x - 5, y + 9, x + 5)
}

/// How much room a text takes, in characters: those of East Asian scripts take two.
fn columns(text: &str) -> usize {
    crate::escape::escape(text)
        .chars()
        .map(|c| if c >= '\u{1100}' && !('\u{2000}'..'\u{2e80}').contains(&c) { 2 } else { 1 })
        .sum()
}

/// At most so many lines of a text, broken at spaces and behind what joins the parts of a name, a longer part anywhere.
fn fold(text: &str, width: usize, most: usize) -> Vec<String> {
    let text = crate::escape::escape(text);
    let mut lines: Vec<String> = Vec::new();
    let mut line = String::new();
    let parts = text.split_inclusive(|c: char| c.is_whitespace() || "/:,-_.".contains(c));
    for part in parts {
        if !line.is_empty() && columns(&line) + columns(part.trim_end()) > width {
            lines.push(std::mem::take(&mut line));
        }
        for c in part.chars() {
            if columns(&line) + columns(c.encode_utf8(&mut [0; 4])) > width && !c.is_whitespace() {
                lines.push(std::mem::take(&mut line));
            }
            line.push(c);
        }
    }
    lines.push(line);
    let cut = lines.len() > most;
    lines.truncate(most);
    if let (true, Some(last)) = (cut, lines.last_mut()) {
        while columns(last) >= width && last.pop().is_some() {}
        last.push('…');
    }
    lines.into_iter().map(|line| line.trim().to_owned()).collect()
}
