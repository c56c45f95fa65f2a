"""Scene cuts: where the flow finds almost nothing of one frame in the next."""

import dataclasses
import itertools

from flow.video_flow import PairFlow

_SEEN_AT_A_CUT = 0.2  # below this share of visible pixels, two frames are cut apart


def find_scenes(pairs: PairFlow) -> tuple[slice, ...]:
  """Splits a clip where hardly any pixel is visible in the neighbouring frame.

  A camera too fast for the flow counts as a cut: no pixel can be followed there
  either. Blank frames (black, white) are cut off, since `estimate_video_flow` marks
  nothing as visible in them, and so a fade is cut where it begins to show something.
  Within a fade and from one scene into another no cut is found.

  Args:
    pairs: flow at stride 1 with its visibility.

  Returns:
    The frames of each scene, in order; together they cover the clip.

  Raises:
    ValueError: the flow is not at stride 1.
  """
  if pairs.stride != 1:
    raise ValueError(f"find_scenes needs flow at stride 1, got {pairs.stride}")
  both_ways = zip(pairs.forward_visible, pairs.backward_visible, strict=True)
  seen = [(there.mean() + back.mean()) / 2 for there, back in both_ways]
  cuts = [t + 1 for t, share in enumerate(seen) if share < _SEEN_AT_A_CUT]
  edges = [0, *cuts, len(seen) + 1]
  return tuple(slice(*scene) for scene in itertools.pairwise(edges))


def scene_flow(pairs: PairFlow, scene: slice) -> PairFlow:
  """The flow between the frames of one scene.

  Args:
    pairs: flow at stride 1.
    scene: from `find_scenes`.

  Returns:
    The pairs inside the scene; none if it is a single frame.
  """
  inside = slice(scene.start, scene.stop - 1)
  names = ("forward", "backward", "forward_visible", "backward_visible")
  return dataclasses.replace(pairs, **{n: getattr(pairs, n)[inside] for n in names})
