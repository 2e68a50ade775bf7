"""The scene that we want to be in, who is asked for its room, and what requests for rooms say of us."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from dcl_comms_core.adapters.connection_string import SignedLoginAdapter
from dcl_comms_core.adapters.url_guard import Place
from dcl_comms_core.identity.signed_fetch import login_metadata, scene_metadata

if TYPE_CHECKING:
    from dcl_comms_core.adapters.about import Realm
    from dcl_comms_core.adapters.connection_string import Adapter

__all__ = ["GATEKEEPER", "Scenes"]

GATEKEEPER: Final = "https://comms-gatekeeper.decentraland.org/get-scene-adapter"
"""Who lets into the rooms of scenes, in Genesis City and in worlds."""

_WORLD: Final = re.compile(r"[A-Za-z0-9._-]{1,250}\.eth", re.IGNORECASE)
"""What /about calls a world.  All other realms are one to the gatekeeper: Genesis City."""


class Scenes:
    """One wish at a time, and how to ask for it.

    ``target``: the realm's URL, or an adapter.  ``gatekeeper`` and ``realm_name``: as the user said, or None.
    """

    __slots__ = ("_gatekeeper", "_is_guest", "_realm_name", "_target", "wanted")

    def __init__(
        self, target: str | Adapter, *, gatekeeper: str | None, realm_name: str | None, is_guest: bool
    ) -> None:
        self._target = target
        self._gatekeeper = gatekeeper
        self._realm_name = realm_name
        self._is_guest = is_guest
        self.wanted: tuple[str, tuple[int, int]] | None = None
        """The entity's id, and a parcel of its own."""

    @property
    def login(self) -> dict[str, object]:
        """What a request for the realm's own room says."""
        return login_metadata(is_guest=self._is_guest)

    def gatekeeper(self, place: Place | None) -> SignedLoginAdapter:
        """Who is asked.  ``place``: where the realm was reached."""
        if self._gatekeeper is not None:
            return SignedLoginAdapter(self._gatekeeper)
        near = isinstance(self._target, str) and place not in {None, Place.PUBLIC}
        return SignedLoginAdapter(f"{self._target}/get-scene-adapter" if near else GATEKEEPER)

    def metadata(self, scene_id: str, parcel: tuple[int, int], realm: Realm | None) -> dict[str, object]:
        """What the request says of the scene.  ``realm``: what the realm said of itself."""
        name = self._realm_name
        if name is None:
            told = "" if realm is None else realm.name or ""
            name = told if _WORLD.fullmatch(told) else "main"
        return scene_metadata(scene_id=scene_id, realm_name=name, parcel=parcel, is_guest=self._is_guest)
