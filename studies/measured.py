"""Figures of results, measured once and kept with what they were measured from."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np

from dipvid_jax.evaluation import PatchSearch, evaluate_clip
from dipvid_jax.evaluation.inception import Inception
from dipvid_jax.storage.atomic import replacing
from studies.method_runs import MethodRun, hole_mask

MEASURES = ("paper", "hole", "temporal", "warping", "complexity")


class Figures:
  """Measures results, each only once.

  What is measured lies in `figures/VIDEO/METHOD.json` of the study, with a fingerprint
  of the frames and settings; where these have changed it is measured again.
  """

  def __init__(self, output: Path, *, inception: Inception | None = None):
    """Opens a study's figures.

    Args:
      output: the study's folder.
      inception: from `load_inception`; without it FID is not measured.
    """
    self._folder = output / "figures"
    self._inception = inception
    self.measures = (*MEASURES, "fid") if inception else MEASURES

  def measure(self, result: MethodRun) -> dict[str, Any]:
    """Measures a result, or reads what was measured of the same one.

    Args:
      result: a method's frames beside the truth.

    Returns:
      A row: `video`, `method`, and the columns of `measures`.
    """
    made_from = fingerprint(
      *(result.full, result.stitched, result.truth, result.hole),
      measures=self.measures,
      search=repr(PatchSearch()),
      inception=self._inception and self._inception.identity,
    )
    path = self._folder / result.video_id / f"{result.method}.json"
    kept = json.loads(path.read_text()) if path.exists() else {}
    if kept.get("made_from") != made_from:
      kept = {"made_from": made_from, "figures": self._measure(result)}
      path.parent.mkdir(parents=True, exist_ok=True)
      with replacing(path) as partial:
        partial.write_text(json.dumps(kept, indent=1) + "\n")
    return {"video": result.video_id, "method": result.method, **kept["figures"]}

  def _measure(self, result: MethodRun) -> dict[str, float]:
    return evaluate_clip(
      *(result.full, result.stitched, result.truth, hole_mask(result.hole)),
      measures=self.measures,
      inception=self._inception,
    )


def fingerprint(*arrays: np.ndarray, **settings: Any) -> str:
  """What figures depend on, in 16 hexadecimal digits.

  Args:
    *arrays: of any type and shape.
    **settings: plain values.
  """
  digest = hashlib.sha256(json.dumps(settings, sort_keys=True, default=str).encode())
  for array in arrays:
    digest.update(f"{array.dtype} {array.shape}".encode())
    digest.update(np.ascontiguousarray(array).data)
  return digest.hexdigest()[:16]
