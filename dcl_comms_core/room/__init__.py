"""One room over any transport: what comes in, what goes out, what it does by itself, its tracks; ws-rooms."""
