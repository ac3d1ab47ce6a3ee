//! The checks that prove the access to a bucket: pure judgements over a `Probe` trait.
