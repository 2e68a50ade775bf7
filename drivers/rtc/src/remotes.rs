//! Where the other side can be: the engine keeps each address that it is told, or hears from, and forgets none.

use std::net::SocketAddr;

use str0m::net::Protocol;

/// So many addresses of the other side are tried in one round of ICE; further ones are not.
pub const MOST_REMOTES: usize = 64;

const CANDIDATE: &str = "a=candidate:";
/// What a datagram of STUN begins with is less.
const NO_STUN: u8 = 4;

/// The addresses of the round that is.
#[derive(Default)]
pub struct Remotes {
    round: String,
    known: Vec<(Protocol, SocketAddr)>,
}

impl Remotes {
    /// The round is the one of this name of ours: a new one begins with no address, as the engine's does.
    pub fn round(&mut self, name: String) {
        if name != self.round {
            self.round = name;
            self.known.clear();
        }
    }

    /// Whether this one may be tried.
    pub fn admit(&mut self, protocol: Protocol, address: SocketAddr) -> bool {
        let one = (protocol, address);
        if self.known.contains(&one) {
            return true;
        }
        let room = self.known.len() < MOST_REMOTES;
        if room {
            self.known.push(one);
        }
        room
    }
}

/// Whether a datagram can tell the engine of another address: checks can, which are STUN.
pub fn may_tell_of_another(datagram: &[u8]) -> bool {
    datagram.first().is_some_and(|first| *first < NO_STUN)
}

/// A description without its candidates, and their lines.
pub fn without_candidates(sdp: &str) -> (String, Vec<&str>) {
    let (candidates, others): (Vec<&str>, Vec<&str>) =
        sdp.split_inclusive('\n').partition(|line| line.starts_with(CANDIDATE));
    let lines = candidates.into_iter().map(|line| line.trim_end()[2..].as_ref());
    (others.concat(), lines.collect())
}
