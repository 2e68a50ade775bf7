"""Figures that stand beside a bound, as there is nobody to compare with."""

from __future__ import annotations

from statistics import median

Row = dict[str, object]

THE_MOST = "the most"


def bounded(case: str, unit: str, figures: list[float], bound: float) -> Row:
    """The median of some figures beside the most that it may be."""
    ours = median(figures)
    return {
        "bench": "station",
        "case": case,
        "unit": unit,
        "ours": round(ours, 2),
        "baseline": bound,
        "baseline_name": THE_MOST,
        "ratio": round(ours / bound, 3),
        "rounds": [[round(figure, 2), bound] for figure in figures],
    }


def compared(case: str, baseline: str, pairs: list[tuple[float, float]]) -> Row:
    """Seconds of both sides in each round, as nanoseconds."""
    return {
        "bench": "station",
        "case": case,
        "unit": "ns/packet",
        "ours": round(median(ours for ours, _ in pairs) * 1e9),
        "baseline": round(median(theirs for _, theirs in pairs) * 1e9),
        "baseline_name": baseline,
        "ratio": round(median(ours / theirs for ours, theirs in pairs), 3),
        "rounds": [[round(ours * 1e9), round(theirs * 1e9)] for ours, theirs in pairs],
    }
