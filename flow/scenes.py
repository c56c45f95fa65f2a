"""Where a clip is cut: no pixel of the one frame is found in the next."""

import dataclasses
import itertools

from flow.video_flow import PairFlow

_SEEN_AT_A_CUT = 0.2  # at most so much of two frames is seen in both, by their flow


def find_scenes(pairs: PairFlow) -> tuple[slice, ...]:
  """Divides a clip where the flow between neighbouring frames finds nothing.

  A camera that moves too fast for the flow looks the same; nothing can be followed
  there either. Fades are not found.

  Args:
    pairs: flow at stride 1 with its visibility.

  Returns:
    The frames of each scene, in order, all of the clip together.

  Raises:
    ValueError: the flow is not of stride 1.
  """
  if pairs.stride != 1:
    raise ValueError(f"finding scenes needs flow at stride 1, got {pairs.stride}")
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
    Its part, without pairs where the scene is a single frame.
  """
  inside = slice(scene.start, scene.stop - 1)
  names = ("forward", "backward", "forward_visible", "backward_visible")
  return dataclasses.replace(pairs, **{n: getattr(pairs, n)[inside] for n in names})
