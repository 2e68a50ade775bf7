"""For whom a datagram is, and what nobody can do with forged ones."""

from __future__ import annotations

from rigs.rooms.house import SERVER, Rooms, check, success

from dcl_comms_core.inputs import DatagramsReceived
from dcl_comms_core.servers.livekit.routes import Routes
from dcl_comms_core.servers.livekit.server import PORT

HERE, THERE = ("10.0.1.1", 1), ("10.0.1.2", 2)


def received(guest):
    return [datagram for call in guest.peer.calls if call[0] == "receive" for datagram in call[1]]


def test_checks_go_by_name_and_all_else_by_address():
    rig = Rooms()
    alice, bob = rig.join("alice"), rig.join("bob")
    alice.datagram(check(bob.peer.name))
    assert received(bob) == [check(bob.peer.name)]
    assert received(alice) == []
    alice.datagram(b"\x17early")
    assert received(bob)[-1] == b"\x17early", "the last check from there was for him"
    alice.datagram(b"\x17early", HERE)
    assert rig.counters["strange"] == 1
    alice.prove()
    alice.datagram(b"\x17data")
    assert received(alice)[-1] == b"\x17data"
    alice.datagram(check("nobody"))
    alice.datagram(check(""))
    alice.datagram(b"\x00\x01")
    alice.datagram(b"")
    alice.datagram(success(bytes(12)))
    alice.datagram(b"\x01\x11error")
    assert received(alice)[-1] == b"\x01\x11error"
    assert rig.counters["strange"] == 5


def test_a_batch_is_given_to_each_in_one():
    rig = Rooms()
    alice, bob = rig.join("alice"), rig.join("bob")
    alice.prove()
    mine, others = check(alice.peer.name), check(bob.peer.name)
    batch = [b"\x17one", b"\x17two", others, check("nobody"), mine, b"\x17three"]
    rig.give(DatagramsReceived(link=PORT, remote=alice.address, datagrams=batch))
    assert [call[1] for call in alice.peer.calls if call[0] == "receive"][-2:] == [
        (b"\x17one", b"\x17two"), (mine, b"\x17three"),
    ]  # fmt: skip
    assert received(bob) == [others]


def test_nobody_takes_an_address_at_which_he_does_not_receive():
    rig = Rooms()
    alice, mallory = rig.enter("alice", "mallory")
    # He knows his own name, and sends as if from her address.
    mallory.datagram(check(mallory.peer.name), alice.address)
    number = bytes(11) + b"\x09"
    mallory.peer.give((("udp", ("10.0.0.1", 7_882), alice.address), check("theirs", number)))
    mallory.datagram(check(mallory.peer.name), alice.address)
    mallory.datagram(success(bytes(12)), alice.address)
    alice.datagram(b"\x17hers")
    assert received(alice)[-1] == b"\x17hers"
    mallory.datagram(success(number), mallory.address)
    alice.datagram(b"\x17hers too")
    assert received(alice)[-1] == b"\x17hers too"


def test_an_address_is_whoever_answers_there_last():
    rig = Rooms()
    alice, bob = rig.enter("alice", "bob")
    bob.prove(alice.address)
    bob.datagram(b"\x17bob", alice.address)
    assert received(bob)[-1] == b"\x17bob"


def test_who_has_gone_is_not_found():
    rig = Rooms()
    alice, bob = rig.enter("alice", "bob")
    number = bytes(11) + b"\x07"
    alice.peer.give((("udp", ("10.0.0.1", 7_882), HERE), check("theirs", number)))
    bob.peer.give((("udp", ("10.0.0.1", 7_882), THERE), check("theirs", number)))
    alice.datagram()
    bob.datagram()
    rig.api("RemoveParticipant", {"room": "plaza", "identity": "alice"})
    before = rig.counters["strange"]
    alice.datagram()
    alice.datagram(check(alice.peer.name))
    alice.datagram(success(number), HERE)
    assert rig.counters["strange"] == before + 3
    bob.datagram(success(number), THERE)
    bob.datagram(b"\x17bob", THERE)
    assert received(bob)[-1] == b"\x17bob"


