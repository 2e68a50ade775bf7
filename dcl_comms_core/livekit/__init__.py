"""LiveKit's own signalling and its data channels: a client for data as a state machine, over anybody's WebRTC peer."""
