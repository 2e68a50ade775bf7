"""The frame for bots: commands, what they take, cooldowns, checks, timers, handlers, errors, on the virtual clock."""

from __future__ import annotations

import asyncio
from enum import Enum
from typing import Literal

import pytest
from dcl_comms_bot import BadArgument, Bot, Context, per_command, per_peer
from dcl_comms_drivers.asyncio import connect
from dcl_comms_drivers.testing import Ending, run_bot

from dcl_comms_core import ChatReceived, LocalProtocolError, PeerId, PeerJoined
from dcl_comms_core.testing.script import Join, Remove, Say

BACKENDS = pytest.mark.parametrize("backend", ["asyncio", "trio"])


class Colour(Enum):
    RED = 1
    BLUE = 2


class Dice:
    def __init__(self, count, sides):
        self.count, self.sides = count, sides

    @classmethod
    def parse(cls, text):
        count, sides = text.split("d")
        if int(sides) < 1:
            msg = "a die has a side"
            raise ValueError(msg)
        return cls(int(count), int(sides))


def talk(bot, *lines, backend="asyncio", who="alice", to=None, **settings):
    """What the bot says to these lines, each some seconds after the one before."""
    said = [Say(5.0 + 5.0 * number, who, line, to) for number, line in enumerate(lines)]
    transcript = run_bot(bot, script=[Join(0.0, who), *said], backend=backend, **settings)
    return [text for _, text in transcript.chats]


def example():
    bot = Bot(state=[])

    @bot.command()
    async def roll(ctx: Context, dice: Dice, times: int = 1) -> None:
        """Throw dice.

        Not told.
        """
        ctx.state.append(ctx.sender)
        ctx.reply(f"{dice.count} of {dice.sides}, {times} times")

    @bot.command()
    async def paint(ctx: Context, colour: Colour, loud: bool = False, how: Literal["thin", "thick"] = "thin"):
        ctx.reply(f"{colour.name} {loud} {how}")

    @bot.command(about="Repeats.")
    async def echo(ctx: Context, *, text: str) -> None:
        ctx.reply(text)

    @bot.command(name="sum")
    async def add(ctx: Context, *numbers: float) -> None:
        ctx.reply(f"{sum(numbers):g}")

    @bot.command()
    async def find(ctx: Context, who: PeerId, limit: int | None = None) -> None:
        ctx.reply(f"{who.key} {limit}")

    return bot


@BACKENDS
@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ("!roll 2d6", "2 of 6, 1 times"),
        ("!ROLL 1d20 3", "1 of 20, 3 times"),
        ("!roll", "dice is missing. !roll <dice> [times]"),
        ("!roll 1d0", "dice: '1d0' is no Dice (a die has a side). !roll <dice> [times]"),
        ("!roll 1d6 often", "times: 'often' is no int. !roll <dice> [times]"),
        ("!roll 1d6 2 3", "too much: 3. !roll <dice> [times]"),
        ("!paint red", "RED False thin"),
        ("!paint Blue yes thick", "BLUE True thick"),
        ("!paint green", "colour: 'green' is none of red, blue. !paint <colour> [loud] [how]"),
        ("!paint red perhaps", "loud: 'perhaps' is none of yes or no. !paint <colour> [loud] [how]"),
        ("!paint red no fat", "how: 'fat' is none of thin, thick. !paint <colour> [loud] [how]"),
        ("!echo  it's  so ", "it's  so"),
        ("!echo !echo !echo", " !echo !echo"),
        ("!echo", "text is missing. !echo <text...>"),
        ("!sum 1 2.5 'three'", "numbers: 'three' is no float. !sum [numbers...]"),
        ("!sum 1 2.5", "3.5"),
        ("!sum it's", 'numbers: "it\'s" is no float. !sum [numbers...]'),
        ("!sum", "0"),
        ("!find '0xABC'", "0xabc None"),
        ("!find 0xABC 7", "0xabc 7"),
        (
            "!help",
            "I know !help [command], !roll <dice> [times], !paint <colour> [loud] [how], !echo <text...>, !sum [numbers...], !find <who> [limit]",
        ),
        ("!help !roll", "!roll <dice> [times]: Throw dice."),
        ("!help dance", "there is no dance"),
    ],
)
def test_commands_take_what_their_functions_say(line, answer, backend):
    answers = talk(example(), line, backend=backend)
    assert [text.removeprefix(" ") for text in answers] == [answer.removeprefix(" ")]


