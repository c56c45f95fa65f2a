"""Between a video's YUV and RGB, and the tags that say how they are related.

Tags are FFmpeg's numbers (AVCOL_PRI_*, AVCOL_TRC_*, AVCOL_SPC_*, AVCOL_RANGE_*).
"""

import av
import numpy as np

from dipvid_jax.types import Colour

# libswscale's flags: bicubic, full chroma, exact rounding. Its default drops half of
# the chroma and costs about 9 dB in a round trip of a natural image.
_PRECISE = 0x4 | 0x2000 | 0x4000 | 0x40000

_RGB, _BT709, _UNSPECIFIED, _RESERVED, _BT470BG, _BT601 = 0, 1, 2, 3, 5, 6
_LIMITED, _FULL = 1, 2
_LAST_MATRIX = 17
_HDR_CURVES = {16: "PQ", 18: "HLG"}
# libswscale knows the other matrices, or they are no matrices.
_FOREIGN_MATRICES = {
  8: "YCgCo",
  10: "BT.2020 with constant luminance",
  11: "SMPTE 2085",
  12: "derived from the primaries",
  13: "derived from the primaries, with constant luminance",
  14: "ICtCp",
  15: "IPT-C2",
  16: "YCgCo-Re",
  17: "YCgCo-Ro",
}


def conventional_matrix(height: int) -> int:
  """The number of the matrix that players assume for untagged video of this height."""
  return _BT709 if height >= 720 else _BT601


def read_tags(frame: av.VideoFrame) -> Colour:
  """What a decoded frame says of its colours; RGB as matrix 0 and full range."""
  if _is_rgb(frame):
    matrix, levels = _RGB, _FULL
  else:
    matrix = _said(frame.colorspace)
    full = frame.format.name.startswith("yuvj")
    levels = _FULL if full else frame.color_range
  return Colour(
    primaries=_said(frame.color_primaries),
    transfer=_said(frame.color_trc),
    matrix=matrix if matrix <= _LAST_MATRIX else _UNSPECIFIED,
    range=levels,
  )


def _is_rgb(frame: av.VideoFrame) -> bool:
  return frame.format.is_rgb or frame.format.name == "pal8"


def _said(number: int) -> int:
  return _UNSPECIFIED if number in (0, _RESERVED) else number


def unreadable(colour: Colour) -> str:
  """Why frames of these tags have no place in 8-bit RGB; empty if they have one."""
  if curve := _HDR_CURVES.get(colour.transfer):
    return f"is HDR video ({curve}); convert it to ordinary BT.709 video first"
  if name := _FOREIGN_MATRICES.get(colour.matrix):
    return f"has an unusual colour matrix ({name}); convert it to BT.709 first"
  return ""


def written_tags(colour: Colour | None, height: int) -> Colour:
  """The tags of an H.264 video: the source's, where YUV can have them.

  Args:
    colour: of the source. RGB is written with the conventional matrix and limited
      range; None, a source that has no tags, as BT.709 too.
    height: of the written frames.
  """
  if colour is not None and colour.matrix != _RGB:
    return colour
  primaries, transfer = (colour or Colour())[:2]
  return Colour(
    primaries=_BT709 if primaries == _UNSPECIFIED else primaries,
    transfer=_BT709 if transfer == _UNSPECIFIED else transfer,
    matrix=conventional_matrix(height),
    range=_LIMITED,
  )


def x264_parameters(tags: Colour) -> list[str]:
  """What makes x264 write these tags."""
  # It leaves out the tag of limited range where no other one is given.
  return ["videoformat=component"] if tags == Colour(range=_LIMITED) else []


def to_rgb(frame: av.VideoFrame) -> np.ndarray:
  """Converts a decoded frame to `[H, W, 3]` uint8 RGB.

  A matrix that the frame does not state is the conventional one.
  """
  if not _is_rgb(frame):
    matrix = read_tags(frame).matrix
    unsaid = matrix == _UNSPECIFIED
    frame.colorspace = conventional_matrix(frame.height) if unsaid else matrix
  return frame.reformat(format="rgb24", interpolation=_PRECISE).to_ndarray()


def to_yuv(rgb: av.VideoFrame, tags: Colour) -> av.VideoFrame:
  """Converts an RGB frame to 4:2:0 of the given tags."""
  unsaid = tags.matrix == _UNSPECIFIED
  matrix = conventional_matrix(rgb.height) if unsaid else tags.matrix
  yuv = rgb.reformat(
    format="yuv420p",
    # The two names of BT.601 are one to libswscale.
    dst_colorspace=_BT470BG if matrix == _BT601 else matrix,
    src_color_range=_FULL,
    dst_color_range=_FULL if tags.range == _FULL else _LIMITED,
    interpolation=_PRECISE,
  )
  yuv.color_range = tags.range
  return yuv
