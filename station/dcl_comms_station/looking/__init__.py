"""What ``peers``, ``stats`` and ``profile`` find out, and how they tell it."""
