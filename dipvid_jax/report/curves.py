"""Line charts as inline SVG, which needs neither a library nor a network."""

import html
import math
from collections.abc import Mapping, Sequence
from typing import TypeVar

Points = Sequence[tuple[float, float]]
_T = TypeVar("_T")

_WIDTH, _HEIGHT = 480, 300
_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 14, 12, 46
_MOST_POINTS = 300  # of a curve
_MOST_HOVERS = 60


def line_chart(
  curves: Mapping[str, Points], *, title: str, x: str, y: str, log: bool = False
) -> str:
  """Draws curves into one chart.

  Args:
    curves: points (x, y) by name; long ones are thinned out evenly. On a logarithmic
      scale those that are not above 0 are left out.
    title: what a screen reader says of it, with the last values.
    x, y: the axes' names.
    log: y on a logarithmic scale.

  Returns:
    A key and an `<svg>` element; a paragraph where there is nothing to draw.
  """
  drawn = {
    name: _thin([p for p in points if not log or p[1] > 0], most=_MOST_POINTS)
    for name, points in curves.items()
  }
  drawn = {name: points for name, points in drawn.items() if points}
  if not drawn:
    return '<p class="quiet">Nothing yet.</p>'
  xs = [px for points in drawn.values() for px, _ in points]
  ys = [py for points in drawn.values() for _, py in points]
  place_x = _axis(0, max(xs) or 1, _LEFT, _WIDTH - _RIGHT)
  low, high = _log_range(ys) if log else _range(ys)
  to_y = math.log10 if log else float
  line_y = _axis(to_y(low), to_y(high), _HEIGHT - _BOTTOM, _TOP)

  def place_y(value):
    return line_y(to_y(value))

  marks = _log_marks(low, high) if log else _marks(low, high)
  parts = [
    *(_horizontal(place_y(value), _number(value)) for value in marks),
    *(_vertical(place_x(value), _number(value)) for value in _marks(0, max(xs))),
    _axis_names(x, y),
  ]
  for number, (name, points) in enumerate(drawn.items()):
    placed = [(place_x(px), place_y(py)) for px, py in points]
    parts += [_curve(number, placed), *_hovers(number, name, points, placed)]
  last = ", ".join(f"{name} {points[-1][1]:.4g}" for name, points in drawn.items())
  label = html.escape(f"{title}; last values: {last}")
  return (
    f'{_legend(drawn)}<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img"'
    f' aria-label="{label}">{"".join(parts)}</svg>'
  )


def _thin(points: Sequence[_T], *, most: int) -> list[_T]:
  """At most so many points, evenly spread, the first and the last among them."""
  count = min(most, len(points))
  last = len(points) - 1
  return [points[round(i * last / max(count - 1, 1))] for i in range(count)]


def _axis(low, high, start, end):
  """Maps values from low to high to pixels from start to end."""
  span = (high - low) or 1
  return lambda value: start + (value - low) / span * (end - start)


def _range(ys):
  low, high = min(ys), max(ys)
  margin = 0.08 * (high - low) or 0.5
  return low - margin, high + margin


def _log_range(ys):
  """From a round number to another."""
  steps = [m * 10.0**e for e in range(-20, 21) for m in range(1, 10)]
  low = max((s for s in steps if s <= min(ys)), default=min(ys))
  high = min((s for s in steps if s > max(ys)), default=max(ys))
  return low, high


def _marks(low, high):
  """About five round numbers between two values."""
  span = high - low
  if span <= 0:
    return [low]
  power = 10.0 ** math.floor(math.log10(span / 5))
  step = next(m * power for m in (1, 2, 5, 10) if m * power >= span / 5)
  first = math.ceil(low / step - 1e-9)
  return [i * step for i in range(first, math.floor(high / step + 1e-9) + 1)]


def _log_marks(low, high):
  """Powers of ten, and the fewer there are the more multiples of them."""
  decades = math.log10(high / low)
  multiples = range(1, 10) if decades <= 0.7 else (1, 2, 5) if decades <= 2 else (1,)
  first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
  marks = [m * 10.0**e for e in range(first, last + 1) for m in multiples]
  return [mark for mark in marks if low * 0.999 <= mark <= high * 1.001]


def _number(value):
  if value and (abs(value) < 1e-3 or abs(value) >= 1e6):
    mantissa, exponent = f"{value:.0e}".split("e")
    return f"{mantissa}e{int(exponent)}"
  return f"{value:,.6g}"


def _horizontal(y, label):
  return (
    f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}"'
    f' y2="{y:.1f}"/><text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{label}'
    "</text>"
  )


def _vertical(x, label):
  bottom = _HEIGHT - _BOTTOM
  return (
    f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{_TOP}" y2="{bottom}"/>'
    f'<text x="{x:.1f}" y="{bottom + 17}" text-anchor="middle">{label}</text>'
  )


def _axis_names(x, y):
  middle = (_LEFT + _WIDTH - _RIGHT) / 2
  height = (_TOP + _HEIGHT - _BOTTOM) / 2
  return (
    f'<text x="{middle}" y="{_HEIGHT - 8}" text-anchor="middle">{html.escape(x)}</text>'
    f'<text transform="translate(13 {height}) rotate(-90)" text-anchor="middle">'
    f"{html.escape(y)}</text>"
  )


def _legend(names):
  """A key in words, for the text around the chart wraps where the chart cannot."""
  keys = "".join(
    f'<span class="key k{number}">{html.escape(name)}</span>'
    for number, name in enumerate(names)
  )
  return f'<p class="legend">{keys}</p>'


def _curve(number, placed):
  way = " ".join(f"{x:.1f},{y:.1f}" for x, y in placed)
  return f'<polyline class="curve c{number}" points="{way}"/>'


def _hovers(number, name, points, placed):
  """Circles that tell their values; drawn where there are few."""
  shown = " dot" if len(points) <= _MOST_HOVERS else ""
  both = list(zip(points, placed, strict=True))
  return [
    f'<circle class="hover c{number}{shown}" cx="{x:.1f}" cy="{y:.1f}" r="3.5"><title>'
    f"{html.escape(name)} {py:.6g} at {px:g}</title></circle>"
    for (px, py), (x, y) in _thin(both, most=_MOST_HOVERS)
  ]
