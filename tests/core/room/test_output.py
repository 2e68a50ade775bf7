"""What a session gives out."""

from __future__ import annotations

from dcl_comms_core import CloseLink, LinkRef, PeerId, PeerLeft, WarningCode
from dcl_comms_core.events import Warning as WarningEvent
from dcl_comms_core.room.output import Output
from dcl_comms_core.tools.clock import Clock

FIRST, SECOND = (CloseLink(link=LinkRef(1, generation)) for generation in (1, 2))
GONE = PeerLeft(at=0.0, room="main", sender=PeerId("alice"))


def test_what_was_put_in_is_taken_once_and_in_order() -> None:
    output = Output("main", Clock())
    output.commands += [FIRST, SECOND]
    output.events.append(GONE)
    assert (output.take_commands(), output.take_events()) == ([FIRST, SECOND], [GONE])
    assert (output.take_commands(), output.take_events()) == ([], [])


def test_taking_leaves_the_lists_to_those_who_hold_them() -> None:
    output = Output("main", Clock())
    commands, events = output.commands, output.events
    output.commands.append(FIRST)
    taken = output.take_commands()
    output.take_events()
    commands.append(SECOND)
    events.append(GONE)
    assert taken == [FIRST]
    assert (output.take_commands(), output.take_events()) == ([SECOND], [GONE])


def test_a_warning_says_when_and_in_which_room() -> None:
    clock = Clock()
    clock.pass_time(2.5)
    output = Output("main", clock)
    output.warn(WarningCode.SILENT, "a text")
    assert output.take_events() == [WarningEvent(at=2.5, room="main", code=WarningCode.SILENT, text="a text")]
