"""A bright square on its way across a dark picture, and how to find it again after a video codec had it.

Picture n has the square's left edge at ``4 n`` (starting over at the right edge) and its upper edge at half of that.
"""

from __future__ import annotations

from itertools import pairwise

WIDTH, HEIGHT, SIDE, STEP = 320, 240, 48, 4
PERIOD = WIDTH - SIDE


def picture(number, *, falling=True):
    """RGBA; ``falling=False`` keeps the square on one height: another pattern."""
    import numpy as np

    pixels = np.full((HEIGHT, WIDTH, 4), (24, 32, 24, 255), dtype=np.uint8)
    left = STEP * number % PERIOD
    top = left // 2 if falling else HEIGHT - SIDE
    pixels[top : top + SIDE, left : left + SIDE, :3] = 235
    return pixels.tobytes()


def found(luma):
    """Where the square is: (left, top) in pixels, to a fraction; None when there is none."""
    import numpy as np

    rows, columns = np.nonzero(luma > 128)
    if len(rows) < SIDE * SIDE // 2:
        return None
    return (float(columns.mean()) - (SIDE - 1) / 2, float(rows.mean()) - (SIDE - 1) / 2)


def follows(places):
    """Whether these places, of one picture after the other, are the square's way.

    Pictures may be missing, on a busy machine many: three quarters of a round between two of them.
    """
    seen = [place for place in places if place is not None]
    if len(seen) < 12 or len(seen) < 0.9 * len(places):
        return False
    off = sorted(abs(top - left / 2) for left, top in seen)
    steps = [(after[0] - before[0]) % PERIOD / STEP for before, after in pairwise(seen)]
    forward = sum(0.5 < step < 0.75 * PERIOD / STEP for step in steps)
    return off[int(0.9 * len(off))] < 3 and forward >= 0.9 * len(steps)
