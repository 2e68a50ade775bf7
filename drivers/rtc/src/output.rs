//! What came of an input: `(datagrams, events, deadline)` in Python.

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList, PyString, PyTuple};
use pyo3::IntoPyObjectExt;
use str0m::channel::ChannelId;
use str0m::net::Transmit;
use str0m::{Event, IceConnectionState};

use crate::route::{Route, Routes};

/// The channels of a peer, numbered from 0 in the order in which they were opened or heard of.
#[derive(Default)]
pub struct Channels(Vec<ChannelId>);

impl Channels {
    pub fn number(&mut self, id: ChannelId) -> usize {
        self.0.iter().position(|one| *one == id).unwrap_or_else(|| {
            self.0.push(id);
            self.0.len() - 1
        })
    }

    pub fn get(&self, number: usize) -> Option<ChannelId> {
        self.0.get(number).copied()
    }
}

/// What the engine gave and the caller did not get yet.
///
/// A call that raises gives none: what came before its error is handed out by the next one.
pub struct Output {
    datagrams: Py<PyList>,
    events: Py<PyList>,
}

impl Output {
    pub fn new(py: Python<'_>) -> Self {
        Self {
            datagrams: PyList::empty(py).unbind(),
            events: PyList::empty(py).unbind(),
        }
    }

    pub fn transmit(&self, py: Python<'_>, routes: &mut Routes, datagram: &Transmit) -> PyResult<()> {
        let route = Route {
            proto: datagram.proto,
            local: datagram.source,
            remote: datagram.destination,
        };
        let payload = PyBytes::new(py, &datagram.contents);
        self.datagrams.bind(py).append((routes.get(py, route)?, payload))
    }

    pub fn event(&self, py: Python<'_>, channels: &mut Channels, event: &Event) -> PyResult<()> {
        let (kind, channel, detail) = match event {
            Event::ChannelData(it) => ("data", channels.number(it.id), PyBytes::new(py, &it.data).into_any()),
            Event::ChannelOpen(id, label) => ("open", channels.number(*id), label.into_bound_py_any(py)?),
            Event::ChannelClose(id) => ("close", channels.number(*id), py.None().into_bound(py)),
            Event::Connected => return self.plain(py, "connected"),
            Event::Closed => return self.plain(py, "closed"),
            Event::IceConnectionStateChange(state) => return self.plain(py, ice_state(*state)),
            // Of sound and pictures, and statistics: nobody asked for any.
            _ => return Ok(()),
        };
        let event = (PyString::intern(py, kind), channel, detail);
        self.events.bind(py).append(event)
    }

    fn plain(&self, py: Python<'_>, kind: &str) -> PyResult<()> {
        let event = (PyString::intern(py, kind), py.None(), py.None());
        self.events.bind(py).append(event)
    }

    /// Hand all of it out, with when to come again.
    pub fn take<'py>(&mut self, py: Python<'py>, deadline: Option<f64>) -> PyResult<Bound<'py, PyTuple>> {
        let taken = std::mem::replace(self, Self::new(py));
        (taken.datagrams, taken.events, deadline).into_pyobject(py)
    }
}

fn ice_state(state: IceConnectionState) -> &'static str {
    match state {
        IceConnectionState::New => "ice-new",
        IceConnectionState::Checking => "ice-checking",
        IceConnectionState::Connected => "ice-connected",
        IceConnectionState::Completed => "ice-completed",
        IceConnectionState::Disconnected => "ice-disconnected",
    }
}
