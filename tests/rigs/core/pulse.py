"""Messages of Pulse as they went over the wire: bytes of one ENet packet each, and what they hold."""

from __future__ import annotations

from typing import Any

from dcl_comms_core.proto import pulse

State, Full, Delta = pulse.PlayerState, pulse.PlayerStateFull, pulse.PlayerStateDeltaTier0
WALLET = "0xc2a05384ae6e031baabf708e454c00b3d49e2bca"


def joined(profile: int, sequence: int, tick: int, state: pulse.PlayerState) -> pulse.PlayerJoined:
    return pulse.PlayerJoined(WALLET, profile, Full(0, sequence, tick, state), "main")


CLIENT: dict[str, tuple[str, dict[str, Any]]] = {
    "teleport": ("3a1008e8fa021080012080012a046d61696e",
                 {"teleport": pulse.TeleportRequest(48488, 128, 0, 128, "main")}),
    "input": ("12120a1008e8fa021041204038504020480a6801",
              {"input": pulse.PlayerStateInput(State(48488, 65, 0, 64, 0, 0, 80, 32, 10, state_flags=1))}),
    "input, all fields": (
        "12310a2f08e8fa021051183d2046280c305138ff01407f481f500f5800607868e1017002780380018080048801059001889104",
        {"input": pulse.PlayerStateInput(
            State(48488, 81, 61, 70, 12, 81, 255, 127, 31, 15, 0, 120, 225, pulse.GlideState.GLIDING, 3, 65536, 5, 67720)
        )}),
    "resync": ("1a021015", {"resync": pulse.ResyncRequest(0, 21)}),
    "resync of a later subject": ("1a03088906", {"resync": pulse.ResyncRequest(777, 0)}),
    "emote start": ("2a170a047761766510e8071a0a08e9fa021015204668012001",
                    {"emote_start": pulse.EmoteStart("wave", 1000, State(48489, 21, 0, 70, state_flags=1), 1)}),
    "emote stop": ("3200", {"emote_stop": pulse.EmoteStop()}),
    "profile version": ("22020807", {"profile_announcement": pulse.ProfileVersionAnnouncement(7)}),
    "listener update": (
        "4a120a100a046d61696e12080801100118022002",
        {"scene_listener_update": pulse.SceneListenerUpdate(
            [pulse.SceneListenerAoi("main", [pulse.ParcelRect(-1, -1, 1, 1)])]
        )}),
    "handshake": (
        "0a2b0a027b7d10041a230a0d08e8fa02100920800140056801120564616e636518b0ea0120c4132a046d61696e",
        {"handshake": pulse.HandshakeRequest(b"{}", 4, pulse.PlayerInitialState(
            State(48488, 9, 0, 128, rotation_y=5, state_flags=1), "dance", 30000, 2500, "main"
        ))}),
}  # fmt: skip
"""What a client sends: hex, and the fields of the ClientMessage."""

