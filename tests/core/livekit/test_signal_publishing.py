"""A track for data, which is there so that the server tells others of us at once: asked for, answered, asked again."""

from __future__ import annotations

import pytest
from rigs.core.canary import assert_no_secret
from rigs.signals.session import LINK, SignalRig

from dcl_comms_core.commands import CloseLink, PublishMicrophone
from dcl_comms_core.inputs import CommandCompleted, CommandFailed, LinkOpened
from dcl_comms_core.proto import livekit

OUTCOME = livekit.RequestOutcome
DONE = CommandCompleted(link=LINK, what="PublishMicrophone")


def asked(rig: SignalRig) -> list[livekit.PublishDataTrackRequest]:
    found = [request.publish_data_track_request for request in rig.requests()]
    return [one for one in found if one is not None]


def publishing() -> SignalRig:
    return SignalRig().opened().do(PublishMicrophone(link=LINK))


def refused(rig: SignalRig, reason: livekit.RequestOutcome, message: str = "") -> SignalRig:
    track = livekit.PublishDataTrackRequest(pub_handle=1)
    return rig.say(request_response=livekit.RequestResponse(reason=reason, message=message, publish_data_track=track))


def test_the_room_says_that_it_takes_no_microphone_to_be_known() -> None:
    assert SignalRig().opened().told(LinkOpened)[0].data_tracks


def test_it_is_asked_for_once_and_answered() -> None:
    rig = publishing().do(PublishMicrophone(link=LINK))
    assert asked(rig) == [livekit.PublishDataTrackRequest(pub_handle=1, name="dcl-comms")]
    for _ in range(2):
        rig.say(publish_data_track_response=livekit.PublishDataTrackResponse())
    assert rig.told(CommandCompleted) == [DONE]
    assert asked(rig.do(PublishMicrophone(link=LINK)))


@pytest.mark.parametrize(
    ("reason", "message", "detail"),
    [
        (OUTCOME.NOT_ALLOWED, "does not have permission to publish data", "does not have permission to publish data"),
        (OUTCOME.INVALID_NAME, "", "INVALID_NAME"),
        (OUTCOME(99), "", "99"),
    ],
)
def test_what_the_server_refuses_is_told(reason: livekit.RequestOutcome, message: str, detail: str) -> None:
    rig = refused(publishing(), reason, message)
    assert rig.told(CommandFailed) == [CommandFailed(link=LINK, what="PublishMicrophone", detail=detail)]
    assert refused(rig, reason, message).told(CommandFailed) == rig.told(CommandFailed)[:1]


def test_a_token_in_the_servers_words_is_not_told() -> None:
    rig = publishing()
    refused(rig, OUTCOME.NOT_ALLOWED, f"not for {rig.secret}")
    assert rig.told(CommandFailed)[0].detail == "not for ***"
    assert_no_secret(rig.secret, rig.news)


def test_whose_answer_was_lost_asks_again_and_it_was_there_already() -> None:
    rig = publishing()
    asked(rig)
    rig.hang_up().pass_time(1.0).connect().say(reconnect=livekit.ReconnectResponse())
    assert len(asked(rig)) == 1
    refused(rig, OUTCOME.DUPLICATE_HANDLE, "a data track with same handle already exists")
    assert (rig.told(CommandCompleted), rig.told(CommandFailed)) == ([DONE], [])
    rig.hang_up().pass_time(1.0).connect().say(reconnect=livekit.ReconnectResponse())
    assert asked(rig) == []


def test_outside_of_a_room_there_is_none() -> None:
    rig = SignalRig().joined().do(PublishMicrophone(link=LINK))
    assert rig.told(CommandFailed)[0].detail == "we are not in the room"
    leaving = SignalRig().opened().do(CloseLink(link=LINK, drain=1.0)).do(PublishMicrophone(link=LINK))
    assert asked(leaving) == []
