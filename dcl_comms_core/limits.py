"""Every limit and default of the core: its name, its default, and what happens at it.

=========================  ===========  ================================================================================
limit                      default      at the limit
=========================  ===========  ================================================================================
connection_string_chars    16,384       InvalidConnectionString or InvalidToken, unread
auth_chain_chars           16,384       InvalidAuthChain, unread (the servers' own limit on a message)
auth_chain_links           8            InvalidAuthChain, before any signature is looked at
challenge_chars            128          a longer challenge is not signed: SigningRefused
about_chars                262,144      InvalidRealm: a realm's ``/about`` is longer, unread
answer_chars               65,536       an answer to a signed request that is longer is RefusalReason.MALFORMED, unread
adapter_hops               4            signed requests that may follow one another before Refusal(ENDLESS)
retry_after_seconds        3,600.0      a server that wants us to wait longer is taken to have said this
identity_margin_seconds    60.0         IdentityExpired: the ephemeral key ends sooner than that
packet_bytes               131,072      an incoming packet that is larger becomes PacketRejected, unread; of our own:
                                        PacketTooLarge
topic_chars                1,024        an incoming packet with a longer topic becomes PacketRejected, unread; of our
                                        own: PacketTooLarge
unknown_bytes              65,536       DecodeError: the unknown fields of one packet, together, take more than this
nesting                    100          DecodeError: messages or groups nested deeper (protobuf's own limit);
                                        InvalidToken: a token's JSON nested deeper
peers                      1,024        a further peer is not in ``peers`` and has no PeerJoined; its packets still
                                        come; LimitReached, once each time the table fills up
peers_bytes                8,388,608    what the peers of a room say of themselves, in bytes of memory: of a further one
                                        ``name``, ``metadata`` and ``attributes`` are told and not kept; LimitReached
join_rate                  500          peers a second that may come into one room; with a further one it is as with one
                                        beyond ``peers``; LimitReached, once each time the rate is used up
identity_chars             256          who has a longer identity, which LiveKit does not allow, is not in ``peers``,
                                        and packets have no sender; LimitReached
name_chars                 256          a longer name of a room, of somebody or of a track is cut; LimitReached, once
sid_chars                  128          a longer id of a room or of a participant's session is cut, and a track with one
                                        has no events; LimitReached, once
metadata_chars             65,536       longer metadata of a room or of somebody, or longer attributes all together, are
                                        let go, as if there were none; LimitReached, once
detail_chars               4,096        a longer reason why something failed is cut; LimitReached, once
tracks                     1,024        a further track has no events; LimitReached likewise
departed_peers             1,024        peers that left and whose allowances are remembered, and when they left; the
                                        oldest are forgotten
back_seconds               120.0        a peer that comes so soon after it left is only back: Arrival.BACK; the time in
                                        which we ourselves were away does not count
ignored                    1,024        peers that are ignored at a time, be they here or not: a further ``ignore`` is
                                        LocalProtocolError; one of whom the setting ``ignore`` says so is not ignored:
                                        LimitReached
movement_rate              60           movements a second of one peer; beyond: the newest waits until it is its turn,
                                        older ones are let go
chat_rate                  30           chat messages a second of one peer; further ones are counted and let go
scene_rate                 300          scene messages a second of one peer, likewise
emote_rate                 20           emotes and reactions a second of one peer, likewise
profile_rate               10           profile announcements, requests and responses a second of one peer, likewise
other_rate                 120          packets of other kinds a second of one peer, likewise
rejected_rate              10           PacketRejected a second of one peer; further ones are counted only
bytes_rate                 4,194,304    bytes a second of one peer and kind: a packet that takes more of them than its
                                        share of the rate uses up so much more of the rate
burst_seconds              10.0         how much of each rate a peer that was quiet, or a quiet room, may use at once
stranger_share             16           senders that are not in ``peers`` (not named yet, or beyond its end) share the
                                        rates of so many peers
late_seconds               10.0         a movement that is older than its sender's newest by less than this is let go:
                                        dropped.late; by more: the sender's clock started again
jump_metres                32.0         a compressed movement that is farther than this, and 50 m/s, from the one before
                                        is let go (dropped.implausible) unless the next one confirms it
chat_chars                 8,192        an incoming chat message that is longer is rejected: OUT_OF_RANGE; of our own:
                                        PacketTooLarge
chat_warn_bytes            200          a chat message of ours that is larger is cut there by Godot clients: Warning,
                                        once
urn_chars                  256          an incoming emote whose URN is longer is rejected: OUT_OF_RANGE; of our own:
                                        PacketTooLarge
message_id_chars           96           a reaction to a chat message with a longer id, likewise
reaction_count             100          a reaction that says it counts for more counts for this; LocalProtocolError for
                                        one of ours
seen_messages              4,096        chat messages, emotes and reactions that are remembered, so that each is told
                                        once however many rooms it comes through; the oldest are forgotten, once there
                                        are twice as many
scene_warn_bytes           13,268       a scene message of ours that is larger is dropped by Unity (13,312 with our
                                        address): Warning, once
scene_bytes                30,000       PacketTooLarge: a scene message of ours is larger; Bevy and scene servers drop
                                        it
movement_bytes             1,024        PacketTooLarge: a movement of ours is larger, which its fields never are; one of
                                        a peer that would have to wait for its turn is let go
offered_profile_bytes      60,000       PacketTooLarge: the packet with a profile of ours would be larger
rooms                      8            rooms and movement sources of one MergedRooms; LocalProtocolError
rejoin_attempts            3            how often a room of a WorldSession is joined anew with the token that it had,
                                        where a fresh one can be asked for; then that is done
source_seconds             5.0          a peer of whom a movement source said nothing for so long is heard of through
                                        rooms again
profiles                   256          profiles that peers told us when asked, and requests for them; the oldest are
                                        forgotten
profiles_bytes             4,194,304    the same in bytes of memory: four a character once one of a text is not ASCII; a
                                        larger profile is told and not kept
early_packets              256          events of unnamed senders kept for PeerIdentified; the oldest are let go
early_bytes                1,048,576    the same in bytes of memory that they take
in_flight                  64           packets given to the transport and not yet acknowledged; further ones queue
in_flight_bytes            65,536       the same in bytes, for reliable packets: lossy ones pass those that wait; one
                                        packet always goes
send_queue                 1,024        packets waiting for credit; SendQueueFull, nothing is queued
send_queue_bytes           4,194,304    the same in bytes; SendQueueFull, nothing is queued
waiting_verbs              1,024        packets waiting for a room to be open; SendQueueFull, nothing is queued
waiting_bytes              4,194,304    the same in bytes; SendQueueFull, nothing is queued
waiting_seconds            60.0         what waits longer than this for a room, in one outage, is let go: counted as
                                        ``expired``, and told by one Warning; where we are is remembered
connect_seconds            20.0         a link that did not open by then is given up: CloseReason.TIMEOUT
repair_seconds             180.0        a link that repairs its own connection for longer is given up: TIMEOUT; the
                                        engine itself gives up after some 90 s
stable_seconds             30.0         a room that stayed open so long before it was lost is tried as often again, with
                                        short pauses again
close_seconds              5.0          how long after draining a link, or a source of another make, may take to close
                                        before it is given up
call_off_seconds           5.0          how long a room that is being joined may still come in, where another one is to
                                        be joined instead: LiveKit's engine can't call off a connect.  The other one
                                        waits so long
announce_seconds           1.0          how long packets wait, after joining, for the server to make us known; then they
                                        go out all the same, and who gets them may not be told who sent them
drain_seconds              5.0          how long ``close()`` lets accepted reliable packets leave, unless told otherwise
archipelago_stage_seconds  60.0         the island service's challenge or welcome, or our signature, did not come: the
                                        handshake is given up
ws_room_sign_seconds       1.0          the same for our signature in a ws-room: its server waits no longer
ws_room_stage_seconds      5.0          the same for a ws-room's challenge or welcome
request_seconds            20.0         the answer to ``/about``, to a signed login or of the gatekeeper did not come:
                                        TIMEOUT
request_sign_seconds       45.0         a request was not signed: NOT_SIGNED; servers refuse one that is a minute old
island_seconds             10.0         after the first heartbeat: Warning(NO_ISLAND) if none came, and a WorldSession
                                        is in no island's room; heartbeats go on.  So long after it opened a movement
                                        source may still bring one: the Warning waits
enter_seconds              120.0        from ``open()`` on; a WorldSession that is in no room by then is over: TIMEOUT
seek_seconds               120.0        a WorldSession's later searches, for a room that was lost or a scene's, and the
                                        joining of what they find: TIMEOUT, and a pause before the next
pulse_subjects             4,096        (Pulse) players of whom the service tells, in other realms too; a further one is
                                        let go until it joins anew; LimitReached, once each time they are so many
pulse_listing_seconds      1.0          (Pulse) players of whom the service tells so soon after we came, or changed
                                        realm, were there before us: Arrival.WAS_HERE
pulse_name_chars           256          (Pulse) a wallet or realm that is longer is rejected: OUT_OF_RANGE
enet_packet_bytes          65,536       (ENet) PacketTooLarge: a message of ours is larger; one of the other side is not
                                        acknowledged, and lost
enet_send_bytes            1,048,576    (ENet) messages of one connection that wait to leave or to be acknowledged, in
                                        bytes of memory: SendQueueFull, nothing is queued
enet_waiting_bytes         262,144      (ENet) what came on one connection before its turn, in bytes of memory; further
                                        messages are not acknowledged (and come again) if reliable, else lost
enet_peers                 4,095        (ENet) connections of one host; a further CONNECT is not answered; 4,095 at most
enet_address_peers         64           (ENet) the same of one address, whatever its port
enet_unproved_peers        128          (ENet) connections that nobody proved to want yet; for a further one the oldest
                                        is forgotten
enet_prove_seconds         5.0          (ENet) how long one of those is kept
pulse_connect_seconds      10.0         (Pulse) a connection that did not come about by then is given up:
                                        Warning(SOURCE_UNREACHABLE), and another after a pause
pulse_sign_seconds         20.0         (Pulse) the same for our signature: the service waits for 30 s
pulse_stage_seconds        5.0          (Pulse) the same for its answer to who we are
aliases                    4,096        further members of a ws-room are not remembered: their packets have no sender
server_sockets             4,096        (servers) a further client is hung up on
server_connections         1,024        (servers) likewise, before it says anything; fewer where that is more than half
                                        of the descriptors that the process may still open
server_body_bytes          65,536       (servers) a request with a longer body is answered with 413, unread
server_request_seconds     10.0         (servers) a request that takes longer to come in is hung up on
server_secret_tries        1,024        (servers) wrong passwords of worlds that are remembered, for a minute; the
                                        oldest are forgotten
pulse_places               4,095        (servers) connections of a Pulse server, and those that left 5 s ago or less; a
                                        further one is refused: SERVER_FULL
pulse_replays              4,095        (servers) handshakes that Pulse accepted in the last 30 s and accepts only once;
                                        further ones are not remembered
pulse_departed             4,095        (servers) wallets that left Pulse in the last 5 min, of which a session that
                                        takes their place is told; the oldest are forgotten
server_queue_bytes         65,536       (servers) what waits for one client; further messages are dropped, as by the
                                        real services
server_rooms               4,096        (room servers) rooms at once; a join into a further one is refused with 503
server_signal_bytes        1,048,576    (room servers) a message of a participant that is longer: he is hung up on, and
                                        may resume; a longer request to join, once unpacked, is refused with 400
server_signal_queue_bytes  4,194,304    (room servers) messages that wait for one participant who does not read them: he
                                        is hung up on, and may resume
server_head_bytes          65,536       (room servers) the head of a request, which may hold an offer; a longer one is
                                        refused
server_room_bytes          4,194,304    (room servers) reliable packets that wait for one participant who does not take
                                        them: his stay ends, and he is told to join anew
server_lossy_bytes         65,536       (room servers) lossy packets that wait for one participant; the oldest are let
                                        go
server_early_bytes         100,000      (room servers) reliable packets that wait for one who is still joining; the
                                        oldest are let go
rejoin_seconds             10.0         (drivers) how long a connect waits for one of the same identity that was given
                                        up on its way and may still come in; then it goes ahead all the same
signal_bytes               4,194,304    (LiveKit, our engine) a message of a room's server; a longer one ends the room
ice_seconds                10.0         (LiveKit, our engine) how long datagrams may take to find their way to a room's
                                        server and back, after it let us in or took us back, and channels to open then:
                                        LinkFailed(UNREACHABLE), or the room is joined anew
ice_candidates             32           (LiveKit, our engine) addresses of a server that are tried; further ones are not
ice_ports                  8            (LiveKit, our engine) ports of ours for one way of a room; for a further one the
                                        oldest is given back
room_members               4,096        (LiveKit, our engine) participants of a room; a further one is told of by his
                                        packets only.  More than ``peers``, which says so
room_members_bytes         16,777,216   (LiveKit, our engine) what they say of themselves, in bytes of memory, likewise;
                                        a change that makes it more is not told
room_requests              64           (LiveKit, our engine) changes of ourselves that the server has not answered; a
                                        further one fails
event_queue                16,384       (drivers) events not yet read by the application; ``on_full`` says what happens
event_queue_bytes          67,108,864   (drivers) likewise, in bytes of memory that events and their contents take: a
                                        text takes four a character once one of its characters is not ASCII
readers                    1,024        (drivers) ``wait_for`` and ``listen`` of one connection at once; one more is a
                                        LocalProtocolError.  Each listener has ``event_queue`` and ``event_queue_bytes``
                                        of its own
audio_frames               100          (drivers) pieces of sound, 10 ms each, that wait for one reader of a track; the
                                        oldest are let go, and the reader's ``dropped`` counts them
utterances                 16           (drivers) utterances that wait for one reader of ``room.utterances()``; the
                                        oldest are let go, and the reader's ``dropped`` counts them
video_frames               4            (drivers) the same for pictures, each of which is megabytes of native memory
inbox_bytes                33,554,432   (drivers) what came in for one room and waits for the loop's next turn; further
                                        packets are dropped and counted: LimitReached at that turn.  While more than
                                        half of it waits nothing is read from WebSockets, and datagrams are dropped:
                                        LimitReached likewise
inbox_overhead             128          (drivers) what each WebSocket message, or datagram, that waits counts beside its
                                        own bytes
fetch_seconds              15.0         (drivers) an HTTP request that takes longer, redirects and all, is
                                        FetchFailed(TIMEOUT)
fetch_redirects            4            (drivers) redirects that one request follows; one more is FetchFailed(PROTOCOL)
fetches                    32           (drivers) HTTP requests of one link at once; a further one is
                                        FetchFailed(OVERFLOW)
dial_seconds               5.0          (drivers) how long one address may take to accept a connection, before the
                                        next one of the same host is tried
dial_addresses             4            (drivers) addresses of one host that are tried, before it is UNREACHABLE
socket_bytes               24,576       (drivers) an incoming WebSocket message that is larger: SocketClosed(PROTOCOL);
                                        the servers' own limit is 16,384
socket_queue_bytes         1,048,576    (drivers) messages that wait to leave on one WebSocket; a further one is
                                        acknowledged with an error
ping_seconds               20.0         (drivers) a WebSocket that was silent so long is pinged; after three times as
                                        long it is SocketClosed(TIMEOUT)
datagram_bytes             4,096        (drivers) an incoming datagram that is longer is let go and counted: ENet's own
                                        bound
journal_bytes              67,108,864   a Journal stops there, and says so in its last line; a longer one is not read:
                                        InvalidJournal
people                     1,024        people of whom ``whois`` remembers who they are; the oldest are forgotten
people_bytes               8,388,608    the same in bytes of memory that they take
person_bytes               65,536       a profile that is longer is not read: nobody knows who that is
whois_batch                50           people that one request to a realm asks for; the next waits for its answer
whois_answer_bytes         2,097,152    a longer answer is not read: the peers are asked
whois_waiting              1,024        people who are asked for at once; SendQueueFull
whois_seconds              5.0          the realm did not answer: the peer is asked; it did not: a Person not ``known``
walk_points                4,096        a walk along more points is refused: LocalProtocolError
walk_patience_seconds      5.0          how long after the room came back a peer that somebody walks to may still be
                                        away; then the walk ends, WalkEnd.GONE
turn_inputs                256          (drivers) inputs handled in one turn, and frames of any kind of what one read
                                        brought, before other tasks get their turn
turn_bytes                 131,072      (drivers) likewise, in bytes of WebSocket frames and of datagrams
turn_seconds               0.005        (drivers) likewise, in seconds of work on inputs that were there when it began
=========================  ===========  ================================================================================
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from math import inf
from typing import Final

from dcl_comms_core.errors import LocalProtocolError

__all__ = ["DEFAULT_LIMITS", "Limits"]


_LEAST: Final = "least"


def _at_least_one(default: int) -> int:
    """A limit that can't be 0, because then nothing could ever move."""
    return field(default=default, metadata={_LEAST: 1})


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds of every buffer, table, queue and wait.  The module's table says what happens at each of them.

    LocalProtocolError: a limit that is negative, not finite, or 0 where then nothing could ever move.
    """

    connection_string_chars: int = 16_384
    auth_chain_chars: int = 16_384
    auth_chain_links: int = 8
    challenge_chars: int = 128
    about_chars: int = 262_144
    answer_chars: int = 65_536
    adapter_hops: int = 4
    retry_after_seconds: float = 3_600.0
    identity_margin_seconds: float = 60.0
    packet_bytes: int = 131_072
    topic_chars: int = 1_024
    unknown_bytes: int = 65_536
    nesting: int = 100
    peers: int = 1_024
    peers_bytes: int = 8_388_608
    join_rate: int = _at_least_one(500)
    identity_chars: int = 256
    name_chars: int = 256
    sid_chars: int = 128
    metadata_chars: int = 65_536
    detail_chars: int = 4_096
    tracks: int = 1_024
    departed_peers: int = 1_024
    back_seconds: float = 120.0
    ignored: int = 1_024
    movement_rate: int = _at_least_one(60)
    chat_rate: int = _at_least_one(30)
    scene_rate: int = _at_least_one(300)
    emote_rate: int = _at_least_one(20)
    profile_rate: int = _at_least_one(10)
    other_rate: int = _at_least_one(120)
    rejected_rate: int = _at_least_one(10)
    bytes_rate: int = _at_least_one(4_194_304)
    burst_seconds: float = 10.0
    stranger_share: int = _at_least_one(16)
    late_seconds: float = 10.0
    jump_metres: float = 32.0
    chat_chars: int = 8_192
    chat_warn_bytes: int = 200
    urn_chars: int = 256
    message_id_chars: int = 96
    reaction_count: int = _at_least_one(100)
    seen_messages: int = 4_096
    scene_warn_bytes: int = 13_268
    scene_bytes: int = 30_000
    movement_bytes: int = 1_024
    offered_profile_bytes: int = 60_000
    rooms: int = 8
    rejoin_attempts: int = 3
    source_seconds: float = 5.0
    profiles: int = 256
    profiles_bytes: int = 4_194_304
    early_packets: int = 256
    early_bytes: int = 1_048_576
    in_flight: int = _at_least_one(64)
    in_flight_bytes: int = 65_536
    send_queue: int = 1_024
    send_queue_bytes: int = 4_194_304
    waiting_verbs: int = 1_024
    waiting_bytes: int = 4_194_304
    waiting_seconds: float = 60.0
    connect_seconds: float = 20.0
    repair_seconds: float = 180.0
    stable_seconds: float = 30.0
    close_seconds: float = 5.0
    call_off_seconds: float = 5.0
    announce_seconds: float = 1.0
    drain_seconds: float = 5.0
    archipelago_stage_seconds: float = 60.0
    ws_room_sign_seconds: float = 1.0
    ws_room_stage_seconds: float = 5.0
    request_seconds: float = 20.0
    request_sign_seconds: float = 45.0
    island_seconds: float = 10.0
    enter_seconds: float = 120.0
    seek_seconds: float = 120.0
    pulse_subjects: int = 4_096
    pulse_listing_seconds: float = 1.0
    pulse_name_chars: int = 256
    enet_packet_bytes: int = 65_536
    enet_send_bytes: int = _at_least_one(1_048_576)
    enet_waiting_bytes: int = 262_144
    enet_peers: int = 4_095
    enet_address_peers: int = 64
    enet_unproved_peers: int = _at_least_one(128)
    enet_prove_seconds: float = 5.0
    pulse_connect_seconds: float = 10.0
    pulse_sign_seconds: float = 20.0
    pulse_stage_seconds: float = 5.0
    aliases: int = 4_096
    server_sockets: int = 4_096
    server_connections: int = 1_024
    server_body_bytes: int = 65_536
    server_request_seconds: float = 10.0
    server_secret_tries: int = 1_024
    pulse_places: int = 4_095
    pulse_replays: int = 4_095
    pulse_departed: int = 4_095
    server_queue_bytes: int = 65_536
    server_rooms: int = 4_096
    server_signal_bytes: int = 1_048_576
    server_signal_queue_bytes: int = 4_194_304
    server_head_bytes: int = 65_536
    server_room_bytes: int = 4_194_304
    server_lossy_bytes: int = 65_536
    server_early_bytes: int = 100_000
    rejoin_seconds: float = 10.0
    signal_bytes: int = 4_194_304
    ice_seconds: float = 10.0
    ice_candidates: int = _at_least_one(32)
    ice_ports: int = _at_least_one(8)
    room_members: int = 4_096
    room_members_bytes: int = 16_777_216
    room_requests: int = 64
    event_queue: int = _at_least_one(16_384)
    event_queue_bytes: int = _at_least_one(67_108_864)
    readers: int = 1_024
    audio_frames: int = _at_least_one(100)
    utterances: int = _at_least_one(16)
    video_frames: int = _at_least_one(4)
    inbox_bytes: int = 33_554_432
    inbox_overhead: int = 128
    fetch_seconds: float = 15.0
    fetch_redirects: int = 4
    fetches: int = 32
    dial_seconds: float = 5.0
    dial_addresses: int = _at_least_one(4)
    socket_bytes: int = 24_576
    socket_queue_bytes: int = 1_048_576
    ping_seconds: float = 20.0
    datagram_bytes: int = _at_least_one(4_096)
    journal_bytes: int = 67_108_864
    people: int = 1_024
    people_bytes: int = 8_388_608
    person_bytes: int = 65_536
    whois_batch: int = _at_least_one(50)
    whois_answer_bytes: int = 2_097_152
    whois_waiting: int = _at_least_one(1_024)
    whois_seconds: float = 5.0
    walk_points: int = _at_least_one(4_096)
    walk_patience_seconds: float = 5.0
    turn_inputs: int = _at_least_one(256)
    turn_bytes: int = _at_least_one(131_072)
    turn_seconds: float = 0.005

    def __post_init__(self) -> None:
        for one in fields(self):
            value = getattr(self, one.name)
            known = isinstance(value, int | float) and not isinstance(value, bool)
            if not (known and one.metadata.get(_LEAST, 0) <= value < inf):
                msg = f"Limits.{one.name} can't be {value!r:.40}"
                raise LocalProtocolError(msg)


DEFAULT_LIMITS = Limits()
