//! A document as JSON: the value to send, its compact text, and the text for people. Element order and line breaks are
//! decided here and nowhere else, whatever features `serde_json` is built with.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::document::{ActionElement, Document, PrincipalElement, Principals, ResourceElement, Statement};

/// A JSON value whose objects keep their order.
enum Ordered {
    Text(String),
    List(Vec<Self>),
    Table(Vec<(String, Self)>),
}

/// The value to send.
pub(crate) fn value(document: &Document) -> Value {
    plain(ordered(document))
}

/// One statement of the value to send.
pub(crate) fn statement_value(one: &Statement) -> Value {
    plain(statement(one))
}

/// The compact text.
pub(crate) fn compact(document: &Document) -> String {
    let mut out = String::new();
    write_compact(&ordered(document), &mut out);
    out
}

/// The text for people: two spaces a level, one element a line.
pub(crate) fn pretty(document: &Document) -> String {
    let mut out = String::new();
    write_pretty(&ordered(document), 0, &mut out);
    out
}

fn ordered(document: &Document) -> Ordered {
    let mut table = vec![("Version".to_owned(), Ordered::Text(document.version.as_str().to_owned()))];
    if let Some(id) = &document.id {
        table.push(("Id".to_owned(), Ordered::Text(id.clone())));
    }
    table.push(("Statement".to_owned(), Ordered::List(document.statements.iter().map(statement).collect())));
    Ordered::Table(table)
}

fn statement(statement: &Statement) -> Ordered {
    let mut table = Vec::new();
    let mut put = |name: &str, value: Ordered| table.push((name.to_owned(), value));
    if let Some(sid) = &statement.sid {
        put("Sid", Ordered::Text(sid.clone()));
    }
    put("Effect", Ordered::Text(statement.effect.as_str().to_owned()));
    match &statement.principal {
        None => {}
        Some(PrincipalElement::Is(who)) => put("Principal", principals(who)),
        Some(PrincipalElement::Not(who)) => put("NotPrincipal", principals(who)),
    }
    match &statement.action {
        ActionElement::Is(actions) => put("Action", values(actions)),
        ActionElement::Not(actions) => put("NotAction", values(actions)),
    }
    match &statement.resource {
        None => {}
        Some(ResourceElement::Is(resources)) => put("Resource", values(resources)),
        Some(ResourceElement::Not(resources)) => put("NotResource", values(resources)),
    }
    if !statement.condition.is_empty() {
        let keys = |keys: &BTreeMap<String, Vec<String>>| {
            Ordered::Table(keys.iter().map(|(key, all)| (key.clone(), values(all))).collect())
        };
        let operators =
            statement.condition.iter().map(|(operator, all)| (operator.clone(), keys(all))).collect();
        put("Condition", Ordered::Table(operators));
    }
    Ordered::Table(table)
}

fn principals(principals: &Principals) -> Ordered {
    if principals.is_anyone() {
        return Ordered::Text("*".to_owned());
    }
    Ordered::Table(principals.0.iter().map(|(kind, all)| (kind.clone(), values(all))).collect())
}

fn values(all: &[String]) -> Ordered {
    match all {
        [one] => Ordered::Text(one.clone()),
        many => Ordered::List(many.iter().cloned().map(Ordered::Text).collect()),
    }
}

fn plain(value: Ordered) -> Value {
    match value {
        Ordered::Text(text) => Value::String(text),
        Ordered::List(items) => Value::Array(items.into_iter().map(plain).collect()),
        Ordered::Table(entries) => {
            Value::Object(entries.into_iter().map(|(key, value)| (key, plain(value))).collect::<Map<_, _>>())
        }
    }
}

fn write_text(text: &str, out: &mut String) {
    // The `Display` of a JSON string is its quoted and escaped text.
    out.push_str(&Value::from(text).to_string());
}

