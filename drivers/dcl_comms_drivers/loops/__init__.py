"""What a driver needs of an event loop, the loops that give it, and the pump."""
