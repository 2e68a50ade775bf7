"""The handshake on a WebSocket that the island service and ws-rooms share, its frames, a session with that service."""
