"""How to test a bot: one conversation as an example, and then whatever anybody may send, on a clock that jumps.

Run it with ``pytest examples/test_your_bot``.
"""

from __future__ import annotations

from typing import Literal

import pytest
from dcl_comms_drivers.testing import Ending, run_bot
from dice_bot import DiceBot
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from dcl_comms_core.proto import rfc4
from dcl_comms_core.testing.script import Action, Join, Leave, Raw, Say
from dcl_comms_core.testing.strategies import hostile_bytes, scripts

# What the bot understands, and what is nearly that: strategies need a hint of the language.
commands = st.from_regex(r"!rolls|!roll [0-9]d[0-9]", fullmatch=True)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_conversation(backend: Literal["asyncio", "trio"]) -> None:
    script = [Join(0.0, "alice"), Say(4.0, "alice", "!roll 2d6"), Say(5.0, "alice", "!rolls"), Leave(6.0, "alice")]
    transcript = run_bot(DiceBot().run, script=script, backend=backend)
    (_, total), (_, rolls) = transcript.chats
    assert 2 <= int(total) <= 12
    assert rolls == "alice: 1"
    assert transcript.ending is Ending.IDLE  # it is still there, and waits


# All phases but the one that explains, which runs every line under a tracer.
PHASES = (Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink)
sayings = st.builds(Say, st.floats(4.0, 30.0), st.just("alice"), commands | st.text(max_size=8))


@settings(max_examples=60, deadline=None, phases=PHASES, derandomize=True)
@given(st.lists(sayings, max_size=4))
def test_whatever_they_write_it_lives(careful: bool, said: list[Say]) -> None:
    """No exception comes out of the bot."""
    run_bot(DiceBot(careful=careful).run, script=[Join(0.0, "alice"), *said])


@settings(max_examples=15, deadline=None, phases=PHASES, derandomize=True)
@given(scripts(texts=commands, max_size=8))
def test_whatever_happens_it_lives(script: list[Action]) -> None:
    """People come, write, move and leave, the network fails, the server ends."""
    run_bot(DiceBot().run, script=script)


@settings(max_examples=15, deadline=None, phases=PHASES, derandomize=True)
@given(st.lists(hostile_bytes(rfc4.Packet), max_size=5))
def test_bytes_that_are_meant_to_hurt(packets: list[bytes]) -> None:
    script = [Join(0.0, "mallory"), *(Raw(4.0 + number, "mallory", data) for number, data in enumerate(packets))]
    transcript = run_bot(DiceBot().run, script=[*script, Say(30.0, "mallory", "!rolls")])
    assert transcript.chats[-1][1] == "nobody rolled yet"