def test_checks_that_nobody_answers_are_forgotten():
    routes: Routes[str] = Routes()
    for number in range(2_000):
        routes.sent("alice", HERE, check("x", number.to_bytes(12)))
    routes.sent("alice", HERE, b"\x17data")
    assert routes.find(HERE, success((0).to_bytes(12))) is None
    assert routes.find(HERE, success((1_999).to_bytes(12))) == "alice"
    assert routes.find(HERE, success((1_999).to_bytes(12))) is None, "once"


def test_a_name_may_stand_behind_other_attributes_but_not_far():
    routes: Routes[str] = Routes()
    routes.name("alice", ["name"])
    other = b"\x80\x22\x00\x05other\x00\x00\x00"
    assert routes.find(HERE, check("name", before=other)) == "alice"
    assert routes.find(HERE, check("name", before=other * 20)) is None
    routes.name("alice", ["another"])
    assert routes.find(HERE, check("name")) is None
    assert routes.find(HERE, check("another")) == "alice"
    routes.name("bob", [])
    routes.forget("bob")


# --- what an address is sent that nobody proved


def sent_to(rig, address):
    return [datagram for to, datagram in rig.datagrams if to == address]


def test_no_more_bytes_go_to_an_address_than_came_from_it_before_it_is_proved():
    rig = Rooms()
    mallory = rig.join("mallory")
    forged = check(mallory.peer.name)
    way = ("udp", SERVER, THERE)
    for _ in range(50):
        mallory.peer.give((way, success(bytes(12)) + bytes(40)), (way, check("x", bytes(12)) + bytes(60)))
        mallory.datagram(forged, THERE)
        came = len(forged) * sum(1 for one in received(mallory) if one == forged)
        assert sum(map(len, sent_to(rig, THERE))) <= came
    assert sent_to(rig, THERE)


def test_what_waits_goes_once_enough_has_come():
    rig = Rooms()
    alice = rig.join("alice")
    alice.peer.give((("udp", SERVER, HERE), bytes(30)), (("udp", SERVER, HERE), bytes(90)))
    alice.datagram(check(alice.peer.name), HERE)
    assert [len(one) for one in sent_to(rig, HERE)] == [30]
    for _ in range(3):
        alice.datagram(check(alice.peer.name), HERE)
    assert [len(one) for one in sent_to(rig, HERE)] == [30, 90]


def test_only_so_much_waits():
    rig = Rooms()
    alice = rig.join("alice")
    alice.peer.give(*[(("udp", SERVER, HERE), bytes(1_000)) for _ in range(40)])
    alice.datagram(check(alice.peer.name), HERE)
    for number in range(20):
        alice.datagram(check(alice.peer.name), ("10.0.2.1", number))
    alice.datagram(check(alice.peer.name) + bytes(3_000), HERE)
    assert sent_to(rig, HERE) == [], "it was forgotten for others"
    alice.peer.give(*[(("udp", SERVER, HERE), bytes(1_000)) for _ in range(40)])
    for _ in range(100):
        alice.datagram(check(alice.peer.name) + bytes(1_000), HERE)
    assert len(sent_to(rig, HERE)) == 4 + 16


def test_claims_that_nobody_proves_are_forgotten():
    routes: Routes[str] = Routes()
    routes.name("alice", ["name"])
    for number in range(2_000):
        routes.find(("10.0.2.1", number), check("name"))
    assert routes.find(("10.0.2.1", 0), b"\x17data") is None
    assert routes.find(("10.0.2.1", 1_999), b"\x17data") == "alice"
    routes.forget("alice")
    assert routes.find(("10.0.2.1", 1_999), b"\x17data") is None
