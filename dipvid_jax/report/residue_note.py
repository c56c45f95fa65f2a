"""What a run says of something that remains beside the mask."""

from collections.abc import Mapping, Sequence
from typing import Any

_MOST_FRAMES = 5
_MARGIN = 1  # pixels that a wider mask should cover beyond what was seen


def residue_note(rounds: Sequence[Mapping[str, Any]], *, dilation: int) -> str:
  """A hint of a wider mask, in one sentence; empty if nothing seems to remain.

  Args:
    rounds: the rows of `rounds.jsonl`; the last one of each window counts.
    dilation: pixels by which the mask was grown in this run.
  """
  last = {row["window"]: row for row in rounds}
  rows = [row for row in last.values() if row.get("residue_width")]
  if not rows:
    return ""
  width = max(row["residue_width"] for row in rows)
  frames = [frame for row in rows for frame in row["residue_frames"]]
  named = ", ".join(str(frame) for frame in sorted(frames[:_MOST_FRAMES]))
  return (
    "Something seems to remain beside the mask, an edge or a shadow, up to"
    f" {width} pixel{'s' if width > 1 else ''} from it, for example in frame {named}."
    f" If so, --dilate {dilation + width + _MARGIN} (this run: {dilation}) or a mask"
    " that includes it would remove it."
  )