fn write_compact(value: &Ordered, out: &mut String) {
    match value {
        Ordered::Text(text) => write_text(text, out),
        Ordered::List(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                out.push_str(if index == 0 { "" } else { "," });
                write_compact(item, out);
            }
            out.push(']');
        }
        Ordered::Table(entries) => {
            out.push('{');
            for (index, (key, item)) in entries.iter().enumerate() {
                out.push_str(if index == 0 { "" } else { "," });
                write_text(key, out);
                out.push(':');
                write_compact(item, out);
            }
            out.push('}');
        }
    }
}

fn write_pretty(value: &Ordered, level: usize, out: &mut String) {
    let line = |out: &mut String, level: usize| {
        out.push('\n');
        out.extend(std::iter::repeat_n("  ", level));
    };
    match value {
        Ordered::Text(text) => write_text(text, out),
        Ordered::List(items) if items.is_empty() => out.push_str("[]"),
        Ordered::Table(entries) if entries.is_empty() => out.push_str("{}"),
        Ordered::List(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                out.push_str(if index == 0 { "" } else { "," });
                line(out, level + 1);
                write_pretty(item, level + 1, out);
            }
            line(out, level);
            out.push(']');
        }
        Ordered::Table(entries) => {
            out.push('{');
            for (index, (key, item)) in entries.iter().enumerate() {
                out.push_str(if index == 0 { "" } else { "," });
                line(out, level + 1);
                write_text(key, out);
                out.push_str(": ");
                write_pretty(item, level + 1, out);
            }
            line(out, level);
            out.push('}');
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::document::Document;

    const TEXT: &str = r#"{
        "Statement": {"Condition": {"Bool": {"aws:SecureTransport": false}, "StringLike": {"s3:prefix": []}},
            "Resource": ["arn:aws:s3:::b/\u00e9\u0001", "arn:aws:s3:::b"], "NotAction": ["s3:Get*"],
            "Principal": "*", "Effect": "Deny", "Sid": "a\"b"},
        "Id": "x", "Version": "2012-10-17"}"#;

    #[test]
    fn the_compact_text_has_awss_order_and_reads_back_as_the_same_document() {
        let document = Document::parse(TEXT).expect("a policy");
        let compact = document.to_json();
        assert_eq!(
            compact,
            "{\"Version\":\"2012-10-17\",\"Id\":\"x\",\"Statement\":[{\"Sid\":\"a\\\"b\",\"Effect\":\"Deny\",\
             \"Principal\":\"*\",\"NotAction\":\"s3:Get*\",\"Resource\":[\"arn:aws:s3:::b/é\\u0001\",\"arn:aws:s3:::b\"],\
             \"Condition\":{\"Bool\":{\"aws:SecureTransport\":\"false\"},\"StringLike\":{\"s3:prefix\":[]}}}]}"
        );
        assert_eq!(Document::parse(&compact).expect("reads back"), document);
        assert_eq!(Document::from_value(&document.to_value()).expect("reads back"), document);
        let serde: Document =
            serde_json::from_str(&serde_json::to_string(&document).expect("json")).expect("json");
        assert_eq!(serde, document);
    }

    #[test]
    fn the_text_for_people_is_made_for_line_diffs() {
        let document = Document::parse(TEXT).expect("a policy");
        assert_eq!(
            document.canonical_pretty(),
            r#"{
  "Version": "2012-10-17",
  "Id": "x",
  "Statement": [
    {
      "Sid": "a\"b",
      "Effect": "Deny",
      "Principal": {
        "AWS": "*"
      },
      "NotAction": "s3:Get*",
      "Resource": [
        "arn:aws:s3:::b",
        "arn:aws:s3:::b/é\u0001"
      ],
      "Condition": {
        "Bool": {
          "aws:SecureTransport": "false"
        },
        "StringLike": {
          "s3:prefix": []
        }
      }
    }
  ]
}"#
        );
        assert_eq!(
            Document::new(vec![]).canonical_pretty(),
            "{\n  \"Version\": \"2012-10-17\",\n  \"Statement\": []\n}"
        );
    }
}
