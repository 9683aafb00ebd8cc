"""PSNR against latency as an SVG that takes the page's colours, and which models nothing beats."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

__all__ = ["Point", "pareto_front", "scatter_svg"]

WIDTH, HEIGHT = 400, 290
"""Small, so that the words stay readable where a phone shrinks it."""
MOST_LETTERS = 40
"""Letters of a name to draw; the table has the whole name."""
LEFT, RIGHT, TOP, BOTTOM = 44, 14, 24, 44


@dataclass(frozen=True)
class Point:
    """A model that both latency and quality are known of."""

    label: str
    milliseconds: float
    psnr_db: float


def pareto_front(points: Sequence[Point]) -> list[Point]:
    """The points than which no other is both as fast and as good, fastest first."""
    front: list[Point] = []
    for point in sorted(points, key=lambda p: (p.milliseconds, -p.psnr_db)):
        if not front or point.psnr_db > front[-1].psnr_db:
            front.append(point)
    return front


def scatter_svg(points: Sequence[Point]) -> str:
    """The plot as an <svg> with a logarithmic axis of latency. Every name is escaped."""
    fastest = min(point.milliseconds for point in points) / 1.15
    slowest = max(point.milliseconds for point in points) * 1.15
    x_ticks = _ticks_between(fastest, slowest)
    y_ticks = _linear_ticks([point.psnr_db for point in points])

    def x_of(milliseconds: float) -> float:
        low, high = math.log(fastest), math.log(slowest)
        share = (math.log(milliseconds) - low) / (high - low)
        return LEFT + share * (WIDTH - LEFT - RIGHT)

    def y_of(psnr: float) -> float:
        share = (psnr - y_ticks[0]) / (y_ticks[-1] - y_ticks[0])
        return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)

    front = pareto_front(points)
    words = "; ".join(f"{p.label}: {p.psnr_db:.2f} dB, {p.milliseconds:.1f} ms" for p in points)
    parts = [
        f'<svg class="scatter" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="PSNR against latency. {escape(words)}">'
    ]
    for tick in x_ticks:
        x = x_of(tick)
        parts.append(f'<path class="grid" d="M{x:.1f} {TOP}V{HEIGHT - BOTTOM}"/>')
        parts.append(
            f'<text x="{x:.1f}" y="{HEIGHT - BOTTOM + 17}" class="middle">{tick:.4g}</text>'
        )
    for tick in y_ticks:
        y = y_of(tick)
        parts.append(f'<path class="grid" d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}"/>')
        parts.append(f'<text x="{LEFT - 7}" y="{y + 4:.1f}" class="end">{tick:.4g}</text>')
    middle = (LEFT + WIDTH - RIGHT) / 2
    parts.append(
        f'<text x="{middle:g}" y="{HEIGHT - 8}" class="middle axis">ms per frame, p50 '
        f'(to the left is faster)</text><text x="4" y="13" class="axis">PSNR, dB</text>'
    )
    steps = [f"{x_of(p.milliseconds):.1f} {y_of(p.psnr_db):.1f}" for p in front]
    parts.append(f'<path class="front" d="M{"L".join(steps)}"/>')
    centres = [(x_of(p.milliseconds), y_of(p.psnr_db)) for p in points]
    taken = [(x - 6, y - 6, x + 6, y + 6) for x, y in centres]
    for point in sorted(points, key=lambda p: p not in front):
        x, y = x_of(point.milliseconds), y_of(point.psnr_db)
        best = " best" if point in front else ""
        parts.append(f'<circle class="point{best}" cx="{x:.1f}" cy="{y:.1f}" r="5"/>')
        parts.append(_label(point.label, x, y, taken))
    return "".join([*parts, "</svg>"])


def _label(label: str, x: float, y: float, taken: list[tuple[float, float, float, float]]) -> str:
    """Places a label beside its point, where no other label is and the picture does not end."""
    label = label if len(label) <= MOST_LETTERS else f"{label[: MOST_LETTERS - 1]}…"
    width = 7.2 * len(label)
    lines = [step for distance in range(0, 160, 13) for step in (-distance, distance)]
    choices = [
        (x + side, y + 4 + line) for line in lines for side in (9, -9 - width, -width / 2)
        if line or side != -width / 2
    ]  # fmt: skip

    def is_free(left: float, base: float) -> bool:
        if left < LEFT or left + width > WIDTH - 2 or not TOP < base < HEIGHT - BOTTOM:
            return False
        return all(
            left + width < x0 or left > x1 or base < y0 or base - 12 > y1
            for x0, y0, x1, y1 in taken
        )

    left, base = next((c for c in choices if is_free(*c)), (LEFT, y + 4))
    taken.append((left - 4, base - 12, left + width + 4, base))
    line = ""
    if abs(base - y - 4) > 14:  # far from its point: say which it is
        line = f'<path class="lead" d="M{x:.1f} {y:.1f}L{left + width / 2:.1f} {base - 4:.1f}"/>'
    return f'{line}<text x="{left:.1f}" y="{base:.1f}" class="label">{escape(label)}</text>'


def _ticks_between(low: float, high: float) -> list[float]:
    """Ticks of a logarithmic axis: round numbers, 3 to 7 of them where possible."""
    if high / low < 6:
        step = next(m * 10.0**e for e in range(-4, 16) for m in (1, 2, 5)
                    if high - low <= 6 * m * 10.0**e)  # fmt: skip
        return [step * number for number in range(math.ceil(low / step), int(high / step) + 1)]
    steps = [m * 10.0**e for e in range(-3, 16) for m in ((1, 2, 5) if high / low < 100 else (1,))]
    return [step for step in steps if low <= step <= high]


def _linear_ticks(values: Sequence[float]) -> list[float]:
    low, high = min(values), max(values)
    steps = (0.5, *(m * 10.0**e for e in range(16) for m in (1, 2, 5)))
    step = next(s for s in steps if (high - low) <= 5 * s)
    first = math.floor(low / step - 0.2)
    last = max(math.ceil(high / step + 0.2), first + 2)
    return [step * number for number in range(first, last + 1)]
