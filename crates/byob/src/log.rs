//! Where talk goes: lines of text, or with `--log-format json` one JSON object a line. And the calls to AWS, which
//! `byob-aws` tells as spans of `tracing`, as such lines: in JSON always, in text with `--verbose`. Spans and events of
//! other crates are not looked at: those of the SDK hold key ids and headers.

use std::ffi::OsString;
use std::fmt;
use std::sync::OnceLock;
use std::time::Instant;

use byob_render::{Fields, Level, call_text, log_line};
use serde_json::Value;
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::Interest;
use tracing::{Event, Metadata, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};
use tracing_subscriber::registry::{LookupSpan, Registry, SpanRef};

use crate::cli::{Global, LogFormat};
use crate::terminal;

static FORMAT: OnceLock<LogFormat> = OnceLock::new();

/// The span that is a line of its own when it closes; others only add their fields to what happens inside them.
const CALL: &str = "call";

/// Settles the format, once, and begins to listen.
pub(crate) fn begin(global: &Global) {
    let format = *FORMAT.get_or_init(|| global.log_format);
    if format == LogFormat::Json || global.verbose {
        // Only a second one could be refused.
        let _ = tracing::subscriber::set_global_default(Registry::default().with(Calls { format }));
    }
}

/// Settles the format for an error of the command line itself, which no parsed flag belongs to.
pub(crate) fn begin_by_arguments() {
    let arguments: Vec<OsString> = std::env::args_os().skip(1).take_while(|a| a != "--").collect();
    let json = arguments.iter().any(|one| one == "--log-format=json")
        || arguments.windows(2).any(|two| two[0] == "--log-format" && two[1] == "json");
    FORMAT.get_or_init(|| if json { LogFormat::Json } else { LogFormat::Text });
}

/// Whether every line on stderr is to be JSON.
pub(crate) fn is_json() -> bool {
    FORMAT.get() == Some(&LogFormat::Json)
}

/// Writes a line of JSON.
pub(crate) fn write(level: Level, event: &str, fields: Fields) {
    let now = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string();
    terminal::line(&log_line(&now, level, event, fields));
}

/// Fields by their names.
pub(crate) fn fields<const N: usize>(named: [(&str, Value); N]) -> Fields {
    named.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// Listens to byob's own spans.
struct Calls {
    format: LogFormat,
}

/// What a span has said of itself until now.
struct Said {
    fields: Fields,
    since: Instant,
}

/// Whether spans and events of this target are byob's own.
fn is_ours(target: &str) -> bool {
    let root = target.split("::").next().unwrap_or_default();
    root == "byob" || root.starts_with("byob_")
}

impl Calls {
    fn tell<S>(&self, event: &str, own: Fields, around: Option<&SpanRef<'_, S>>)
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        // The inner ones say it more exactly.
        let mut fields = Fields::new();
        for span in around.into_iter().flat_map(SpanRef::scope).collect::<Vec<_>>().into_iter().rev() {
            if let Some(said) = span.extensions().get::<Said>() {
                fields.extend(said.fields.clone());
            }
        }
        fields.extend(own);
        match self.format {
            LogFormat::Json => write(Level::Debug, event, fields),
            LogFormat::Text => terminal::line(&call_text(event, &fields)),
        }
    }
}

impl<S> Layer<S> for Calls
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        if is_ours(metadata.target()) { Interest::always() } else { Interest::never() }
    }

    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        is_ours(metadata.target())
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(LevelFilter::DEBUG)
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut fields = Fields::new();
        attributes.record(&mut Reader(&mut fields));
        if let Some(span) = context.span(id) {
            span.extensions_mut().insert(Said { fields, since: Instant::now() });
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        if let Some(span) = context.span(id)
            && let Some(said) = span.extensions_mut().get_mut::<Said>()
        {
            values.record(&mut Reader(&mut said.fields));
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut fields = Fields::new();
        event.record(&mut Reader(&mut fields));
        self.tell(event.metadata().name(), fields, context.event_span(event).as_ref());
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        let Some(span) = context.span(&id).filter(|span| span.name() == CALL) else { return };
        let since = span.extensions().get::<Said>().map(|said| said.since.elapsed().as_millis());
        let elapsed = since.and_then(|since| u64::try_from(since).ok());
        self.tell(CALL, fields([("elapsed_ms", elapsed.into())]), Some(&span));
    }
}

/// Fields of a span or an event as JSON.
struct Reader<'a>(&'a mut Fields);

impl Reader<'_> {
    fn put(&mut self, field: &Field, value: Value) {
        self.0.insert(field.name().to_owned(), value);
    }
}

impl Visit for Reader<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value.into());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, format!("{value:?}").into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_byobs_own_spans_are_looked_at() {
        for ours in ["byob", "byob::log", "byob_aws::trace", "byob_apply::run"] {
            assert!(is_ours(ours), "{ours}");
        }
        for others in ["aws_config::meta::credentials::chain", "hyper", "byobb", "h2::byob", ""] {
            assert!(!is_ours(others), "{others}");
        }
    }
}
