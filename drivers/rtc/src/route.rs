//! Between which addresses a datagram travels, and by what: `(protocol, local, remote)` in Python.

use std::net::{IpAddr, SocketAddr};

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyString, PyTuple};
use str0m::net::Protocol;

/// What Python calls an address: host and port.
pub type Address = (String, u16);

/// An address as the engine has it.  `ValueError`: its host is no IP address.
pub fn socket_address(address: &Address) -> PyResult<SocketAddr> {
    let (host, port) = address;
    // An interface's name may follow a link-local address; the caller's socket knows which.
    let bare = host.split('%').next().unwrap_or(host);
    let ip: IpAddr = bare
        .parse()
        .map_err(|_| PyValueError::new_err(format!("{host:?} is no IP address")))?;
    Ok(SocketAddr::new(ip, *port))
}

/// `"udp"` or `"tcp"`.  `ValueError`: it is neither.
pub fn protocol(name: &str) -> PyResult<Protocol> {
    match name {
        "udp" => Ok(Protocol::Udp),
        "tcp" => Ok(Protocol::Tcp),
        _ => Err(PyValueError::new_err("a protocol is \"udp\" or \"tcp\"")),
    }
}

/// A way for datagrams, from here to there.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Route {
    pub proto: Protocol,
    pub local: SocketAddr,
    pub remote: SocketAddr,
}

impl Route {
    fn to_python(self, py: Python<'_>) -> PyResult<Bound<'_, PyTuple>> {
        let name = if self.proto == Protocol::Udp { "udp" } else { "tcp" };
        let address = |one: SocketAddr| (one.ip().to_string(), one.port());
        (PyString::intern(py, name), address(self.local), address(self.remote)).into_pyobject(py)
    }
}

/// Routes as Python objects: datagram after datagram takes the same few, which are made once.
#[derive(Default)]
pub struct Routes(Vec<(Route, Py<PyTuple>)>);

/// A peer has one or two; others that it tries meanwhile are made anew.
const KEPT: usize = 8;

impl Routes {
    pub fn get<'py>(&mut self, py: Python<'py>, route: Route) -> PyResult<Bound<'py, PyTuple>> {
        if let Some((_, known)) = self.0.iter().find(|(one, _)| *one == route) {
            return Ok(known.bind(py).clone());
        }
        let made = route.to_python(py)?;
        if self.0.len() == KEPT {
            self.0.remove(0);
        }
        self.0.push((route, made.clone().unbind()));
        Ok(made)
    }
}
