//! The lines of the configuration that findings and drift are about.

use byob_model::address::Address;
use byob_model::config::Configuration;
use byob_model::diagnostic::Span;
use byob_plan::finding::{Finding, Rule};

/// The configuration as a file.
#[derive(Debug, Clone, Copy)]
pub struct ConfigFile<'a> {
    /// Its path, as others have to name it: from the top of the repository.
    pub path: &'a str,
    /// What stands in it.
    pub text: &'a str,
    /// What that means.
    pub config: &'a Configuration,
}

impl ConfigFile<'_> {
    /// The line (from 1) to edit who wants an address otherwise; 1 where the file does not know it.
    #[must_use]
    pub fn line(&self, address: &Address) -> usize {
        self.line_at(self.config.place(address))
    }

    /// The line that a finding is about: of what is said of a waiver, the waiver's.
    #[must_use]
    pub fn line_of(&self, finding: &Finding) -> usize {
        let of_waiver = matches!(finding.rule, Rule::WaiverPastDate | Rule::WaiverIdle | Rule::WaiverLong);
        let waiver = self.config.place_of_waiver(&finding.address).filter(|_| of_waiver);
        self.line_at(waiver.or_else(|| self.config.place(&finding.address)))
    }

    fn line_at(&self, span: Option<Span>) -> usize {
        let before = span.and_then(|span| self.text.get(..span.start)).unwrap_or_default();
        before.matches('\n').count() + 1
    }
}
