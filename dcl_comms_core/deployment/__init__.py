"""A whole deployment on one virtual clock: a realm, Pulse, LiveKit rooms, machines, and the network between them."""
