"""LiveKit rooms over the wheel's native library; ``ffi`` alone touches its private parts."""
