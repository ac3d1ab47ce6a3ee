//! How long to wait and how often to try. AWS needs seconds to minutes to agree with itself; other endpoints do not.

use std::time::Duration;

/// Waits between tries, and their bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// The first wait; doubles with each try.
    pub first: Duration,
    /// The longest wait.
    pub longest: Duration,
    /// How long one call is tried (new buckets and keys are known everywhere within two minutes).
    pub call: Duration,
    /// How long a policy is tried whose principals AWS does not know (yet).
    pub principal: Duration,
    /// How long the whole is read back before "not seen yet" is said.
    pub read_back: Duration,
}

impl Pace {
    /// For AWS.
    pub const AWS: Self = Self {
        first: Duration::from_millis(500),
        longest: Duration::from_secs(5),
        call: Duration::from_secs(120),
        principal: Duration::from_secs(60),
        read_back: Duration::from_secs(120),
    };

    /// For the sandbox and other endpoints, which agree with themselves at once or nearly so.
    pub const LOCAL: Self = Self {
        first: Duration::from_millis(5),
        longest: Duration::from_millis(50),
        call: Duration::from_secs(10),
        principal: Duration::from_secs(2),
        read_back: Duration::from_secs(10),
    };

    /// The wait before try number `n` (from 1).
    #[must_use]
    pub fn wait(&self, n: u32) -> Duration {
        self.first.saturating_mul(1 << n.saturating_sub(1).min(16)).min(self.longest)
    }
}
