//! GitHub's expressions, as far as the shipped files use them: paths, strings, `==`, `!=`, `&&`, `||`. Anything else ends
//! the test, so that nothing is taken for true that the runner would not.

use serde_json::Value;

/// A text with the values of its `${{ … }}`.
pub(crate) fn fill(text: &str, context: &Value) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${{") {
        let (expression, after) =
            after.split_once("}}").unwrap_or_else(|| panic!("no end of an expression: {text}"));
        out.push_str(before);
        out.push_str(&as_text(&value(expression, context)));
        rest = after;
    }
    out.push_str(rest);
    out
}

/// Whether a condition holds.
pub(crate) fn holds(expression: &str, context: &Value) -> bool {
    truth(&value(expression, context))
}

fn value(expression: &str, context: &Value) -> Value {
    let expression = expression.trim();
    if let Some((left, right)) = expression.split_once("||") {
        let left = value(left, context);
        return if truth(&left) { left } else { value(right, context) };
    }
    if let Some((left, right)) = expression.split_once("&&") {
        let left = value(left, context);
        return if truth(&left) { value(right, context) } else { left };
    }
    for (operator, equal) in [("==", true), ("!=", false)] {
        if let Some((left, right)) = expression.split_once(operator) {
            let same = as_text(&value(left, context)) == as_text(&value(right, context));
            return Value::Bool(same == equal);
        }
    }
    if let Some(text) = expression.strip_prefix('\'').and_then(|text| text.strip_suffix('\'')) {
        return Value::String(text.to_owned());
    }
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    assert!(
        !expression.is_empty() && expression.chars().all(plain),
        "an expression that is not known: {expression}"
    );
    expression.split('.').fold(context, |at, name| at.get(name).unwrap_or(&Value::Null)).clone()
}

fn truth(value: &Value) -> bool {
    !as_text(value).is_empty() && *value != Value::Bool(false)
}

fn as_text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::Array(_) | Value::Object(_) => panic!("not a text: {value}"),
    }
}
