"""The examination: which stages there are for a target, run one after the other."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from dcl_comms_core.adapters.connection_string import (
    LiveKitAdapter,
    OfflineAdapter,
    SimulatorAdapter,
)
from dcl_comms_core.adapters.targets import parse_target
from dcl_comms_core.errors import CommsError, ConnectionStringProblem, InvalidConnectionString
from dcl_comms_station.clean import clean
from dcl_comms_station.doctor.endpoint import endpoint_of, endpoint_of_url
from dcl_comms_station.doctor.findings import Finding, Good, Problem, Skipped, Status, Trial
from dcl_comms_station.doctor.net import get_net
from dcl_comms_station.doctor.network import Reaching
from dcl_comms_station.doctor.realm import RealmVisit
from dcl_comms_station.doctor.room import Visit, unexpected
from dcl_comms_station.doctor.token import judge
from dcl_comms_station.exits import Exit
from dcl_comms_station.visitor import NOBODY

if TYPE_CHECKING:
    from collections.abc import Callable

    from dcl_comms_core.adapters.connection_string import Adapter
    from dcl_comms_station.doctor.endpoint import Endpoint
    from dcl_comms_station.loops import Loop
    from dcl_comms_station.visitor import Visitor

__all__ = ["examine"]

_STRING_FIXES: Final = {
    ConnectionStringProblem.NO_TOKEN: "the part ?access_token=... is missing: copy the whole string",
    ConnectionStringProblem.NOT_A_JWT: "the token is cut short or changed: copy the whole string",
    ConnectionStringProblem.NO_ROOM: "the token is not for a room: ask the realm for a new connection string",
}
_COPY: Final = "copy the whole connection string from where it came from; it begins with livekit:, for instance"
_SLOW: Final = "a firewall may swallow what we send, or the server is overloaded: check host and port, try again"


class _Examination:
    def __init__(self, loop: Loop, text: str, seconds: float, visitor: Visitor) -> None:
        self._loop = loop
        self._visitor = visitor
        self._text = text
        self._seconds = seconds
        self._adapter: Adapter | None = None
        self._endpoint: Endpoint | None = None

    async def parse(self) -> Good:
        try:
            where = parse_target(self._text)
        except InvalidConnectionString as error:
            fix = _STRING_FIXES.get(error.problem, _COPY)
            raise Problem(Exit.USAGE, clean(str(error), limit=300), fix) from None
        if isinstance(where, str):
            self._endpoint = endpoint_of_url(where, "/about")
            url = clean(where, limit=200)
            return Good("the URL of a realm" if self._text.startswith(where) else f"the realm at {url}")
        self._adapter = where
        self._visitor = self._visitor.fitting(where)
        self._endpoint = endpoint_of(where)
        return Good(f"of the kind {where.protocol}:")

    def stages(self) -> tuple[list[Trial], list[Callable[[], object]], Visit | RealmVisit | None]:
        """What follows once the target is known, what is to be closed at the end, and the stay in a room."""
        adapter, endpoint = self._adapter, self._endpoint
        stages: list[Trial] = []
        last = "string"
        closing: list[Callable[[], object]] = []
        visit: Visit | RealmVisit | None = None
        token = adapter.token if isinstance(adapter, LiveKitAdapter) else None
        if token is not None:

            async def read_token() -> Good:
                return judge(token)

            stages.append(Trial("token", read_token))
        if endpoint is not None:
            reaching = Reaching(get_net(self._loop.name), endpoint, "" if token is None else token.reveal(), time.time)
            closing.append(reaching.close)
            stages += [
                Trial("name", reaching.look_up),
                Trial("tcp", reaching.connect, ("name",)),
                *([Trial("tls", reaching.secure, ("tcp",))] if endpoint.secure else []),
            ]
            last = "tls" if endpoint.secure else "tcp"
            # The others take a WebSocket or a POST, and may have nothing to say to a plain question.
            if adapter is None or token is not None:
                stages.append(Trial("http", reaching.ask, (last,)))
                last = "http"
        if isinstance(adapter, LiveKitAdapter | SimulatorAdapter):
            visit = Visit(self._loop, adapter, self._seconds, plain=self._visitor.plain)
            is_real = isinstance(adapter, LiveKitAdapter)
            if is_real:
                stages.append(Trial("engine", visit.start_engine))
            needed = ("token", "http", "engine") if is_real else ()
            stages += [
                Trial("join", visit.join, needed, is_limited=False),
                Trial("announced", visit.await_announcement, ("join",)),
                Trial("packets", visit.send, ("announced",)),
                Trial("leave", visit.leave, ("join",)),
            ]
        elif isinstance(adapter, OfflineAdapter):
            stages.append(Trial("join", _offline))
        else:
            visit = RealmVisit(self._loop, self._text, adapter, self._visitor, self._seconds)
            stages += visit.way_in(last)
        return stages, closing, visit

    async def run(self, stage: Trial, done: dict[str, Status]) -> Finding:
        missing = [name for name in stage.needs if done.get(name) not in {Status.OK, Status.WARNING}]
        if missing:
            return Finding(stage=stage.name, status=Status.SKIPPED, detail=f"needs {', '.join(missing)}")
        began = time.monotonic()
        good: Good | None = None
        problem: Problem | None = None
        async with self._loop.limit(self._seconds if stage.is_limited else None):
            try:
                good = await stage.run()
            except Skipped as error:
                return Finding(stage=stage.name, status=Status.SKIPPED, detail=str(error))
            except Problem as error:
                problem = error
            except (CommsError, ModuleNotFoundError) as error:
                problem = unexpected(error)
                if problem is None:
                    raise
        seconds = time.monotonic() - began
        if good is None:
            problem = problem or Problem(Exit.NETWORK, f"no answer within {self._seconds:g} s", _SLOW)
            return Finding(
                stage=stage.name,
                status=Status.FAILED,
                detail=problem.detail,
                fix=problem.fix,
                seconds=seconds,
                exit_code=problem.exit_code,
            )
        return Finding(
            stage=stage.name,
            status=Status.WARNING if good.warning else Status.OK,
            detail=good.detail,
            fix=good.warning,
            seconds=seconds if good.seconds is None else good.seconds,
            not_shown=good.not_shown,
        )


async def _offline() -> Good:
    return Good("there is nothing to join: the realm says that it is offline")


async def examine(
    loop: Loop, text: str, write: Callable[[Finding], None], *, seconds: float, visitor: Visitor = NOBODY
) -> list[Finding]:
    """Run every stage that there is for a target, each for at most ``seconds``; ``write`` gets each finding at once."""
    examination = _Examination(loop, text, seconds, visitor)
    findings: list[Finding] = []

    async def step(stage: Trial) -> None:
        finding = await examination.run(stage, {finding.stage: finding.status for finding in findings})
        findings.append(finding)
        write(finding)

    await step(Trial("string", examination.parse))
    if findings[0].status is not Status.OK:
        return findings
    stages, closing, visit = examination.stages()
    try:
        for stage in stages:
            await step(stage)
        if isinstance(visit, RealmVisit):
            for stage in visit.inside():
                await step(stage)
    finally:
        for close in closing:
            close()
        if visit is not None:
            await visit.aclose()
    return findings
