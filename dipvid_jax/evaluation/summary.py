"""Means over a set of videos, and over its simple and complex parts.

A value that is not measured is NaN.
"""

import dataclasses
import math
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

Values = Mapping[str, float]
PooledFid = Callable[[Sequence[str]], float]
# The field pools the frames of all videos, so each video is weighted by its frames.
_BY_FRAMES = ("sttn_psnr", "sttn_ssim")
_POOLED_FID = "fid_pooled"


@dataclasses.dataclass(frozen=True)
class Evaluation:
  """The outcome of an evaluation.

  Attributes:
    name: of the system that made the results.
    settings: what the figures depend on, as plain values.
    notes: what a reader must know, one line each.
    rows: `{video: {column: value}}`.
    summary: `{partition: {column: mean}}`, from `summarise`.
  """

  name: str
  settings: Mapping[str, Any]
  notes: Sequence[str]
  rows: Mapping[str, Values]
  summary: Mapping[str, Values]


def partition(
  complexities: Mapping[str, float], *, threshold: float | None = None
) -> dict[str, list[str]]:
  """Splits videos into simple and complex ones.

  Args:
    complexities: by video.
    threshold: a video above it is complex; None takes the median of the set, which
      gives equal halves (the middle one of an odd number is simple).

  Returns:
    The names under `complex` and `simple`.

  Reference: Zhang et al., ICCV 2019, section 4.2.
  """
  limit = threshold
  if limit is None:
    limit = statistics.median(complexities.values())
  parts: dict[str, list[str]] = {"complex": [], "simple": []}
  for name, value in complexities.items():
    parts["complex" if value > limit else "simple"].append(name)
  return parts


def summarise(
  rows: Mapping[str, Values],
  *,
  threshold: float | None = None,
  pooled_fid: PooledFid | None = None,
) -> dict[str, dict[str, float]]:
  """Means over all videos, and over the complex and the simple ones.

  Each video counts once, except that the columns of `sttn` count each frame. If one
  video lacks a value, the mean is not measured: the other videos are another set.

  Args:
    rows: `{video: values}`, values as `evaluate_clip` returns them.
    threshold: see `partition`.
    pooled_fid: FID of the frames of the named videos together; without it the pooled
      FID of several videos is not measured (it is not a mean).

  Returns:
    `{partition: {column: mean}}`: `all`, and `complex` and `simple` if complexity is
    measured and neither part is empty. `videos` is their number, `frames` the sum.
  """
  parts = {"all": [*rows]}
  complexities = {
    name: row["complexity"] for name, row in rows.items() if "complexity" in row
  }
  if complexities.keys() == rows.keys() and rows:
    halves = partition(complexities, threshold=threshold)
    if all(halves.values()):
      parts |= halves
  return {part: _means(rows, names, pooled_fid) for part, names in parts.items()}


def _means(
  rows: Mapping[str, Values], names: Sequence[str], pooled_fid: PooledFid | None
) -> dict[str, float]:
  chosen = [rows[name] for name in names]
  columns = list_columns(chosen)
  frames = [row["frames"] for row in chosen]
  means = {"videos": float(len(chosen)), "frames": float(sum(frames))}
  for column in columns:
    if column == "frames":
      continue
    values = [row.get(column, math.nan) for row in chosen]
    if column == _POOLED_FID and len(chosen) > 1:
      means[column] = pooled_fid(names) if pooled_fid else math.nan
    else:
      weights = frames if column in _BY_FRAMES else None
      means[column] = float(np.average(values, weights=weights))
  return means


def list_columns(rows: Iterable[Values]) -> list[str]:
  """The columns that any of the rows has, each once and in order of appearance."""
  return [*dict.fromkeys(column for row in rows for column in row)]
