"""Interlaced video: the even and the odd lines of a frame are two moments, its fields.

Frames keep their lines as they are woven; only the tag that says so passes through.
"""

import fractions
from collections.abc import Callable

import av

from dipvid_jax.types import FieldOrder

_FILTER_MODES = {"top": "tff", "bottom": "bff"}
# AV_FIELD_*: the same orders with two ways of storing the fields in a file.
_ORDERS: dict[int, FieldOrder] = {2: "top", 3: "bottom", 4: "top", 5: "bottom"}

LINES = 4  # H.264 divides the fields of 4:2:0 video by two once more


def stated_order(number: int, *, interlaced: bool) -> FieldOrder | None:
  """The field that comes first; None for progressive video.

  Args:
    number: the stream's field order, AV_FIELD_*.
    interlaced: a frame of the stream is marked as interlaced. If its order is not
      stated, the top field is taken for the first, as players do.
  """
  return _ORDERS.get(number, "top" if interlaced else None)


def x264_parameters(order: FieldOrder | None) -> list[str]:
  """What makes x264 write this order."""
  return [] if order is None else [f"{_FILTER_MODES[order]}=1"]


def make_marker(
  order: FieldOrder | None, size: tuple[int, int]
) -> Callable[[av.VideoFrame], av.VideoFrame]:
  """Makes a function that marks an RGB frame as interlaced.

  libswscale then reduces the chroma of each field for itself.

  Args:
    order: the field that comes first; None leaves frames as they are.
    size: (H, W) of the frames.
  """
  if order is None:
    return lambda frame: frame
  graph = av.filter.Graph()
  source = graph.add_buffer(
    width=size[1],
    height=size[0],
    format=av.VideoFormat("rgb24"),
    time_base=fractions.Fraction(1),
  )
  mark, sink = graph.add("setfield", _FILTER_MODES[order]), graph.add("buffersink")
  graph.link_nodes(source, mark, sink).configure()

  def marked(frame: av.VideoFrame) -> av.VideoFrame:
    graph.vpush(frame)
    return graph.vpull()

  return marked
