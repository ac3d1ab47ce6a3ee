//! How an apply shows itself while it runs: bars on a terminal, plain lines elsewhere. Only consumes events.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::IsTerminal;

use byob_model::RootAddress;
use byob_plan::Plan;
use byob_plan::event::Event;
use byob_render::{Style, event_line, log_event};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use crate::cli::Global;
use crate::log;
use crate::terminal;

/// How many bars are shown at once; more roots than that share one.
const BARS: usize = 12;

/// Shows events.
pub(crate) struct Progress {
    style: Style,
    verbose: bool,
    bars: Option<Bars>,
}

struct Bars {
    by_root: BTreeMap<RootAddress, ProgressBar>,
    shared: ProgressBar,
    failed: RefCell<Vec<String>>,
    // Draws them; dropped last.
    _all: MultiProgress,
}

impl Progress {
    pub(crate) fn new(global: &Global, plan: &Plan) -> Self {
        let style = terminal::talk_style(global);
        // Bars and lines do not go together.
        let lines = global.verbose || log::is_json() || !std::io::stderr().is_terminal();
        let bars = (!lines).then(|| bars(plan)).flatten();
        Self { style, verbose: global.verbose, bars }
    }

    pub(crate) fn show(&self, event: &Event) {
        if log::is_json() {
            let (level, name, fields) = log_event(event);
            return log::write(level, name, fields);
        }
        let Some(bars) = &self.bars else {
            // What was not started stands in the account at the end.
            let quiet = matches!(
                event,
                Event::Started { .. }
                    | Event::Retrying { .. }
                    | Event::ReadingBack { .. }
                    | Event::Skipped { .. }
            );
            if (self.verbose || !quiet)
                && let Some(line) = event_line(event, &self.style)
            {
                terminal::say(&line);
            }
            return;
        };
        match event {
            Event::Started { address, .. } => {
                bars.of(&address.root()).set_message(address.kind.aspect().unwrap_or("").to_owned());
            }
            Event::Retrying { address, .. } => {
                bars.of(&address.root())
                    .set_message(format!("{} (trying again)", address.kind.aspect().unwrap_or("")));
            }
            Event::Done { address, .. } => bars.of(&address.root()).inc(1),
            Event::Failed { address, .. } | Event::Skipped { address, .. } => {
                bars.failed.borrow_mut().push(address.to_string());
            }
            Event::ReadingBack { waiting, .. } => {
                bars.shared.set_message(format!("reading back, {waiting} not seen yet"));
            }
        }
    }

    /// Takes the bars off the screen.
    pub(crate) fn end(&self) {
        if let Some(bars) = &self.bars {
            for bar in bars.by_root.values().chain([&bars.shared]) {
                bar.finish_and_clear();
            }
        }
    }
}

impl Bars {
    fn of(&self, root: &RootAddress) -> &ProgressBar {
        self.by_root.get(root).unwrap_or(&self.shared)
    }
}

fn bars(plan: &Plan) -> Option<Bars> {
    let mut counts: BTreeMap<RootAddress, u64> = BTreeMap::new();
    for step in &plan.steps {
        *counts.entry(step.address.root()).or_default() += 1;
    }
    let style = ProgressStyle::with_template("  {prefix:<24} {bar:20} {pos}/{len}   {msg}").ok()?;
    let all = MultiProgress::new();
    let bar = |name: String, length: u64| {
        let bar = all.add(ProgressBar::new(length).with_style(style.clone()).with_prefix(name));
        bar.tick();
        bar
    };
    let own: Vec<(RootAddress, u64)> = counts.iter().take(BARS).map(|(r, n)| (r.clone(), *n)).collect();
    let rest: u64 = counts.values().skip(BARS).sum();
    let by_root = own.into_iter().map(|(root, n)| (root.clone(), bar(root.to_string(), n))).collect();
    let name = if rest == 0 { "all".to_owned() } else { format!("{} more", counts.len() - BARS) };
    let shared = bar(name, rest);
    Some(Bars { by_root, shared, failed: RefCell::new(Vec::new()), _all: all })
}
