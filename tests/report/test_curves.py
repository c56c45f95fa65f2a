"""Charts: points lie where their values say, and long curves stay small."""

import math
import re
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

from dipvid_jax.report.curves import line_chart
from dipvid_jax.report.page import environment


def draw(curves, **settings):
  """A chart as HTML."""
  chart = line_chart(curves, **settings)
  return environment().get_template("chart.html").module.line_chart(chart)


def parse(chart):
  """The `<svg>` element of a chart."""
  return ElementTree.fromstring(chart[chart.index("<svg") :])


def hovers(svg, name):
  """`(x value, y value, x pixel, y pixel)` of a curve's circles."""
  rows = []
  for circle in svg.iter("circle"):
    text = circle.find("title").text
    if match := re.fullmatch(rf"{name} (\S+) at (\S+)", text):
      place = float(circle.get("cx")), float(circle.get("cy"))
      rows.append((float(match[2]), float(match[1]), *place))
  return rows


def marks(svg, *, anchor):
  """`(value, pixel)` of an axis's numbers."""
  axis = {"end": "y", "middle": "x"}[anchor]
  texts = [t for t in svg.iter("text") if t.get("text-anchor") == anchor]
  numbers = [t for t in texts if re.fullmatch(r"[-\d.,e]+", t.text)]
  # A number's baseline is 4 pixels below its line.
  shift = 4 if axis == "y" else 0
  return [(float(t.text.replace(",", "")), float(t.get(axis)) - shift) for t in numbers]


UPDATES = [100, 200, 300, 400]
LOSSES = [0.51, 0.043, 0.0071, 0.0065]


@pytest.mark.parametrize("log", [False, True])
def test_points_lie_where_the_axes_say(log):
  svg = parse(
    draw(
      {"image": list(zip(UPDATES, LOSSES, strict=True))},
      title="Losses",
      x="updates",
      y="loss",
      log=log,
    )
  )
  found = hovers(svg, "image")
  assert [row[0] for row in found] == UPDATES
  assert [row[1] for row in found] == LOSSES
  for anchor, value, pixel, scale in (
    ("middle", 0, 2, float),
    ("end", 1, 3, math.log10 if log else float),
  ):
    known = marks(svg, anchor=anchor)
    assert len(known) >= 3
    slope, offset = np.polyfit([scale(v) for v, _ in known], [p for _, p in known], 1)
    for row in found:
      assert row[pixel] == pytest.approx(slope * scale(row[value]) + offset, abs=0.2)
  line = [p.split(",") for p in svg.find("polyline").get("points").split()]
  assert [(float(x), float(y)) for x, y in line] == [row[2:] for row in found]


def test_everything_stays_within_the_picture():
  points = [(i, 10.0 ** (i % 7 - 5)) for i in range(1, 40)]
  svg = parse(draw({"a": points}, title="t", x="x", y="y", log=True))
  _, _, width, height = map(float, svg.get("viewBox").split())
  for _, _, x, y in hovers(svg, "a"):
    assert 0 < x < width and 0 < y < height


@pytest.mark.parametrize(
  "values", [[0.5], [20.0, 20.0], [1e-9, 3e-9], [-3.0, 4.0, 5e6]]
)
def test_odd_ranges_are_drawn(values):
  points = list(enumerate(values))
  svg = parse(draw({"a": points}, title="t", x="x", y="y"))
  assert [row[1] for row in hovers(svg, "a")] == pytest.approx(values)
  heights = [row[3] for row in hovers(svg, "a")]
  assert all(math.isfinite(height) for height in heights)


def test_points_without_a_logarithm_are_left_out():
  chart = draw(
    {"a": [(1, 0.0), (2, 0.5)], "never": [(1, 0.0)]}, title="t", x="x", y="y", log=True
  )
  assert [row[:2] for row in hovers(parse(chart), "a")] == [(2, 0.5)]
  assert "never" not in chart


def test_long_curves_are_thinned_but_keep_their_ends():
  points = [(i, float(i)) for i in range(1, 100_001)]
  chart = draw({"a": points}, title="t", x="x", y="y")
  assert len(chart) < 20_000
  found = hovers(parse(chart), "a")
  assert found[0][0] == 1 and found[-1][0] == 100_000


def test_an_empty_chart_is_a_sentence():
  assert "Nothing yet" in draw({"a": []}, title="t", x="x", y="y")


def test_the_label_has_names_and_last_values_and_is_escaped():
  chart = draw({"<b>": [(1, 0.25)]}, title='"T"', x="<i>", y="&")
  assert "<b>" not in chart and "<i>" not in chart
  assert parse(chart).get("aria-label") == '"T"; last values: <b> 0.25'
