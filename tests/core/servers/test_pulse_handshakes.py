"""Who gets into Pulse and who doesn't: proofs, tries, repeats, bans, second logins."""

from __future__ import annotations

import json
from typing import Any

import pytest
from rigs.core.chains import NOW, ROOT
from rigs.core.pulse_server import PulseNet, at, kind, login, proof

from dcl_comms_core import AuthIdentity, Limits, LocalProtocolError
from dcl_comms_core.proto import pulse
from dcl_comms_core.pulse.reasons import DisconnectReason
from dcl_comms_core.servers.pulse import PulseSettings
from dcl_comms_core.servers.pulse.proof import read_proof


def answer(walker: Any) -> pulse.HandshakeResponse:
    walker.net.run(0.1)
    (message,) = walker.heard()
    assert message.handshake is not None
    return message.handshake


def test_who_proves_who_it_is_is_in() -> None:
    net = PulseNet()
    walker = net.walker()
    walker.shake()
    assert answer(walker) == pulse.HandshakeResponse(success=True)
    (player,) = net.server.players()
    assert (player.wallet, player.session, player.subject) == (walker.wallet, walker.session, 0)
    assert (player.realm, player.listens, player.cluster, player.emote) == (None, False, None, None)
    assert net.server.counters["welcomed"] == 1


def test_names_of_headers_may_be_in_any_case_and_metadata_is_verbatim() -> None:
    net = PulseNet()
    walker = net.walker()
    shouted = {key.upper(): value for key, value in json.loads(proof(login(0), metadata='{"A": "b"}')).items()}
    walker.shake(json.dumps(shouted).encode())
    assert answer(walker).success


def test_a_wallet_may_sign_for_itself() -> None:
    """A chain without a delegation: the session is the wallet's own address."""
    net = PulseNet()
    walker = net.walker()
    payload = "connect:/:5:{}"
    links = [
        {"type": "SIGNER", "payload": ROOT.address, "signature": ""},
        {"type": "ECDSA_SIGNED_ENTITY", "payload": payload, "signature": ROOT.sign(payload)},
    ]
    said = {f"x-identity-auth-chain-{index}": json.dumps(link) for index, link in enumerate(links)}
    walker.shake(json.dumps(said | {"x-identity-timestamp": "5", "x-identity-metadata": "{}"}).encode())
    assert answer(walker).success
    assert net.server.players()[0].session == ROOT.address.lower()


@pytest.mark.parametrize("text", [b"", b"{", b"null", b"[]", b'{"x-identity-auth-chain-0": 5}', b"\xff{}"])
def test_what_is_no_object_of_texts_is_refused(text: bytes) -> None:
    walker = PulseNet().walker()
    walker.shake(text)
    assert answer(walker).error == "Invalid auth chain JSON"
    assert walker.ended is None


@pytest.mark.parametrize(
    ("chain", "error"),
    [
        (b"{}", "No x-identity-auth-chain-* headers found."),
        (b'{"x-identity-auth-chain-0": "{"}', "Invalid auth chain: not a JSON list of links"),
        (proof(login(0)).replace(b"Login", b"Logon"), "Invalid signature for final payload."),
        (proof(login(0)).replace(b"connect:/", b"get:/"), "Final link rejected by policy."),
        (proof(login(0), **{"x-identity-timestamp": "6"}), "Final link rejected by policy."),
    ],
)
def test_what_proves_nothing_is_refused_with_a_text(chain: bytes, error: str) -> None:
    walker = PulseNet().walker()
    walker.shake(chain)
    refused = answer(walker)
    assert not refused.success
    assert refused.error == error


def test_a_login_that_is_over_proves_nothing() -> None:
    net = PulseNet()
    net.server.set_clock(NOW + 4_000 - net.now)
    walker = net.walker()
    walker.shake()
    assert not answer(walker).success


def test_nothing_is_judged_without_a_clock() -> None:
    net = PulseNet(clock=False)
    walker = net.walker()
    walker.shake()
    with pytest.raises(LocalProtocolError, match="set_clock"):
        net.run(0.1)


def test_any_length_of_chain_costs_little() -> None:
    proven = read_proof(b'{"a": "' + b"b" * 20_000 + b'"}', unix_now=NOW, verifier=None, limits=Limits())  # type: ignore[arg-type]  # not asked
    assert proven == "Invalid auth chain JSON"


