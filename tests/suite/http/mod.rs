//! The binary over HTTP: against a pinned `moto_server` (or the endpoint of `BYOB_TEST_ENDPOINT`) and against
//! `byob sandbox serve`, with boto3 as the witness that knows nothing of byob. Everything here needs Python
//! (`BYOB_TEST_PYTHON`, which tests/run makes); without it the tests say that they are left out.

mod bucket_rows;
mod drift;
mod harness;
mod life;
mod look;
mod proxy;
mod readback;
mod remote;
mod secrets;
mod state_tools;
mod verify;
