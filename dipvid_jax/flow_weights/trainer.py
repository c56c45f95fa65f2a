"""Training of flow weights: settings in, an output folder and a weights file out."""

import dataclasses
import functools
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np

from dipvid_jax.errors import DivergedError, InputError
from dipvid_jax.flow_weights.folder import FlowRunFolder
from dipvid_jax.flow_weights.known_pair import Estimate, KnownPair
from dipvid_jax.storage import disk
from dipvid_jax.storage.atomic import replacing
from dipvid_jax.storage.checkpoints import Checkpoints
from dipvid_jax.storage.locks import sole_writer
from dipvid_jax.storage.rows import append_row, keep_rows
from flow import make_estimator
from flow.procedural import FAMILIES, FlowPair
from flow.pwcnet.network import SIZE_MULTIPLE, VARIANTS, make_network
from flow.pwcnet.weights import holds_own_weights, write_weights
from flow.training import (
  create_flow_state,
  draw_batch,
  evaluate_flow,
  evaluation_pairs,
  make_fit_flow,
  make_learning_rate,
  make_optimizer,
)

DTYPES = ("float32", "bfloat16")


@dataclasses.dataclass(frozen=True)
class FlowSettings:
  """Everything that determines the weights; a resumed run must have the same.

  Attributes:
    variant: of `flow.pwcnet.network.VARIANTS`.
    height, width: of the pairs, pixels, multiples of 64.
    batch_size: pairs per update.
    strides: see `flow.procedural.draw_pair`.
    updates: of the whole training, over all its runs.
    learning_rate: its peak.
    warm_up: updates over which it rises.
    decay: how it falls; see `flow.training.make_learning_rate`.
    robust_from: the update at which the robust loss takes over.
    dtype: of the convolutions in training.
    seed: determines the initial weights and all pairs.
  """

  variant: str = "full"
  height: int = 192
  width: int = 384
  batch_size: int = 8
  strides: tuple[float, ...] = (1, 3, 5)
  updates: int = 200_000
  learning_rate: float = 4e-4
  warm_up: int = 1000
  decay: str = "cosine"
  robust_from: int = 150_000
  dtype: str = "float32"
  seed: int = 0

  def plain(self) -> dict[str, Any]:
    """The settings as values that JSON can hold."""
    return dataclasses.asdict(self) | {"strides": list(self.strides)}

  def check(self) -> None:
    """Checks the values.

    Raises:
      InputError: one line with the setting, its value and the values allowed.
    """
    for name in ("height", "width"):
      value = getattr(self, name)
      if value < SIZE_MULTIPLE or value % SIZE_MULTIPLE:
        raise InputError(f"{name}: must be a multiple of {SIZE_MULTIPLE}, got {value}")
    for name, smallest in (("batch_size", 1), ("updates", 1), ("warm_up", 0)):
      if getattr(self, name) < smallest:
        raise InputError(
          f"{name}: must be {smallest} or more, got {getattr(self, name)}"
        )
    for name, values in (
      ("strides", self.strides),
      ("learning_rate", (self.learning_rate,)),
    ):
      if not values or not all(math.isfinite(x) and x > 0 for x in values):
        raise InputError(f"{name}: must be above 0, got {getattr(self, name)}")
    if self.variant not in VARIANTS or self.dtype not in DTYPES:
      raise InputError(
        f"variant must be one of {', '.join(VARIANTS)}, dtype of {', '.join(DTYPES)}; "
        f"got {self.variant}, {self.dtype}"
      )


def check_export(path: Path) -> None:
  """Checks, before the training, that its weights replace nothing but weights.

  Args:
    path: the file for them.

  Raises:
    InputError: it is a folder, or a file of another kind.
  """
  if path.exists() and not holds_own_weights(path):
    raise InputError(f"--export {path}: holds no weights; name another file")


