"""Bad weather: what can be done in the rooms as they are, what waits for one, and when to connect again."""
