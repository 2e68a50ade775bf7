//! One side of a peer connection.

use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyTuple};
use str0m::change::{SdpAnswer, SdpOffer, SdpPendingOffer};
use str0m::channel::{ChannelConfig, ChannelId, Reliability};
use str0m::net::{Protocol, Receive, TcpType};
use str0m::{Candidate, Event, Input, Output as Engine, Rtc, RtcConfig};
use str0m::{DATAGRAM_MTU_TARGET_MAX, DATAGRAM_MTU_TARGET_MIN};

use crate::clock::{Clock, LONGEST};
use crate::errors::{guarded, refused, RtcError};
use crate::output::{Channels, Output};
use crate::remotes::{may_tell_of_another, without_candidates, Remotes, MOST_REMOTES};
use crate::route::{protocol, socket_address, Address, Routes};

/// How long an offer or an answer may be: what one costs to read grows with its length.
const LONGEST_SDP: usize = 32_768;
/// How long the line of a candidate may be.
const LONGEST_CANDIDATE: usize = 1_024;
/// How long a label may be, so that its announcement fits the engine's buffer.
const LONGEST_LABEL: usize = 1_024;
/// No message, DTLS record or STUN message is longer, over TCP either.
const LONGEST_DATAGRAM: usize = 65_535;
/// So many records of data the engine is given before it is asked what came of them; it keeps 30 of them at most.
const RECORDS_AT_ONCE: usize = 16;

struct Inner {
    rtc: Rtc,
    clock: Clock,
    channels: Channels,
    routes: Routes,
    remotes: Remotes,
    output: Output,
    pending: Option<SdpPendingOffer>,
    /// The streams that were agreed on.
    negotiated: Vec<u16>,
    closing: Vec<Closing>,
    buffer_bytes: usize,
    /// When the engine wants to be told the time.
    due: Instant,
    /// A panic left it in any state: nothing is done with it any more.
    broken: bool,
}

/// A channel that we closed, and one of ours that waits for its stream, which is free once the other side has closed it
/// too: the engine tells its user nothing else of that.
struct Closing {
    channel: ChannelId,
    waits: Option<ChannelId>,
}

/// One side of a peer connection: its data channels, and nothing of sound and pictures.
///
/// It is told datagrams and the time, and gives datagrams, events and when to call again.  It has no sockets, threads
/// or clock.  See the stub for what each method takes, gives and raises.
#[pyclass(frozen, module = "dcl_comms_rtc")]
pub struct Peer {
    process: u32,
    inner: Mutex<Inner>,
}

impl Peer {
    fn inner(&self) -> PyResult<MutexGuard<'_, Inner>> {
        // A fork has the same keys and counters: to go on in both processes would encrypt two texts with one nonce.
        if self.process != std::process::id() {
            return Err(RtcError::new_err(
                "this peer belongs to the process that forked this one",
            ));
        }
        // The GIL is held all the while, so this is a finalizer in the midst of a call, or a thread that took over there.
        self.inner
            .try_lock()
            .map_err(|_| RtcError::new_err("this peer is used by somebody else at this moment"))
    }

    fn with<T>(&self, run: impl FnOnce(&mut Inner) -> PyResult<T>) -> PyResult<T> {
        let mut inner = self.inner()?;
        if inner.broken {
            return Err(RtcError::new_err("this peer is over: its engine panicked"));
        }
        inner.broken = true;
        let result = guarded(|| run(&mut inner))?;
        inner.broken = false;
        result
    }
}

impl Inner {
    /// Take what the engine has to say until it waits: an input before that may be lost.
    fn drain(&mut self, py: Python<'_>) -> PyResult<Instant> {
        loop {
            match self.rtc.poll_output().map_err(failed)? {
                Engine::Transmit(datagram) => self.output.transmit(py, &mut self.routes, &datagram)?,
                Engine::Event(event) => self.tell(py, &event)?,
                Engine::Timeout(at) => {
                    self.due = at;
                    return Ok(at);
                }
            }
        }
    }

    /// Tell what happened; of channels that we closed only when both sides have.
    fn tell(&mut self, py: Python<'_>, event: &Event) -> PyResult<()> {
        let id = match event {
            Event::ChannelOpen(id, _) | Event::ChannelClose(id) => *id,
            Event::ChannelData(it) => it.id,
            _ => return self.output.event(py, &mut self.channels, event),
        };
        let of = |one: &&Closing| one.channel == id || one.waits == Some(id);
        match (self.closing.iter().find(of), event) {
            (None, _) => self.output.event(py, &mut self.channels, event),
            (Some(closing), Event::ChannelOpen(..)) => {
                let closed = Event::ChannelClose(closing.channel);
                self.output.event(py, &mut self.channels, &closed)
            }
            _ => Ok(()),
        }
    }

