//! A small element tree for the documents that S3 takes: enough to check them and to write them down again in one
//! spelling. No attributes, no namespaces: S3's documents need none but the root's.

use quick_xml::Reader;
use quick_xml::events::Event;

/// S3's document namespace.
pub(crate) const S3_NAMESPACE: &str = "http://s3.amazonaws.com/doc/2006-03-01/";

/// One element: its local name, its text and its children in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Element {
    pub(crate) name: String,
    pub(crate) text: String,
    pub(crate) children: Vec<Self>,
}

impl Element {
    /// Reads a document; `None` if it is not one well-formed element.
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(bytes).ok()?;
        let mut reader = Reader::from_str(text);
        let mut open: Vec<Self> = Vec::new();
        let mut root = None;
        loop {
            match reader.read_event().ok()? {
                Event::Start(start) => open.push(Self::named(start.local_name().as_ref())?),
                Event::Empty(start) => {
                    let element = Self::named(start.local_name().as_ref())?;
                    close(element, &mut open, &mut root)?;
                }
                Event::Text(text) => {
                    if let Some(element) = open.last_mut() {
                        element.text.push_str(&text.unescape().ok()?);
                    }
                }
                Event::CData(data) => {
                    if let Some(element) = open.last_mut() {
                        element.text.push_str(std::str::from_utf8(&data).ok()?);
                    }
                }
                Event::End(_) => {
                    let mut element = open.pop()?;
                    if !element.children.is_empty() {
                        element.text.clear();
                    }
                    close(element, &mut open, &mut root)?;
                }
                Event::Eof => return if open.is_empty() { root } else { None },
                _ => {}
            }
        }
    }

    fn named(name: &[u8]) -> Option<Self> {
        let name = std::str::from_utf8(name).ok()?.to_owned();
        Some(Self { name, text: String::new(), children: Vec::new() })
    }

    /// The first child of that name.
    pub(crate) fn child(&self, name: &str) -> Option<&Self> {
        self.children.iter().find(|child| child.name == name)
    }

    /// All children of that name.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Self> {
        self.children.iter().filter(move |child| child.name == name)
    }

    /// The trimmed text of the first child of that name.
    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        self.child(name).map(|child| child.text.trim())
    }

    /// The document with S3's namespace on its root.
    pub(crate) fn to_document(&self) -> String {
        let mut out = format!("<{} xmlns=\"{S3_NAMESPACE}\">", self.name);
        self.write_inside(&mut out);
        out.push_str(&format!("</{}>", self.name));
        out
    }

    fn write(&self, out: &mut String) {
        out.push_str(&format!("<{}>", self.name));
        self.write_inside(out);
        out.push_str(&format!("</{}>", self.name));
    }

    fn write_inside(&self, out: &mut String) {
        if self.children.is_empty() {
            out.push_str(&escape(&self.text));
        }
        for child in &self.children {
            child.write(out);
        }
    }
}

fn close(element: Element, open: &mut [Element], root: &mut Option<Element>) -> Option<()> {
    match open.last_mut() {
        Some(parent) => parent.children.push(element),
        None if root.is_none() => *root = Some(element),
        None => return None,
    }
    Some(())
}

/// Text made safe between tags.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\r' => out.push_str("&#13;"),
            _ => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_comes_back_in_one_spelling() {
        let parsed =
            Element::parse(b"<?xml version='1.0'?>\n<a xmlns='x'>\n <b>1 &amp; 2</b>\n <c/>\n</a>").unwrap();
        assert_eq!(parsed.to_document(), format!("<a xmlns=\"{S3_NAMESPACE}\"><b>1 &amp; 2</b><c></c></a>"));
    }

    #[test]
    fn what_is_not_one_element_is_no_document() {
        for broken in ["", "<a>", "<a></b>", "<a/><b/>", "text"] {
            assert_eq!(Element::parse(broken.as_bytes()), None, "{broken}");
        }
    }
}
