"""Whole worlds, played by seeds: a realm, Pulse, LiveKit rooms and the network between them."""