def test_who_is_no_command_and_what_is_none_is_left_alone():
    bot = example()
    assert talk(bot, "roll 1d6", "!dance", "! roll", "", "!roll 1d6") == ["1 of 6, 1 times"]
    assert bot.state == [PeerId("alice")]


def test_whispers_are_answered_in_private_and_public_words_in_public():
    bot = Bot()

    @bot.command()
    async def where(ctx: Context, public: bool | None = None) -> None:
        ctx.reply("here", private=None if public is None else not public)

    def privacy(line, to):
        transcript = run_bot(bot, script=[Join(0.0, "alice"), Say(5.0, "alice", line, to)])
        return [command.to for command in transcript.sent if command.to is not None or command.reliable][-1]

    assert privacy("!where", None) is None
    assert privacy("!where", ("bot",)) == ("alice",)
    assert privacy("!where yes", ("bot",)) is None
    assert privacy("!where no", None) == ("alice",)


def test_two_bots_of_a_kind_do_not_talk_for_ever():
    def repeater():
        bot = Bot(help=False)

        @bot.command()
        async def echo(ctx: Context, *, text: str) -> None:
            ctx.reply(text)

        return bot

    transcript = run_bot(
        repeater(), peers={"other": repeater()}, script=[Join(0.0, "alice"), Say(5.0, "alice", "!echo !echo !echo hi")]
    )
    assert len(transcript.chats) == 1


@BACKENDS
def test_cooldowns_follow_the_virtual_clock(backend):
    bot = Bot()

    @bot.command(cooldown=per_peer(60.0, times=2))
    async def mine(ctx: Context) -> None:
        ctx.reply("yours")

    @bot.command(cooldown=per_command(0.5))
    async def ours(ctx: Context) -> None:
        ctx.reply("everybody's")

    script = [
        Join(0.0, "alice"),
        Join(0.0, "bob"),
        *(Say(at, "alice", "!mine") for at in (10.0, 20.0, 30.0, 70.5)),
        Say(31.0, "bob", "!mine"),
        Say(80.0, "alice", "!ours"),
        Say(80.25, "bob", "!ours"),
        Say(81.0, "bob", "!ours"),
    ]
    transcript = run_bot(bot, script=script, backend=backend, seconds=200.0)
    assert [text for _, text in transcript.chats] == [
        "yours",
        "yours",
        "wait 40 s",
        "yours",
        "yours",
        "everybody's",
        "not so fast",
        "everybody's",
    ]


def test_a_cooldown_forgets_the_oldest():
    cooldown = per_peer(60.0)

    class Event:
        at = 1.0

        def __init__(self, name):
            self.sender = PeerId(name)

    assert cooldown.take(Event("first")) == 0.0
    assert cooldown.take(Event("first")) == 60.0
    for number in range(10_000):
        cooldown.take(Event(str(number)))
    assert cooldown.take(Event("first")) == 0.0


def test_checks_say_who_may():
    bot = Bot()

    @bot.command(check=lambda ctx: ctx.sender == PeerId("Alice"))
    async def quiet(ctx: Context) -> None:
        ctx.reply("as you wish")

    @bot.command(check=lambda ctx: "only for bob" if ctx.sender != PeerId("bob") else True)
    async def loud(ctx: Context) -> None:
        ctx.reply("never")

    assert talk(bot, "!quiet", "!loud") == ["as you wish", "only for bob"]
    assert talk(bot, "!quiet", "!loud", who="bob") == ["never"]


