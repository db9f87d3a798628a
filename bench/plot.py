"""A curve as SVG: logarithmic axes, a line for each program, a bar from the smallest to the largest round."""

import math
from xml.sax.saxutils import escape

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 560, 300, 64, 130, 16, 44
COLOURS = ("#0b6e4f", "#c8553d", "#3d5a98", "#8a6d3b")


def axis(values, start, stop, logarithmic):
    """value -> place on the page."""
    turn = math.log if logarithmic else float
    low, high = turn(min(values)), turn(max(values))
    return lambda value: start + (turn(value) - low) / ((high - low) or 1) * (stop - start)


def ticks(low, high):
    """1, 2 and 5 times powers of ten, the first and last one outside."""
    steps = [m * 10.0**e for e in range(-4, 8) for m in (1, 2, 5)]
    below = max(step for step in steps if step <= low)
    above = min(step for step in steps if step >= high)
    return [step for step in steps if below <= step <= above]


def short(value):
    for limit, sign in ((1e6, "M"), (1e3, "k")):
        if value >= limit:
            return f"{value / limit:g}{sign}"
    return f"{value:g}"


def frame(xs, marks, x_at, y_at, x_label, y_label, number, name):
    parts = []
    for mark in marks:
        y = y_at(mark)
        parts.append(f'<path d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}" stroke="#ddd"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{number(mark)}</text>')
    for x in xs:
        parts.append(
            f'<text x="{x_at(x):.1f}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle">{escape(name(x))}</text>'
        )
    middle = (LEFT + WIDTH - RIGHT) / 2
    parts.append(f'<text x="{middle}" y="{HEIGHT - 8}" text-anchor="middle">{escape(x_label)}</text>')
    parts.append(
        f'<text transform="translate(14 {(TOP + HEIGHT - BOTTOM) / 2}) rotate(-90)" text-anchor="middle">'
        f"{escape(y_label)}</text>"
    )
    return parts


def line(points, x_at, y_at, colour, label, place):
    """points: {x: [values of the rounds]}."""
    middles = {x: sorted(values)[len(values) // 2] for x, values in points.items()}
    path = " ".join(f"{x_at(x):.1f},{y_at(y):.1f}" for x, y in middles.items())
    parts = [f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>']
    for x, values in points.items():
        parts.append(f'<path d="M{x_at(x):.1f} {y_at(min(values)):.1f}V{y_at(max(values)):.1f}" stroke="{colour}"/>')
        parts.append(f'<circle cx="{x_at(x):.1f}" cy="{y_at(middles[x]):.1f}" r="3" fill="{colour}"/>')
    y = TOP + 14 + 18 * place
    parts.append(f'<path d="M{WIDTH - RIGHT + 10} {y - 4}h18" stroke="{colour}" stroke-width="2"/>')
    parts.append(f'<text x="{WIDTH - RIGHT + 33}" y="{y}">{escape(label)}</text>')
    return parts


def svg(lines, x_label, y_label, name="{:,}".format, straight=False, percent=False):
    """lines: {label: {x: [values]}}; x in one order for all. Both axes are logarithmic, or none where `straight`;
    percent: the heights are shares, on a straight axis from 0 to 100 %."""
    xs = list(dict.fromkeys(x for points in lines.values() for x in points))
    values = [value for points in lines.values() for found in points.values() for value in found]
    marks, number = (0, 0.25, 0.5, 0.75, 1), "{:.0%}".format
    if not percent:
        marks, number = (linear_ticks if straight else ticks)(min(values), max(values)), short
    x_at = axis(xs, LEFT + 12, WIDTH - RIGHT - 12, not straight)
    y_at = axis(marks, HEIGHT - BOTTOM, TOP, not (straight or percent))
    shown = xs if len(xs) <= 12 else xs[:: len(xs) // 8]
    parts = frame(shown, marks, x_at, y_at, x_label, y_label, number, name)
    for place, (label, points) in enumerate(lines.items()):
        parts += line(points, x_at, y_at, COLOURS[place % len(COLOURS)], label, place)
    size = f'viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}"'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" font-size="11">'
        f'<rect width="100%" height="100%" fill="#fff"/>{"".join(parts)}</svg>\n'
    )


def linear_ticks(low, high):
    step = 10.0 ** math.floor(math.log10((high - low) or 1))
    if (high - low) / step < 3:
        step /= 4
    first, last = math.floor(low / step), math.ceil(high / step)
    return [round(step * i, 10) for i in range(first, last + 1)]