def test_a_third_try_ends_it_even_a_good_one() -> None:
    net = PulseNet()
    walker = net.walker()
    for _ in range(2):
        walker.shake(b"{}")
        assert not answer(walker).success
    walker.shake()
    net.run(0.1)
    assert (walker.ended, walker.heard()) == (DisconnectReason.AUTH_FAILED, [])
    assert net.server.counters["failed"] == 2


def test_a_second_try_may_be_the_good_one_and_later_ones_are_not_heard() -> None:
    net = PulseNet()
    walker = net.walker()
    walker.shake(b"{}")
    assert not answer(walker).success
    walker.shake()
    assert answer(walker).success
    for _ in range(5):
        walker.shake()
        walker.listen(("main", (0, 0, 0, 0)))
    net.run(0.2)
    assert (walker.heard(), walker.ended) == ([], None)


def test_the_same_handshake_is_not_taken_twice_for_half_a_minute() -> None:
    net = PulseNet()
    first, chain = net.walker(), proof(login(0))
    first.shake(chain)
    assert answer(first).success
    again = net.walker()
    again.shake(chain)
    net.run(0.1)
    assert (again.ended, again.heard()) == (DisconnectReason.HANDSHAKE_REPLAY_REJECTED, [])
    # It changed nothing for who was in.
    assert first.ended is None
    net.run(30.0)
    again = net.walker()
    again.shake(chain)
    assert answer(again).success


def test_at_the_limit_repeats_are_not_remembered() -> None:
    net = PulseNet(limits=Limits(pulse_replays=0))
    for _ in range(2):
        walker = net.walker()
        walker.shake(proof(login(0)))
        assert answer(walker).success


def test_who_says_nothing_for_half_a_minute_is_let_go() -> None:
    net = PulseNet()
    early, late = net.walker(), net.walker(1)
    net.run(20.0)
    late.shake()
    net.run(9.9)
    assert early.ended is None
    net.run(0.3)
    assert early.ended is DisconnectReason.AUTH_TIMEOUT
    assert late.ended is None


def test_before_the_proof_nothing_else_is_heard() -> None:
    net = PulseNet()
    watcher, walker = net.placed(1), net.walker()
    walker.teleport()
    walker.move(position_x=200_000)
    walker.say(emote_start=pulse.EmoteStart())
    walker.say()
    net.run(0.5)
    assert (walker.ended, watcher.heard()) == (None, [])


def test_handshake_teleport_and_input_may_be_said_at_once() -> None:
    net = PulseNet()
    watcher, walker = net.placed(1), net.walker()
    walker.shake()
    walker.teleport(position_x=9)
    walker.move(position_x=10)
    net.run(0.2)
    (joined,) = watcher.heard()
    assert kind(joined) == "player_joined"
    assert joined.player_joined.state.sequence == 1


# --- second logins


def test_the_newest_session_of_a_wallet_wins() -> None:
    net = PulseNet()
    older = net.placed(0)
    newer = net.placed(0, machine="b", phone=1)
    net.run(0.1)
    assert (older.ended, newer.ended) == (DisconnectReason.DUPLICATE_SESSION, None)
    (player,) = net.server.players()
    assert (player.session, player.subject) == (newer.session, 1)


def test_a_listener_with_a_players_wallet_takes_its_place_and_the_other_way_round() -> None:
    net = PulseNet()
    player = net.placed(0)
    listener = net.walker(0, machine="b")
    listener.listen(("main", (0, 0, 5, 5)))
    net.run(0.1)
    assert (player.ended, listener.names()) == (DisconnectReason.DUPLICATE_SESSION, ["handshake"])
    player = net.placed(0)
    net.run(0.1)
    assert listener.ended is DisconnectReason.DUPLICATE_SESSION


def test_others_are_told_of_the_new_session_at_once_and_of_the_olds_end_later() -> None:
    net = PulseNet()
    watcher, older = net.placed(1), net.placed(0)
    (joined,) = watcher.heard()
    net.placed(0, phone=1)
    (second,) = watcher.heard()
    assert joined.player_joined.state.subject_id == 1
    assert second.player_joined.state.subject_id == 2
    assert second.player_joined.user_id == joined.player_joined.user_id == older.wallet
    net.run(4.1)
    (left,) = watcher.heard()
    assert left.player_left.subject_id == 1


# --- bans