@BACKENDS
def test_handlers_and_timers_run_beside_each_other(backend):
    bot = Bot(state=[])

    @bot.on(PeerJoined)
    async def greet(ctx: Context, event: PeerJoined) -> None:
        await ctx.sleep(10.0)
        ctx.room.chat(f"hello {event.sender.text}")

    @bot.on(PeerJoined)
    async def count(ctx: Context, event: PeerJoined) -> None:
        ctx.state.append(event.sender.text)

    @bot.every(20.0)
    async def remind(ctx: Context) -> None:
        ctx.room.chat("still here")
        with pytest.raises(LocalProtocolError, match="nobody used a command"):
            _ = ctx.sender

    transcript = run_bot(bot, script=[Join(0.0, "alice"), Join(6.0, "bob")], backend=backend, seconds=50.0)
    told = [(round(at), text) for at, text in transcript.chats]
    assert [text for _, text in told] == ["hello alice", "hello bob", "still here", "still here"]
    assert [at for at, text in told if text == "still here"] == [20, 40]
    assert bot.state == ["alice", "bob"]
    assert transcript.ending is Ending.TIME_OVER


@BACKENDS
def test_a_room_that_ends_ends_the_bot(backend):
    bot = Bot()

    @bot.every(1.0)
    async def remind(ctx: Context) -> None:
        ctx.room.chat("still here")

    transcript = run_bot(bot, script=[Remove(5.5, "bot")], backend=backend)
    assert transcript.ending is Ending.LOST


@BACKENDS
def test_what_a_handler_raises_comes_out_unless_somebody_is_told_of_it(backend):
    def broken():
        bot = Bot()

        @bot.command()
        async def fail(ctx: Context) -> None:
            raise ZeroDivisionError(ctx.sender.text)

        return bot

    with pytest.raises(ZeroDivisionError, match="alice"):
        talk(broken(), "!fail", backend=backend)
    bot = broken()

    @bot.on_error
    async def tell(ctx: Context, error: Exception) -> None:
        ctx.reply(f"that failed: {error}")

    assert talk(bot, "!fail", "!fail", backend=backend) == ["that failed: alice"] * 2


def test_a_flood_of_events_waits_for_its_handlers():
    bot = Bot(state=[0, 0])

    @bot.command()
    async def slow(ctx: Context) -> None:
        ctx.state[0] += 1
        ctx.state[1] = max(ctx.state)
        await ctx.sleep(1.0)
        ctx.state[0] -= 1

    script = [Join(0.0, "alice"), *(Say(5.0, "alice", "!slow") for _ in range(250))]
    run_bot(bot, script=script, seconds=60.0)
    assert bot.state[0] == 0
    assert 50 < bot.state[1] <= 100


def test_a_long_answer_is_cut():
    bot = Bot()

    @bot.command()
    async def write(ctx: Context) -> None:
        ctx.reply("x" * 100_000)

    (text,) = talk(bot, "!write")
    assert text.endswith("x…")
    assert len(text) == 8192


def test_what_cannot_be_registered_is_refused():
    bot = example()
    with pytest.raises(LocalProtocolError, match="there is a command 'roll' already"):
        bot.command(name="Roll")(lambda ctx: None)
    with pytest.raises(LocalProtocolError, match="takes a Context first"):
        bot.command(name="nothing")(lambda: None)
    with pytest.raises(LocalProtocolError, match="only the last argument"):

        async def two(ctx, *, text, more):
            pass

        bot.command()(two)
    with pytest.raises(LocalProtocolError, match="a prefix"):
        Bot(prefix="")
    with pytest.raises(LocalProtocolError, match="more than 0"):
        bot.every(0.0)
    with pytest.raises(LocalProtocolError, match="a number of seconds"):
        bot.every("often")
    assert issubclass(BadArgument, ValueError)


def test_where_it_connects_by_itself_errors_are_logged_and_the_bot_goes_on(caplog):
    bot = Bot()

    @bot.command()
    async def fail(ctx: Context) -> None:
        raise ZeroDivisionError(ctx.sender.text)

    @bot.command()
    async def leave(ctx: Context) -> None:
        await ctx.room.aclose()

    async def main():
        target = "simulator:frame"
        async with asyncio.timeout(40), connect(target) as friend:
            running = asyncio.create_task(bot.start(target))
            joined = await friend.wait_for(PeerJoined)
            friend.chat("!fail")
            friend.chat("!help")
            heard = await friend.wait_for(ChatReceived, sender=joined.sender)
            assert heard.text == "I know !help [command], !fail, !leave"
            friend.chat("!leave")
            await running

    asyncio.run(main())
    assert [record.exc_info[0] for record in caplog.records if record.name == "dcl_comms.bot"] == [ZeroDivisionError]