SERVER: dict[str, tuple[str, dict[str, Any]]] = {
    "welcome": ("0a020801", {"handshake": pulse.HandshakeResponse(success=True)}),
    "refused": ("0a261224496e76616c6964207369676e617475726520666f722066696e616c207061796c6f61642e",
                {"handshake": pulse.HandshakeResponse(error="Invalid signature for final payload.")}),
    "joined": (
        ("22460a2a3078633261303533383461653665303331626161626637303865343534633030623364343965326263611a121001188ad202"
         "220a08e8fa0210402040680122046d61696e"), {"player_joined": joined(0, 1, 43274, State(48488, 64, 0, 64, state_flags=1))}),
    "joined again": (
        ("224a0a2a307863326130353338346165366530333162616162663730386534353463303062336434396532626361"
         "10091a14102b18b6ff03220c08a7fd02108001208001680122046d61696e"),
        {"player_joined": joined(9, 43, 65462, State(48807, 128, 0, 128, state_flags=1))}),
    "delta": ("1a10100118022089d602304158506020680a",
              {"player_state_delta": Delta(0, 1, 2, 43785, position_x=65, velocity_z=80, rotation_y=32, movement_blend=10)}),
    "first delta of subject 0": ("1a0718012088233009", {"player_state_delta": Delta(0, 0, 1, 4488, position_x=9)}),
    "delta without fields": ("1a08100c180d20e0de02", {"player_state_delta": Delta(0, 12, 13, 44896)}),
    "delta of two inputs": ("1a0f101018122097e20230514080016021",
                            {"player_state_delta": Delta(0, 16, 18, 45335, position_x=81, position_z=128, rotation_y=33)}),
    "delta of all fields": (
        "1a351012181320c4e402383d4046480c505158ff01607f681f700f78008001788801e101900102980103a001808004a80105b001889104",
        {"player_state_delta": Delta(
            0, 18, 19, 45636, None, None, 61, 70, 12, 81, 255, 127, 31, 15, 0, 120, 225, pulse.GlideState.GLIDING, 3,
            65536, 5, 67720,
        )}),
    "delta back to zeros": (
        "1a1f1013181420fae6023800480050005800600068007000880101900100980100",
        {"player_state_delta": Delta(
            0, 19, 20, 45946, None, None, 0, None, 0, 0, 0, 0, 0, 0, None, None, 1, pulse.GlideState.PROP_CLOSED, 0
        )}),
    "delta into the next parcel": ("1a0e1014181520a6e90228e9fa023000",
                                   {"player_state_delta": Delta(0, 20, 21, 46246, 48489, 0)}),
    "delta after a gap": ("1a0a1018181920feed023014", {"player_state_delta": Delta(0, 24, 25, 46846, position_x=20)}),
    "full": ("1212101918feed02220a08e9fa02101420466801",
             {"player_state_full": Full(0, 25, 46846, State(48489, 20, 0, 70, state_flags=1))}),
    "emote started": ("3a18101b18d3fd022204776176652a0a08e9fa02101520466801",
                      {"emote_started": pulse.EmoteStarted(0, 27, 48851, "wave", State(48489, 21, 0, 70, state_flags=1))}),
    "emote started with a mask": (
        "3a1a101b18d3fd022204776176652a0a08e9fa021015204668013001",
        {"emote_started": pulse.EmoteStarted(0, 27, 48851, "wave", State(48489, 21, 0, 70, state_flags=1), 1)}),
    "emote stopped": (
        "421410ae8d031801201c2a0a08e9fa02101520466801",
        {"emote_stopped": pulse.EmoteStopped(
            0, 50862, pulse.EmoteStopReason.CANCELLED, 28, State(48489, 21, 0, 70, state_flags=1)
        )}),
    "emote over": (
        "421210bb8503201c2a0a08e9fa02101520466801",
        {"emote_stopped": pulse.EmoteStopped(
            0, 49851, pulse.EmoteStopReason.COMPLETED, 28, State(48489, 21, 0, 70, state_flags=1)
        )}),
    "teleported": ("4a18102618b69f03220a08a8fd021005200668012a046d61696e",
                   {"teleported": pulse.TeleportPerformed(0, 38, 53174, State(48808, 5, 0, 6, state_flags=1), "main")}),
    "profile of subject 0": ("32021007", {"player_profile_version_announced": pulse.PlayerProfileVersionsAnnounced(0, 7)}),
    "profile of subject 1": ("320408011003",
                             {"player_profile_version_announced": pulse.PlayerProfileVersionsAnnounced(1, 3)}),
    "left: subject 0": ("2a00", {"player_left": pulse.PlayerLeft(0)}),
    "left: subject 1": ("2a020801", {"player_left": pulse.PlayerLeft(1)}),
    "one tick: teleported": ("4a18100418ac12220b08e8fa02107820800168012a046d61696e",
                             {"teleported": pulse.TeleportPerformed(0, 4, 2348, State(48488, 120, 0, 128, state_flags=1), "main")}),
    "one tick: emote stopped": (
        "421410ac12180120032a0b08e8fa0210632080016801",
        {"emote_stopped": pulse.EmoteStopped(
            0, 2348, pulse.EmoteStopReason.CANCELLED, 3, State(48488, 99, 0, 128, state_flags=1)
        )}),
    "one tick: the delta after": ("1a091004180520bf153079", {"player_state_delta": Delta(0, 4, 5, 2751, position_x=121)}),
}  # fmt: skip
"""What a server sends: hex, and the fields of the ServerMessage."""


def sent(name: str) -> bytes:
    """A message of a server, as bytes."""
    return bytes.fromhex(SERVER[name][0])


def told(name: str) -> pulse.ServerMessage:
    """A message of a server."""
    return pulse.ServerMessage(**SERVER[name][1])