class FlowTrainer:
  """One run of a training, which starts where the previous run stopped."""

  def __init__(
    self,
    settings: FlowSettings,
    output: str | Path,
    *,
    resume: bool = False,
    resume_from: str | Path | None = None,
    evaluation_count: int = 64,
    known_pair: KnownPair | None = None,
    say: Callable[[str], None] = print,
  ) -> None:
    """Creates or opens the folder and the state.

    Args:
      settings: what to train.
      output: the folder.
      resume: continue the run in the folder.
      resume_from: a `resume.tar` to continue in a new folder.
      evaluation_count: pairs of each family in an evaluation.
      known_pair: real frames, also evaluated.
      say: called with each line of progress.

    Raises:
      InputError: bad settings, or a folder or file that does not match them.
    """
    settings.check()
    self._settings, self._say = settings, say
    self._known_pair = known_pair
    self._folder = FlowRunFolder(output)
    resumes = resume or resume_from is not None
    if resume_from is not None:
      self._folder.unpack(resume_from)
    if resumes:
      self._folder.resume(settings.plain())
    else:
      self._folder.begin(settings.plain())
    draw = functools.partial(
      draw_batch,
      height=settings.height,
      width=settings.width,
      strides=settings.strides,
    )
    self._pairs = {
      family: evaluation_pairs(draw, family=family, count=evaluation_count)
      for family in FAMILIES
    }
    self._checkpoints = Checkpoints(self._folder.checkpoints, keep=1)
    self._build(functools.partial(draw, batch_size=settings.batch_size))
    if resumes:
      self._restore()

  def _build(self, draw: Callable[[jax.Array], FlowPair]) -> None:
    """Creates the network, the optimiser, the initial state and the programs."""
    settings = self._settings
    # Default precision is TensorFloat-32 on a GPU, which is enough for training.
    network = make_network(
      settings.variant,
      dtype=None if settings.dtype == "float32" else settings.dtype,
      precision=None,
    )
    self._learning_rate = make_learning_rate(
      settings.learning_rate,
      updates=settings.updates,
      warm_up=settings.warm_up,
      decay=settings.decay,
    )
    optimizer = make_optimizer(self._learning_rate)
    weight_key, self._data_key = jax.random.split(jax.random.key(settings.seed))
    self.state = create_flow_state(weight_key, network=network, optimizer=optimizer)
    self._fit = make_fit_flow(
      network, optimizer, draw=draw, robust_from=settings.robust_from
    )
    self._apply = jax.jit(make_network(settings.variant).apply)

  def _restore(self) -> None:
    def complain(step: int, error: Exception) -> None:
      self._say(f"the checkpoint at update {step} cannot be read: {error}")

    state = self._checkpoints.restore_latest(self.state, on_damaged=complain)
    if state is None:
      raise InputError(
        f"--output {self._folder.path}: holds no readable checkpoint; start again in "
        "another folder"
      )
    self.state = state
    keep_rows(self._folder.metrics, updates=self.update)
    self._say(f"resumes at update {self.update}")

  @property
  def update(self) -> int:
    """Updates done."""
    return int(self.state.step)

  def run(
    self,
    *,
    updates_per_call: int,
    evaluate_every: int,
    max_seconds: float = math.inf,
  ) -> bool:
    """Trains to the end or until time is up, then saves.

    Args:
      updates_per_call: updates on the device before the losses are read.
      evaluate_every: updates between evaluations, each of which saves the state.
      max_seconds: no call starts after this many seconds; at least one runs.

    Returns:
      Whether the training is complete.

    Raises:
      DivergedError: a loss is not finite; the last checkpoint is kept.
      InputError: another process trains in the folder.
      OSError: the folder cannot be written; the last checkpoint is kept.
    """
    with sole_writer(self._folder.path):
      return self._run(updates_per_call, evaluate_every, max_seconds)

  def _run(
    self, updates_per_call: int, evaluate_every: int, max_seconds: float
  ) -> bool:
    began = time.monotonic()
    if self.update == 0:
      self._evaluate_dis()
    due = self.update + evaluate_every
    left = self._settings.updates - self.update
    while left > 0:
      self._train(min(updates_per_call, left))
      left = self._settings.updates - self.update
      if time.monotonic() - began > max_seconds:
        break
      if self.update >= due and left > 0:
        self._evaluate()
        self._save()
        due += evaluate_every
    self._evaluate()
    self._save()
    return left <= 0

  def _train(self, updates: int) -> None:
    began = time.monotonic()
    self.state, metrics = self._fit(self.state, self._data_key, updates=updates)
    means = {name: float(values.mean()) for name, values in metrics.items()}
    if not math.isfinite(means["loss"]):
      raise DivergedError(
        f"the loss is not finite at or before update {self.update}; try a smaller "
        "--learning-rate or another --seed"
      )
    append_row(
      self._folder.metrics,
      {
        "update": self.update,
        **means,
        "learning_rate": float(self._learning_rate(self.update)),
        "seconds": round(time.monotonic() - began, 3),
      },
    )

  def _evaluate_dis(self) -> None:
    """Evaluates DIS, the baseline that needs no training."""
    row = {"update": 0, "estimator": "dis", **self._errors(make_estimator("dis"))}
    append_row(self._folder.metrics, row)
    self._say(_describe("DIS", row))

  def _evaluate(self) -> None:
    variables = {"params": self.state.params}

    def estimate(first: np.ndarray, second: np.ndarray) -> np.ndarray:
      return np.asarray(self._apply(variables, first, second))

    row = {"update": self.update, "estimator": "trained", **self._errors(estimate)}
    append_row(self._folder.metrics, row)
    self._say(_describe(f"update {self.update}", row))

  def _errors(self, estimate: Estimate) -> dict[str, float]:
    errors = {}
    for family, pairs in self._pairs.items():
      for where, error in evaluate_flow(estimate, pairs).items():
        errors[f"{family}_{where}"] = round(error, 4)
    if self._known_pair:
      errors["known_pair"] = round(self._known_pair.error(estimate), 4)
    return errors

  def _save(self) -> None:
    self._checkpoints.save(self.state)
    self._folder.pack(self.update)

  def export(self, path: str | Path) -> None:
    """Writes the weights for `flow.make_estimator("pwcnet", weights=path)`.

    Args:
      path: the .npz file; its folder is created.

    Raises:
      InputError: the file cannot be written.
    """
    try:
      Path(path).parent.mkdir(parents=True, exist_ok=True)
      with replacing(Path(path)) as partial:
        write_weights(partial, self.state.params, variant=self._settings.variant)
    except OSError as error:
      raise InputError(
        f"--export {path}: {disk.reason(error)}; --resume with another "
        "--export writes it without training again"
      ) from error

  def close(self) -> None:
    """Closes the checkpoints."""
    self._checkpoints.close()


def _describe(who: str, row: dict[str, Any]) -> str:
  errors = ", ".join(
    f"{name} {value:.2f}" for name, value in row.items() if isinstance(value, float)
  )
  return f"{who}: end-point error in pixels: {errors}"
