"""Small things without any protocol in them: URLs, dates, JSON, timers, pauses, seeded numbers."""
