"""Learn: what happened, step by step, and what each step means."""
