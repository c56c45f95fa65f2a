"""The network's frames and flow before and after each round; Zhang et al., figure 8."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from dipvid_jax.composed import read_composed
from dipvid_jax.evaluation import hole_psnr
from dipvid_jax.media.images import write_image
from dipvid_jax.media.pixels import to_levels
from dipvid_jax.method.callbacks import Callbacks
from dipvid_jax.method.keys import Value
from dipvid_jax.method.pipeline import Inpainted, inpaint_video
from dipvid_jax.report.preview import flow_colours
from dipvid_jax.training.schedule import Visit
from dipvid_jax.types import HasStep
from studies.method_runs import as_unit, hole_mask
from studies.network import begin, first_frames, flow_config
from studies.plots import plot_curves, stack_labelled
from studies.rows import write_rows

_PICTURES = 4


def study_training(
  set_folder: str, video_id: str, *, output: Path, settings: Mapping[str, Value]
) -> list[dict[str, Any]]:
  """Trains DIP-Vid-Flow and measures its output before and after every round.

  Writes `training.json`, `training.csv`, the curve `training.png`, and
  `training-frames.png` with the middle frame and its flow after some rounds.

  Args:
    set_folder: a composed set.
    video_id: one of its videos.
    output: the study's folder.
    settings: values of config keys to change.

  Returns:
    A row for the state before the first update, and one for each round.
  """
  composed = read_composed(set_folder, video_id)
  truth, holes = as_unit(composed.truth), hole_mask(composed.hole)
  network = begin(composed, flow_config(composed, settings))
  middle = len(truth) // 2
  rows: list[dict[str, Any]] = []
  frames: list[np.ndarray] = []
  flows: list[np.ndarray] = []

  def look(updates: int, full: np.ndarray, flow: np.ndarray) -> None:
    """Measures all frames and keeps the middle one."""
    rows.append(
      {
        "updates": updates,
        "hole_psnr": hole_psnr(full, truth, holes),
        "known_psnr": hole_psnr(full, truth, 1 - holes),
      }
    )
    frames.append(_outline(to_levels(full[middle]), holes[middle]))
    flows.append(flow[middle])

  class Watch(Callbacks):
    """Looks at the output after every round."""

    def on_round(self, visit: Visit, state: HasStep, result: Inpainted) -> None:
      assert result.flow is not None  # for the type checker: this method makes flow
      look(int(state.step), result.full, result.flow)

  look(0, *first_frames(network))
  inpaint_video(
    *(as_unit(composed.frames), holes),
    config=network.config,
    video_flow=network.video_flow,
    program=network.program,
    callbacks=Watch(),
  )
  write_rows(output / "training", rows)
  updates = [row["updates"] for row in rows]
  names = {"hole_psnr": "hole", "known_psnr": "known region"}
  curves = {name: (updates, [row[key] for row in rows]) for key, name in names.items()}
  plot_curves(output / "training.png", curves, x="updates", y="PSNR, dB")
  picked = np.unique(np.linspace(0, len(rows) - 1, _PICTURES).round().astype(int))
  largest = float(np.percentile(np.linalg.norm(flows[-1], axis=-1), 99.5))
  pictures = {
    f"updates {', '.join(str(updates[i]) for i in picked)}: frame {middle}": (
      np.concatenate([frames[i] for i in picked], axis=1)
    ),
    f"generated flow, full value = {largest:.1f} px": np.concatenate(
      [flow_colours(flows[i], largest=largest) for i in picked], axis=1
    ),
  }
  write_image(output / "training-frames.png", stack_labelled(pictures))
  return rows


def _outline(frame: np.ndarray, hole: np.ndarray) -> np.ndarray:
  """Draws the hole's border in red."""
  inside = hole[..., 0] > 0
  grown = np.pad(inside, 1)
  around = grown[:-2, 1:-1] | grown[2:, 1:-1] | grown[1:-1, :-2] | grown[1:-1, 2:]
  return np.where((around & ~inside)[..., None], np.array([255, 0, 0], np.uint8), frame)
