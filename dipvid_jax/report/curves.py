"""The geometry of line charts: where points and marks lie in an inline SVG.

`templates/chart.html` draws it. Places are in the SVG's own units, y downwards.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, TypeVar

Points = Sequence[tuple[float, float]]
_T = TypeVar("_T")

_MOST_POINTS = 300  # of a curve
_MOST_HOVERS = 60


class Plot(NamedTuple):
  """The size of a chart, and the edges of the area between its axes."""

  width: int = 480
  height: int = 300
  left: int = 70
  right: int = 466
  top: int = 12
  bottom: int = 254


class Mark(NamedTuple):
  """A labelled line across the chart at a place on one axis."""

  place: float
  label: str


class Hover(NamedTuple):
  """A circle that shows a point's values under the mouse."""

  x: float
  y: float
  text: str


class Curve(NamedTuple):
  """A line through points.

  Attributes:
    name: for the key.
    places: (x, y) of the points.
    hovers: on some of the points.
    dotted: whether the hovers are visible; long curves have none.
  """

  name: str
  places: list[tuple[float, float]]
  hovers: list[Hover]
  dotted: bool


class Chart(NamedTuple):
  """A line chart.

  Attributes:
    label: what a screen reader reads.
    x, y: the axes' names.
    columns: marks of the x axis.
    rows: marks of the y axis.
    curves: at least one.
    plot: the chart's size.
  """

  label: str
  x: str
  y: str
  columns: list[Mark]
  rows: list[Mark]
  curves: list[Curve]
  plot: Plot = Plot()


def line_chart(
  curves: Mapping[str, Points], *, title: str, x: str, y: str, log: bool = False
) -> Chart | None:
  """Places curves in one chart.

  Args:
    curves: points (x, y) by name. Long curves are thinned out evenly; a logarithmic
      scale drops points that are not above 0.
    title: what a screen reader reads, followed by the last values.
    x, y: the axes' names.
    log: y on a logarithmic scale.

  Returns:
    The chart; None if no curve has a point.
  """
  drawn = {
    name: _thin([p for p in points if not log or p[1] > 0], most=_MOST_POINTS)
    for name, points in curves.items()
  }
  drawn = {name: points for name, points in drawn.items() if points}
  if not drawn:
    return None
  plot = Plot()
  xs = [px for points in drawn.values() for px, _ in points]
  ys = [py for points in drawn.values() for _, py in points]
  place_x = _axis(0, max(xs) or 1, plot.left, plot.right)
  low, high = _log_range(ys) if log else _range(ys)
  to_y: Callable[[float], float] = math.log10 if log else float
  line_y = _axis(to_y(low), to_y(high), plot.bottom, plot.top)

  def place(point: tuple[float, float]) -> tuple[float, float]:
    return place_x(point[0]), line_y(to_y(point[1]))

  marks = _log_marks(low, high) if log else _marks(low, high)
  last = ", ".join(f"{name} {points[-1][1]:.4g}" for name, points in drawn.items())
  return Chart(
    label=f"{title}; last values: {last}",
    x=x,
    y=y,
    columns=[Mark(place_x(value), _number(value)) for value in _marks(0, max(xs))],
    rows=[Mark(line_y(to_y(value)), _number(value)) for value in marks],
    curves=[
      _curve(name, points, list(map(place, points))) for name, points in drawn.items()
    ],
  )


def _curve(name: str, points: Points, places: list[tuple[float, float]]) -> Curve:
  both = list(zip(points, places, strict=True))
  hovers = [
    Hover(x, y, f"{name} {py:.6g} at {px:g}")
    for (px, py), (x, y) in _thin(both, most=_MOST_HOVERS)
  ]
  return Curve(name, places, hovers, dotted=len(points) <= _MOST_HOVERS)


def _thin(points: Sequence[_T], *, most: int) -> list[_T]:
  """Picks at most `most` points, evenly spread, with the first and the last."""
  count = min(most, len(points))
  last = len(points) - 1
  return [points[round(i * last / max(count - 1, 1))] for i in range(count)]


def _axis(
  low: float, high: float, start: float, end: float
) -> Callable[[float], float]:
  """Maps values from low to high to places from start to end."""
  span = (high - low) or 1
  return lambda value: start + (value - low) / span * (end - start)


def _range(ys: Sequence[float]) -> tuple[float, float]:
  """The values' range with a margin."""
  low, high = min(ys), max(ys)
  margin = 0.08 * (high - low) or 0.5
  return low - margin, high + margin


def _log_range(ys: Sequence[float]) -> tuple[float, float]:
  """The range of the values, widened to round numbers."""
  steps = [m * 10.0**e for e in range(-20, 21) for m in range(1, 10)]
  low = max((s for s in steps if s <= min(ys)), default=min(ys))
  high = min((s for s in steps if s > max(ys)), default=max(ys))
  return low, high


def _marks(low: float, high: float) -> list[float]:
  """About five round numbers between two values."""
  span = high - low
  if span <= 0:
    return [low]
  power = 10.0 ** math.floor(math.log10(span / 5))
  step = next(m * power for m in (1, 2, 5, 10) if m * power >= span / 5)
  first = math.ceil(low / step - 1e-9)
  return [i * step for i in range(first, math.floor(high / step + 1e-9) + 1)]


def _log_marks(low: float, high: float) -> list[float]:
  """Powers of ten, with more multiples between them the fewer there are."""
  decades = math.log10(high / low)
  multiples: Sequence[int] = (1,)
  if decades <= 2:
    multiples = range(1, 10) if decades <= 0.7 else (1, 2, 5)
  first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
  marks = [m * 10.0**e for e in range(first, last + 1) for m in multiples]
  return [mark for mark in marks if low * 0.999 <= mark <= high * 1.001]


def _number(value: float) -> str:
  if value and (abs(value) < 1e-3 or abs(value) >= 1e6):
    mantissa, exponent = f"{value:.0e}".split("e")
    return f"{mantissa}e{int(exponent)}"
  return f"{value:,.6g}"
