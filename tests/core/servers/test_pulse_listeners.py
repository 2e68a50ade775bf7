"""Listeners of scenes on Pulse: whom they see, and that nobody sees them."""

from __future__ import annotations

from typing import Any

from rigs.core.pulse_server import PulseNet, Walker, at, kind, rectangles

from dcl_comms_core.proto import pulse


def listening(net: PulseNet, number: int, *areas: Any) -> Walker:
    listener = net.walker(number)
    listener.listen(*areas)
    net.run(0.1)
    assert kind(listener.heard()[0]) == "handshake"
    return listener


def test_a_listener_sees_who_is_in_its_area_by_parcels() -> None:
    net = PulseNet()
    inside, outside = net.placed(0, (2, 2)), net.placed(1, (3, 2))
    listener = net.walker(2)
    listener.listen(("Main", (0, 0, 2, 2)))
    net.run(0.1)
    _, joined = listener.heard()
    assert joined.player_joined.user_id == inside.wallet
    outside.move((2, 2))
    net.run(0.1)
    (joined,) = listener.heard()
    assert joined.player_joined.user_id == outside.wallet
    # Neither is told of the listener.
    assert inside.names() == ["player_joined", "player_state_delta"]
    assert outside.names() == ["player_joined"]


def test_an_area_may_be_in_several_realms_and_of_several_rectangles() -> None:
    net = PulseNet()
    walkers = [
        net.placed(0, (100, 100), "main"),
        net.placed(1, (-152, -152), "main"),
        net.placed(2, (100, 100), "w.dcl.eth"),
        net.placed(3, (0, 0), "w.dcl.eth"),
    ]
    listener = net.walker(4)
    listener.listen(
        ("main", (100, 100, 100, 100)),
        ("main", (-152, -152, -150, -150)),
        ("w.dcl.eth", (0, 0, 0, 0)),
        ("x", (1, 1, 1, 1)),
    )
    net.run(0.1)
    seen = {message.player_joined.user_id for message in listener.heard()[1:]}
    assert seen == {walker.wallet for walker in walkers} - {walkers[2].wallet}


def test_a_listener_is_told_everything_at_once_however_far_but_no_profiles() -> None:
    net = PulseNet(delay=(0.0, 0.0))
    walker = net.placed(0, (50, 50))
    listener = listening(net, 1, ("main", (0, 0, 50, 50)))
    walker.say(profile_announcement=pulse.ProfileVersionAnnouncement(version=3))
    for step in range(4):
        walker.move((50, 50), position_x=step + 1, slide_blend=step + 1)
        net.run(0.05)
    assert [message.player_state_delta.slide_blend for message in listener.heard()] == [1, 2, 3, 4]
    walker.say(emote_start=pulse.EmoteStart(emote_id="wave", player_state=at((50, 50))))
    net.run(0.1)
    walker.say(emote_stop=pulse.EmoteStop())
    net.run(0.1)
    walker.teleport((40, 40))
    net.run(0.1)
    assert listener.names() == ["emote_started", "emote_stopped", "teleported"]


def test_what_a_listener_says_as_a_player_is_not_heard() -> None:
    net = PulseNet()
    walker = net.placed(0)
    listener = listening(net, 1, ("main", (0, 0, 1, 1)))
    for _ in range(50):
        listener.teleport()
        listener.move(position_x=300)
        listener.say(emote_start=pulse.EmoteStart())
        listener.say(emote_stop=pulse.EmoteStop())
        listener.say(profile_announcement=pulse.ProfileVersionAnnouncement(version=3))
    net.run(0.3)
    assert (listener.ended, walker.heard()) == (None, [])
    me = net.server.players()[1]
    assert (me.listens, me.realm, me.subject, me.cluster) == (True, None, 1, None)


def test_a_listener_may_ask_again() -> None:
    net = PulseNet()
    net.placed(0)
    listener = listening(net, 1, ("main", (0, 0, 1, 1)))
    listener.say(resync=pulse.ResyncRequest(subject_id=0))
    net.run(0.1)
    assert listener.names() == ["player_state_full"]


def test_a_new_area_counts_on_the_next_tick_and_who_is_left_out_goes_by_the_sweep() -> None:
    net = PulseNet()
    near, far = net.placed(0, (0, 0)), net.placed(1, (30, 0))
    listener = listening(net, 2, ("main", (0, 0, 1, 1)))
    listener.say(scene_listener_update=pulse.SceneListenerUpdate(aoi=rectangles(("main", (30, 0, 31, 1)))))
    net.run(0.1)
    (joined,) = listener.heard()
    assert joined.player_joined.user_id == far.wallet
    near.move(position_x=5)
    net.run(2.5)
    assert listener.heard() == []
    net.run(2.0)
    (left,) = listener.heard()
    assert left.player_left.subject_id == 0


def test_to_a_listener_of_both_realms_who_changes_realm_is_another_one() -> None:
    net = PulseNet()
    walker = net.placed(0)
    listener = listening(net, 1, ("main", (0, 0, 1, 1)), ("w.dcl.eth", (0, 0, 1, 1)))
    walker.teleport((1, 1), "W.dcl.eth")
    net.run(0.1)
    left, joined = listener.heard()
    assert left.player_left.subject_id == joined.player_joined.state.subject_id == 0
    assert joined.player_joined.realm == "w.dcl.eth"


def test_a_listener_is_in_no_cluster() -> None:
    net = PulseNet()
    listening(net, 1, ("main", (0, 0, 1, 1)))
    walker = net.placed(0)
    net.run(2.0)
    assert [change.wallet for change in net.changes()] == [walker.wallet]
    assert net.server.clusters() == {"C1": frozenset({walker.wallet})}
