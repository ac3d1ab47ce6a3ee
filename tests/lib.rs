//! Home of the integration tests; the tests are in `suite/`.
