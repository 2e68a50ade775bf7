"""What we may do in a room, and the token that lets us in: in both the server's newest word counts."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NoReturn

from dcl_comms_core.adapters.token import Grants
from dcl_comms_core.errors import PermissionMissing

if TYPE_CHECKING:
    from dcl_comms_core.adapters.token import AccessToken
    from dcl_comms_core.inputs import Permissions, TrackSource

__all__ = ["Permit"]


class Permit:
    """What the token grants, until the server says otherwise.  Without a token everything is granted."""

    __slots__ = ("_given_first", "_grants", "_token", "may_send")

    def __init__(self, token: AccessToken | None) -> None:
        self._token = token
        self._given_first = None if token is None else token.grants
        """A newer token grants no more what was taken away meanwhile."""
        self._grants: Grants | None = None
        self.may_send = True
        """Whether the server passes our packets on."""
        self._hold(self._given_first)

    @property
    def token(self) -> AccessToken | None:
        """The newest one; None: the room needs none."""
        return self._token

    @property
    def grants(self) -> Grants | None:
        """What we may do now; None: everything."""
        return self._grants

    def entered(self, permissions: Permissions | None) -> bool:
        """We are in the room, and this is what the server says; None: nothing.  True: it is another thing than before.

        A server begins with what the token says, which may be more than it let us do before.
        """
        before = self._grants
        if self._token is not None:
            self._hold(self._token.grants)
        if permissions is not None:
            self.given(permissions)
        return self._grants != before

    def given(self, permissions: Permissions) -> bool:
        """The server lets us do this from now on.  True: it is another thing than before."""
        before = self._grants
        self._hold(
            replace(
                Grants(room_join=True) if before is None else before,
                can_publish=permissions.can_publish,
                can_publish_data=permissions.can_publish_data,
                can_subscribe=permissions.can_subscribe,
                can_publish_sources=permissions.can_publish_sources,
                can_update_own_metadata=permissions.can_update_own_metadata,
                hidden=permissions.hidden,
            )
        )
        return self._grants != before

    def renew(self, token: AccessToken) -> None:
        """The server gave us another token; what it grants counts when we join with it."""
        self._token = token

    def may_publish(self, source: str) -> bool:
        """Whether a track may be published from this source."""
        return self._grants is None or self._grants.may_publish(source)

    def refuse_to_send(self) -> NoReturn:
        """Say why there is no ``may_send``: PermissionMissing."""
        taken = self._given_first is None or self._given_first.can_publish_data
        raise PermissionMissing("canPublishData", "the server would drop every packet in silence", taken=taken)

    def check_subscribe(self) -> None:
        """PermissionMissing: no track would come."""
        if self._grants is not None and not self._grants.can_subscribe:
            taken = self._given_first is None or self._given_first.can_subscribe
            raise PermissionMissing("canSubscribe", "the server would send no track", taken=taken)

    def check_publish(self, source: TrackSource) -> None:
        """PermissionMissing: the server would refuse a track from this source."""
        if not self.may_publish(source.value):
            taken = self._given_first is None or self._given_first.may_publish(source.value)
            raise PermissionMissing("canPublishSources", f"{source.value} is not among the sources", taken=taken)

    def _hold(self, grants: Grants | None) -> None:
        self._grants = grants
        self.may_send = grants is None or grants.can_publish_data
