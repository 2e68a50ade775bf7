"""A session on a WebSocket whose server the test plays: frames in, frames out, no clock."""

from __future__ import annotations

from typing import Any

from rigs.core.chains import NOW, ROOT, identity
from rigs.core.waits import check

from dcl_comms_core import (
    ArchipelagoAdapter,
    ArchipelagoSession,
    ChallengeGuard,
    ChallengeResponseMessage,
    ClientPacket,
    ClockSet,
    CloseReason,
    CloseSocket,
    FrameReceived,
    LinkRef,
    OpenSocket,
    Place,
    SendFrame,
    ServerPacket,
    SignatureNeeded,
    SocketClosed,
    SocketOpened,
    WelcomeMessage,
    WsChallengeRequired,
    WsPacket,
    WsRoomAdapter,
    WsRoomSession,
    WsWelcome,
    decode_message,
    encode,
)

GUARD = ChallengeGuard(["realm.example"])
REALM = ArchipelagoAdapter("wss://realm.example/ws")
WS_ROOM = WsRoomAdapter("wss://realm.example/rooms/plaza")
CHALLENGE = "dcl-0.4fzyo82mvyr"
ME = ROOT.address.lower()


class SocketRig:
    """A session, what it was told to say, and what it said."""

    outgoing: Any
    incoming: Any

    def __init__(self, session: Any, *, clock: bool = True) -> None:
        self.session = session
        self.now = 0.0
        self.link = LinkRef(1, 0)
        self.frames: list[Any] = []
        """What it sent, decoded."""
        self.tokens: list[int] = []
        self.others: list[Any] = []
        """Its commands that are not frames."""
        if clock:
            session.receive(ClockSet(unix_offset=NOW), now=0.0)

    def drain(self) -> None:
        check(self.session)
        for command in self.session.commands():
            if isinstance(command, SendFrame):
                assert command.link == self.link
                self.frames.append(decode_message(self.outgoing, command.data))
                self.tokens.append(command.token)
            else:
                self.others.append(command)
                if isinstance(command, OpenSocket):
                    self.link = command.link

    def take_events(self, *kinds: type) -> list[Any]:
        self.drain()
        return [event for event in self.session.events() if not kinds or isinstance(event, kinds)]

    def take_frames(self) -> list[Any]:
        self.drain()
        frames, self.frames = self.frames, []
        return frames

    def take_others(self) -> list[Any]:
        self.drain()
        others, self.others = self.others, []
        return others

    def open(self) -> None:
        """Call open(); the socket is asked for and not there yet."""
        self.session.open(now=self.now)
        self.drain()

    def connected(self) -> None:
        self.tell(SocketOpened(link=self.link, place=Place.PUBLIC))

    def tell(self, inp: Any) -> None:
        self.session.receive(inp, now=self.now)
        self.drain()

    def say(self, *, late: int = 0, raw: bytes | None = None, **fields: Any) -> None:
        """The server says something."""
        data = encode(self.incoming(**fields)) if raw is None else raw
        self.tell(FrameReceived(link=LinkRef(self.link.link, self.link.generation - late), data=data))

    def sign(self) -> None:
        (needed,) = self.take_events(SignatureNeeded)
        self.session.provide_signature(needed.request, identity().sign(needed.payload), now=self.now)
        self.drain()

    def gone(self, code: int = 1005, reason: CloseReason = CloseReason.NETWORK, detail: str = "") -> None:
        """The socket is over."""
        self.tell(SocketClosed(link=self.link, code=code, reason=reason, detail=detail))

    def wait(self, seconds: float) -> None:
        """Let time pass, timer by timer."""
        end = self.now + seconds
        while (deadline := self.session.deadline()) is not None and deadline <= end:
            self.now = max(self.now, deadline)
            self.session.handle_timeout(self.now)
            self.drain()
        self.now = end
        self.session.handle_timeout(end)
        self.drain()

    @property
    def hung_up(self) -> bool:
        """Whether it told the newest socket to close."""
        self.drain()
        return any(isinstance(other, CloseSocket) and other.link == self.link for other in self.others)

    def challenge(self, text: str = CHALLENGE, *, already: bool = False) -> None:
        """The server asks for a signature."""
        raise NotImplementedError

    def welcome(self) -> None:
        """The server lets us in."""
        raise NotImplementedError

    def enter(self) -> None:
        """The whole handshake."""
        self.open()
        self.shake_hands()

    def shake_hands(self) -> None:
        self.connected()
        self.challenge()
        self.sign()
        self.welcome()


class RealmRig(SocketRig):
    """An ArchipelagoSession."""

    outgoing = ClientPacket
    incoming = ServerPacket

    def __init__(
        self, *, clock: bool = True, adapter: Any = REALM, make: Any = ArchipelagoSession, **options: Any
    ) -> None:
        options = {"address": ROOT.address, "guard": GUARD, **options}
        super().__init__(make(adapter, **options), clock=clock)

    def challenge(self, text: str = CHALLENGE, *, already: bool = False) -> None:
        self.say(challenge_response=ChallengeResponseMessage(text, already))

    def welcome(self, peer_id: str = ME) -> None:
        self.say(welcome=WelcomeMessage(peer_id))


class RoomRig(SocketRig):
    """A WsRoomSession."""

    outgoing = WsPacket
    incoming = WsPacket

    def __init__(
        self, *, clock: bool = True, adapter: Any = WS_ROOM, make: Any = WsRoomSession, **options: Any
    ) -> None:
        options = {"address": ROOT.address, "guard": GUARD, **options}
        super().__init__(make(adapter, **options), clock=clock)

    def challenge(self, text: str = CHALLENGE, *, already: bool = False) -> None:
        self.say(challenge_message=WsChallengeRequired(text, already))

    def welcome(self, others: dict[int, str] | None = None, alias: int = 7) -> None:
        self.say(welcome_message=WsWelcome(alias, others))