    /// The same after the last input, with when to come again.
    fn finish<'py>(&mut self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        let at = self.drain(py)?;
        let deadline = self.rtc.is_alive().then(|| self.clock.seconds(at));
        self.output.take(py, deadline)
    }

    fn pass(&mut self, py: Python<'_>, now: f64) -> PyResult<()> {
        let at = self.clock.pass(now)?;
        self.rtc.handle_input(Input::Timeout(at)).map_err(failed)?;
        self.drain(py)?;
        Ok(())
    }

    /// What was due before now is done before anything that comes now: after the other side's goodbye it would fail.
    fn catch_up(&mut self, py: Python<'_>, now: f64) -> PyResult<Instant> {
        let at = self.clock.pass(now)?;
        if self.due <= at {
            self.pass(py, now)?;
        }
        Ok(at)
    }

    fn channel(&self, number: usize) -> PyResult<ChannelId> {
        self.channels
            .get(number)
            .ok_or_else(|| PyValueError::new_err(format!("there is no channel {number}")))
    }

    /// Whether a candidate may be tried, which it is then.
    fn try_remote(&mut self, candidate: Candidate) -> bool {
        let admitted = self.remotes.admit(candidate.proto(), candidate.addr());
        if admitted {
            self.rtc.add_remote_candidate(candidate);
        }
        admitted
    }

    /// A description was taken: perhaps ICE began anew, and these are its candidates, of which not all are tried.
    fn described(&mut self, candidates: Vec<&str>) {
        self.remotes.round(self.rtc.direct_api().local_ice_credentials().ufrag);
        for candidate in candidates {
            if let Ok(candidate) = Candidate::from_sdp_string(candidate) {
                self.try_remote(candidate);
            }
        }
    }

    /// Whether the buffer had room for it.
    fn write(&mut self, number: usize, message: &[u8]) -> PyResult<bool> {
        let id = self.channel(number)?;
        if message.is_empty() {
            // The engine counts it and sends nothing: an ordered channel would wait for it for ever.
            return Err(PyValueError::new_err("an empty message can't be sent"));
        }
        if message.len() > self.buffer_bytes {
            let most = self.buffer_bytes;
            return Err(RtcError::new_err(format!(
                "this message is longer than the buffer, {most} bytes"
            )));
        }
        let Some(mut open) = self.rtc.channel(id) else {
            return Err(RtcError::new_err(format!("channel {number} is not open")));
        };
        open.write(true, message)
            .map_err(|error| refused("this message can't be sent", error))
    }
}

/// Whether this is a DTLS record of application data: the only kind of which the engine keeps several.
fn is_data(datagram: &[u8]) -> bool {
    datagram.first() == Some(&23)
}

fn not_too_long(what: &str, text: &str) -> PyResult<()> {
    if text.len() > LONGEST_SDP {
        return Err(RtcError::new_err(format!("{what} is longer than {LONGEST_SDP} bytes")));
    }
    Ok(())
}

fn failed(error: str0m::RtcError) -> PyErr {
    refused("the connection failed", error)
}

