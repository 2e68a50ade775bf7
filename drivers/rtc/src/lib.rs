//! WebRTC data channels for Python as a state machine: datagrams and time in, datagrams and events out.
//!
//! `str0m` makes every decision; this is its shape in Python.  No sockets, no threads, no clock, no logging.

mod clock;
mod errors;
mod output;
mod peer;
mod remotes;
mod route;

use pyo3::prelude::*;

/// The module: one class, and what it raises.
#[pymodule]
fn _native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    // The exception holds what a panic says; stderr is not ours.  Other extensions have hooks of their own: this one's
    // standard library is linked into it.
    std::panic::set_hook(Box::new(|_| {}));
    module.add_class::<peer::Peer>()?;
    module.add("RtcError", module.py().get_type::<errors::RtcError>())?;
    module.add("RtcPanic", module.py().get_type::<errors::RtcPanic>())?;
    Ok(())
}
