//! What a peer raises, and how its panics become exceptions.

use std::any::Any;
use std::panic::{catch_unwind, AssertUnwindSafe};

use pyo3::create_exception;
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;

create_exception!(
    dcl_comms_rtc,
    RtcError,
    PyRuntimeError,
    "The other side, or the caller, did what can't be done here; the text says what."
);
create_exception!(
    dcl_comms_rtc,
    RtcPanic,
    RtcError,
    "A fault of the engine: this peer is over, others are not touched."
);

/// What the engine says, as an exception.
pub fn refused(what: &str, error: impl std::fmt::Display) -> PyErr {
    RtcError::new_err(format!("{what}: {error}"))
}

/// Run this; a panic in it is an `RtcPanic`, as the outer error.
pub fn guarded<T>(run: impl FnOnce() -> T) -> PyResult<T> {
    // Whoever panicked is not used again: Peer sees to that.
    catch_unwind(AssertUnwindSafe(run)).map_err(|panic| RtcPanic::new_err(text_of(&*panic)))
}

fn text_of(panic: &(dyn Any + Send)) -> String {
    let text = panic
        .downcast_ref::<&str>()
        .map(ToString::to_string)
        .or_else(|| panic.downcast_ref::<String>().cloned());
    format!("the engine panicked: {}", text.unwrap_or_default())
}
