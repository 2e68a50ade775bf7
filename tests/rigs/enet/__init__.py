"""ENet's other implementations, to speak with."""