#[pymethods]
impl Peer {
    #[new]
    #[pyo3(signature = (
        now, *, buffer_bytes = 131_072, datagram_bytes = 1_150, ice_lite = false,
        first_check_seconds = None
    ))]
    fn new(
        py: Python<'_>,
        now: f64,
        buffer_bytes: usize,
        datagram_bytes: usize,
        ice_lite: bool,
        first_check_seconds: Option<f64>,
    ) -> PyResult<Self> {
        let clock = Clock::new(now)?;
        if !(DATAGRAM_MTU_TARGET_MIN..=DATAGRAM_MTU_TARGET_MAX).contains(&datagram_bytes) {
            let text = format!("datagram_bytes is from {DATAGRAM_MTU_TARGET_MIN} to {DATAGRAM_MTU_TARGET_MAX}");
            return Err(PyValueError::new_err(text));
        }
        let mut config = RtcConfig::new()
            .clear_codecs()
            .set_ice_lite(ice_lite)
            .set_mtu(datagram_bytes..=usize::MAX)
            .set_sctp_max_buffered_amount(buffer_bytes);
        if let Some(seconds) = first_check_seconds {
            if !(0.001..=LONGEST).contains(&seconds) {
                return Err(PyValueError::new_err(
                    "first_check_seconds is a number of seconds, of 0.001 or more",
                ));
            }
            let pause = Duration::from_secs_f64(seconds);
            config.set_initial_stun_rto(pause);
        }
        let due = clock.start();
        let rtc = guarded(|| config.build(due))?;
        let inner = Inner {
            rtc,
            clock,
            channels: Channels::default(),
            routes: Routes::default(),
            remotes: Remotes::default(),
            output: Output::new(py),
            pending: None,
            negotiated: Vec::new(),
            closing: Vec::new(),
            buffer_bytes,
            due,
            broken: false,
        };
        Ok(Self {
            process: std::process::id(),
            inner: Mutex::new(inner),
        })
    }

    #[pyo3(signature = (local, protocol = "udp"))]
    fn add_local(&self, local: Address, protocol: &str) -> PyResult<String> {
        let address = socket_address(&local)?;
        let host = Candidate::builder();
        let candidate = match self::protocol(protocol)? {
            Protocol::Udp => host.udp().host(address).build(),
            _ => host.tcp().host(address).tcptype(TcpType::Active).build(),
        }
        .map_err(|error| PyValueError::new_err(error.to_string()))?;
        let line = candidate.to_sdp_string();
        self.with(|inner| {
            inner.rtc.add_local_candidate(candidate);
            Ok(line)
        })
    }

    fn add_remote(&self, candidate: &str) -> PyResult<()> {
        if candidate.len() > LONGEST_CANDIDATE {
            return Err(PyValueError::new_err("this is no candidate: it is too long"));
        }
        self.with(|inner| {
            let candidate = Candidate::from_sdp_string(candidate)
                .map_err(|error| PyValueError::new_err(format!("this is no candidate: {error}")))?;
            if inner.try_remote(candidate) {
                return Ok(());
            }
            Err(PyValueError::new_err(format!(
                "this is one address too many: {MOST_REMOTES} of the other side are tried"
            )))
        })
    }

    #[pyo3(
        signature = (channels = Vec::new(), *, restart = false),
        text_signature = "($self, channels=(), *, restart=False)"
    )]
    fn offer(&self, channels: Vec<ChannelSpec>, restart: bool) -> PyResult<(Option<String>, Vec<usize>)> {
        self.with(|inner| {
            // With these the engine would panic.
            let mut negotiated = inner.negotiated.clone();
            for ChannelSpec(label, _, _, stream) in &channels {
                if label.len() > LONGEST_LABEL {
                    let text = format!("a label has no more than {LONGEST_LABEL} bytes");
                    return Err(PyValueError::new_err(text));
                }
                if let Some(stream) = *stream {
                    if stream == u16::MAX || negotiated.contains(&stream) {
                        return Err(PyValueError::new_err(format!(
                            "stream {stream} can't be agreed on, or was before"
                        )));
                    }
                    negotiated.push(stream);
                }
            }
            inner.negotiated = negotiated;
            let mut changes = inner.rtc.sdp_api();
            let ids: Vec<ChannelId> = channels
                .into_iter()
                .map(|spec| changes.add_channel_with_config(spec.config()))
                .collect();
            if restart {
                changes.ice_restart(true);
            }
            let offered = changes.apply();
            let numbers = ids.into_iter().map(|id| inner.channels.number(id)).collect();
            let text = offered.map(|(offer, pending)| {
                inner.pending = Some(pending);
                offer.to_sdp_string()
            });
            Ok((text, numbers))
        })
    }

    fn accept_answer(&self, sdp: &str) -> PyResult<()> {
        not_too_long("this answer", sdp)?;
        let (sdp, candidates) = without_candidates(sdp);
        self.with(|inner| {
            let answer =
                SdpAnswer::from_sdp_string(&sdp).map_err(|error| refused("this answer can't be read", error))?;
            let pending = inner
                .pending
                .take()
                .ok_or_else(|| RtcError::new_err("nothing was offered that this could answer"))?;
            inner
                .rtc
                .sdp_api()
                .accept_answer(pending, answer)
                .map_err(|error| refused("this answer can't be taken", error))?;
            inner.described(candidates);
            Ok(())
        })
    }

    fn accept_offer(&self, sdp: &str) -> PyResult<String> {
        not_too_long("this offer", sdp)?;
        let (sdp, candidates) = without_candidates(sdp);
        self.with(|inner| {
            let offer = SdpOffer::from_sdp_string(&sdp).map_err(|error| refused("this offer can't be read", error))?;
            inner.pending = None;
            let answer = inner
                .rtc
                .sdp_api()
                .accept_offer(offer)
                .map_err(|error| refused("this offer can't be taken", error))?;
            inner.described(candidates);
            Ok(answer.to_sdp_string())
        })
    }

    #[pyo3(signature = (datagrams, remote, local, now, protocol = "udp"))]
    fn receive<'py>(
        &self,
        py: Python<'py>,
        datagrams: Vec<Bound<'py, PyBytes>>,
        remote: Address,
        local: Address,
        now: f64,
        protocol: &str,
    ) -> PyResult<Bound<'py, PyTuple>> {
        let (source, destination) = (socket_address(&remote)?, socket_address(&local)?);
        let proto = self::protocol(protocol)?;
        self.with(|inner| {
            let at = inner.catch_up(py, now)?;
            // Each question costs as much as there are packets on their way: so it is asked once for many records, and
            // what they acknowledge, and are acknowledged by, is one.
            let mut waiting = 0;
            for datagram in &datagrams {
                let bytes = datagram.as_bytes();
                if bytes.len() > LONGEST_DATAGRAM {
                    continue;
                }
                // What is neither STUN nor DTLS nor RTP is let go, as a stranger's is.
                let Ok(received) = Receive::new(proto, source, destination, bytes) else {
                    continue;
                };
                let input = Input::Receive(at, received);
                // What it takes for one of the other side's is one, so strangers can't fill the room of these.
                if inner.rtc.accepts(&input) && (!may_tell_of_another(bytes) || inner.remotes.admit(proto, source)) {
                    let data = is_data(bytes);
                    if waiting > 0 && !data {
                        inner.drain(py)?;
                        waiting = 0;
                    }
                    inner.rtc.handle_input(input).map_err(failed)?;
                    waiting += 1;
                    if !data || waiting == RECORDS_AT_ONCE {
                        inner.drain(py)?;
                        waiting = 0;
                    }
                }
            }
            inner.finish(py)
        })
    }

    fn handle_timeout<'py>(&self, py: Python<'py>, now: f64) -> PyResult<Bound<'py, PyTuple>> {
        self.with(|inner| {
            inner.pass(py, now)?;
            inner.finish(py)
        })
    }

    fn poll<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        self.with(|inner| inner.finish(py))
    }

    fn send<'py>(
        &self,
        py: Python<'py>,
        messages: Vec<(usize, Bound<'py, PyBytes>)>,
        now: f64,
    ) -> PyResult<(usize, Bound<'py, PyTuple>)> {
        self.with(|inner| {
            // What is sent is timed from the engine's newest time.
            inner.pass(py, now)?;
            let mut sent = 0;
            for (channel, message) in &messages {
                match inner.write(*channel, message.as_bytes()) {
                    Ok(true) => sent += 1,
                    // What can't be sent is said once it is the first.
                    Err(error) if sent == 0 => return Err(error),
                    _ => break,
                }
            }
            Ok((sent, inner.finish(py)?))
        })
    }

    fn buffered(&self, channel: usize) -> PyResult<usize> {
        self.with(|inner| {
            let id = inner.channel(channel)?;
            Ok(inner.rtc.channel(id).map_or(0, |mut open| open.buffered_amount()))
        })
    }

    fn close_channel<'py>(&self, py: Python<'py>, channel: usize, now: f64) -> PyResult<Bound<'py, PyTuple>> {
        self.with(|inner| {
            let id = inner.channel(channel)?;
            inner.pass(py, now)?;
            let stream = inner.rtc.direct_api().sctp_stream_id_by_channel_id(id);
            let (Some(stream), true) = (stream, inner.rtc.channel(id).is_some()) else {
                return Err(RtcError::new_err(format!("channel {channel} is not open")));
            };
            inner.closing.push(Closing {
                channel: id,
                waits: None,
            });
            inner.rtc.direct_api().close_data_channel(id);
            // Only then the stream may be asked for again.
            inner.drain(py)?;
            let config = ChannelConfig {
                negotiated: Some(stream),
                ..ChannelConfig::default()
            };
            let waits = inner.rtc.direct_api().create_data_channel(config);
            if let Some(last) = inner.closing.last_mut() {
                last.waits = Some(waits);
            }
            if !inner.negotiated.contains(&stream) {
                inner.negotiated.push(stream);
            }
            inner.finish(py)
        })
    }

    fn close<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        self.with(|inner| {
            // Before the association is there, or after it failed, nobody can be told.
            if inner.rtc.close().is_err() {
                inner.rtc.disconnect();
            }
            inner.finish(py)
        })
    }

    #[getter]
    fn alive(&self) -> PyResult<bool> {
        let inner = self.inner()?;
        Ok(!inner.broken && inner.rtc.is_alive())
    }
}

/// A channel to be opened: label, whether it is ordered, how often a message is sent again, stream if it is agreed.
#[derive(FromPyObject)]
struct ChannelSpec(String, bool, Option<u16>, Option<u16>);

impl ChannelSpec {
    fn config(self) -> ChannelConfig {
        let Self(label, ordered, retransmits, negotiated) = self;
        ChannelConfig {
            label,
            ordered,
            negotiated,
            reliability: retransmits.map_or(Reliability::Reliable, |retransmits| Reliability::MaxRetransmits {
                retransmits,
            }),
            ..ChannelConfig::default()
        }
    }
}