def test_who_is_banned_is_let_go_and_does_not_come_in_again() -> None:
    net = PulseNet()
    walker = net.placed(0)
    net.server.ban(walker.identity.address, now=net.now)
    net.run(0.1)
    assert walker.ended is DisconnectReason.BANNED
    again = net.walker(0)
    again.shake()
    net.run(0.1)
    # The answer goes with what waits.
    assert (again.ended, again.heard()) == (DisconnectReason.BANNED, [])
    net.server.unban(walker.identity.address)
    assert net.welcomed(0).ended is None


def test_bans_may_be_shared_with_others() -> None:
    bans: set[str] = set()
    net = PulseNet(bans=bans)
    bans.add(login(0).address.lower())
    walker = net.walker(0)
    walker.shake()
    net.run(0.1)
    assert walker.ended is DisconnectReason.BANNED


def test_a_ban_does_not_use_up_the_handshake() -> None:
    net = PulseNet()
    chain = proof(login(0))
    net.server.ban(login(0).address, now=net.now)
    walker = net.walker(0)
    walker.shake(chain)
    net.run(0.1)
    net.server.unban(login(0).address)
    walker = net.walker(0)
    walker.shake(chain)
    assert answer(walker).success


def test_a_kick_has_a_reason_and_knows_who_is_there() -> None:
    net = PulseNet()
    walker = net.placed(0)
    assert not net.server.kick(login(1).address, now=net.now)
    assert net.server.kick(walker.identity.address, now=net.now)
    net.run(0.1)
    assert walker.ended is DisconnectReason.GRACEFUL
    assert net.server.players() == ()


# --- coming back with a state


def start(**fields: Any) -> pulse.PlayerInitialState:
    return pulse.PlayerInitialState(**({"state": at((0, 0), position_x=9, state_flags=1), "realm": "Main"} | fields))


def test_who_comes_back_with_a_state_is_seen_without_a_teleport() -> None:
    net = PulseNet()
    watcher, walker = net.placed(1), net.walker()
    walker.shake(initial_state=start())
    net.run(0.1)
    assert walker.names() == ["handshake", "player_joined"]
    (joined,) = watcher.heard()
    assert joined.player_joined.realm == "main"
    assert (joined.player_joined.state.sequence, joined.player_joined.state.state.position_x) == (0, 9)


def test_an_emote_that_is_on_began_before() -> None:
    net = PulseNet()
    watcher, walker = net.placed(1), net.walker()
    net.run(5.0)
    watcher.heard()
    began = round((net.now - 1_000.0) * 1_000)
    walker.shake(
        initial_state=start(emote_id="dance", emote_start_offset_ms=2_500, emote_duration_ms=4_000, emote_mask=2)
    )
    net.run(0.1)
    joined, emote = watcher.heard()
    assert kind(joined) == "player_joined"
    assert emote.emote_started.sequence == joined.player_joined.state.sequence
    assert (emote.emote_started.emote_id, emote.emote_started.mask) == ("dance", 2)
    assert abs(emote.emote_started.server_tick - (began - 2_500)) <= 20
    net.run(1.6)
    assert [message.emote_stopped.reason.value for message in watcher.heard()] == [0]


def test_an_emote_can_not_have_begun_before_the_server() -> None:
    net = PulseNet()
    watcher, walker = net.placed(1), net.walker()
    walker.shake(initial_state=start(emote_id="dance", emote_start_offset_ms=4_000_000))
    net.run(0.1)
    assert watcher.heard()[1].emote_started.server_tick == 0


@pytest.mark.parametrize(
    "fields",
    [
        {"state": None},
        {"state": at((0, 0), position_x=256)},
        {"state": pulse.PlayerState(parcel_index=99_534)},
        {"realm": ""},
        {"realm": "x" * 256},
        {"emote_duration_ms": 60_001},
    ],
)
def test_a_state_that_can_not_be_ends_it(fields: dict[str, Any]) -> None:
    net = PulseNet()
    walker = net.walker()
    walker.shake(initial_state=start(**fields))
    net.run(0.1)
    assert (walker.ended, walker.heard()) == (DisconnectReason.INVALID_HANDSHAKE_FIELD, [])
    assert net.server.players() == ()


def test_a_state_at_its_limits_can_be() -> None:
    net = PulseNet(settings=PulseSettings(realm_chars=4))
    walker = net.walker()
    walker.shake(initial_state=start(realm="Main", emote_duration_ms=60_000))
    assert answer(walker).success


def test_the_authority_of_a_chain() -> None:
    identity: AuthIdentity = login(0)
    chain = identity.sign("anything")
    assert chain.authority == identity.ephemeral_address.lower()
