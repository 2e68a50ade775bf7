"""The profiles that an embedded realm's lambdas give: ``realm.profiles[address] = Avatar(name="Ada")``."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import TYPE_CHECKING

from dcl_comms_core.avatars.avatar import Avatar
from dcl_comms_core.peers import peer_id

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from dcl_comms_core.peers import Who
    from dcl_comms_core.servers.realm import RealmServer

__all__ = ["RealmProfiles"]


class RealmProfiles(MutableMapping["Who", "Avatar | dict[str, object]"]):
    """Profiles by address, in any letter case.  Reads as the JSON that the realm gives; takes that, or an Avatar."""

    def __init__(self, do: Callable[[Callable[[RealmServer, float], object]], object]) -> None:
        self._do = do

    def __setitem__(self, who: Who, profile: Avatar | dict[str, object]) -> None:
        key = peer_id(who).key
        if isinstance(profile, Avatar):
            profile = {"timestamp": 0, "avatars": [profile.document(key)]}
        document = profile
        self._do(lambda server, _: server.rules.profiles.update({key: document}))

    def __getitem__(self, who: Who) -> dict[str, object]:
        return self._all()[peer_id(who).key]

    def __delitem__(self, who: Who) -> None:
        key = peer_id(who).key
        self._do(lambda server, _: server.rules.profiles.pop(key))

    def __iter__(self) -> Iterator[str]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())

    def _all(self) -> dict[str, dict[str, object]]:
        found: dict[str, dict[str, object]] = {}
        self._do(lambda server, _: found.update(server.rules.profiles))
        return found
