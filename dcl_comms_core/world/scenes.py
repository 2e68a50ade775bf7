"""The scene that we want to be in, who is asked for its room, and what that request says.

=====================================  =============================================================================
the scene is                           its room is given by
=====================================  =============================================================================
anywhere, and ``gatekeeper`` is given  that one
of a local preview (``b64-...``)       the Foundation's gatekeeper for previews, as explorers do: a preview has none
in a world                             the world's own server, ``/worlds/NAME/scenes/ID/comms`` beside its adapter
in a realm that is not on the          the realm, ``<realm>/get-scene-adapter``
internet
anywhere else                          the Foundation's gatekeeper
=====================================  =============================================================================
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import quote

from dcl_comms_core.adapters.connection_string import SignedLoginAdapter
from dcl_comms_core.adapters.url_guard import Place
from dcl_comms_core.identity.signed_fetch import scene_metadata

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dcl_comms_core.adapters.about import Realm
    from dcl_comms_core.adapters.connection_string import Adapter
    from dcl_comms_core.world.login import Login

__all__ = ["GATEKEEPER", "PREVIEW_GATEKEEPER", "Scenes", "Wish"]

GATEKEEPER: Final = "https://comms-gatekeeper.decentraland.org/get-scene-adapter"
"""Who lets into the rooms of Genesis City's scenes."""
PREVIEW_GATEKEEPER: Final = "https://comms-gatekeeper-local.decentraland.org/get-scene-adapter"
"""Who lets into the rooms of scenes that somebody is making."""

_PREVIEW: Final = "b64-"
"""What ids of scenes begin with that are on a disk and nowhere else."""
_PREVIEW_NAME: Final = "LocalPreview"
_MAIN: Final = "main"
_NAME: Final = re.compile(r"[^\x00-\x1f\x7f-\x9f\ud800-\udfff]{1,250}")
"""What a realm may be called."""
_COMMS: Final = re.compile(r"(.*/worlds/[^/?]+)/comms")
_WORLD_URL: Final = re.compile(r"(.*)/world/([^/?]+\.eth)", re.IGNORECASE)


class Wish(NamedTuple):
    """A scene."""

    scene_id: str
    """The entity's."""
    parcel: tuple[int, int]
    """One of its own."""


class Asked(NamedTuple):
    """Who gives a scene's room."""

    adapter: SignedLoginAdapter
    within: Place | None
    """Where the realm is that named it; None: the user did, or it is the Foundation's."""


class Scenes:
    """One wish at a time, and how to ask for it.

    ``target``: the realm's URL, or an adapter.  ``gatekeeper`` and ``realm_name``: as the user said, or None.
    """

    __slots__ = ("_gatekeeper", "_realm_name", "_target", "login", "wanted")

    def __init__(self, target: str | Adapter, *, gatekeeper: str | None, realm_name: str | None, login: Login) -> None:
        self._target = target
        self._gatekeeper = gatekeeper
        self._realm_name = realm_name
        self.login = login
        """What requests for the realm's own room say."""
        self.wanted: Wish | None = None

    def who(self, wish: Wish, realm: Realm | None, place: Place | None) -> Asked:
        """Who is asked.  ``realm``: what the realm said of itself; ``place``: where it was reached."""
        if self._gatekeeper is not None:
            return Asked(SignedLoginAdapter(self._gatekeeper), None)
        if wish.scene_id.startswith(_PREVIEW):
            return Asked(SignedLoginAdapter(PREVIEW_GATEKEEPER), None)
        in_a_world = self._of_a_world(wish, realm, place)
        if in_a_world is not None:
            return in_a_world
        near = isinstance(self._target, str) and place not in {None, Place.PUBLIC}
        return Asked(SignedLoginAdapter(f"{self._target}/get-scene-adapter" if near else GATEKEEPER), None)

    def _of_a_world(self, wish: Wish, realm: Realm | None, place: Place | None) -> Asked | None:
        adapter = self._target if realm is None else realm.adapter or realm.fixed_adapter
        scene = f"/scenes/{quote(wish.scene_id, safe='')}/comms"
        if isinstance(adapter, SignedLoginAdapter) and (beside := _COMMS.fullmatch(adapter.url)):
            return Asked(SignedLoginAdapter(beside[1] + scene), place)
        # One without comms of its own, or with a login in the older place.
        if isinstance(self._target, str) and (named := _WORLD_URL.fullmatch(self._target)):
            return Asked(SignedLoginAdapter(f"{named[1]}/worlds/{named[2].lower()}{scene}"), None)
        return None

    def said_to(self, url: str, wish: Wish, realm: Realm | None) -> Mapping[str, object]:
        """What the request says of the scene."""
        name = self._realm_name or (realm and realm.name) or ""
        if not _NAME.fullmatch(name):
            name = _PREVIEW_NAME if wish.scene_id.startswith(_PREVIEW) else _MAIN
        scene = scene_metadata(scene_id=wish.scene_id, realm_name=name, parcel=wish.parcel)
        return {**scene, **self.login.said_to(url)}
