"""Flow estimators behind one interface: OpenCV's DIS, and PWC-Net."""

import hashlib
from pathlib import Path
from typing import Protocol

import cv2
import jax
import jax.numpy as jnp
import numpy as np

from flow.errors import InputError
from flow.pwcnet.checkpoints import load_pwcnet
from flow.pwcnet.network import PWCNet
from flow.pwcnet.weights import SHIPPED_WEIGHTS, holds_own_weights, read_weights
from flow.refinement import grey_levels
from flow.types import Variables

ESTIMATORS = ("dis", "pwcnet", "auto")


class Estimator(Protocol):
  """Estimates the flow of several pairs of frames.

  Attributes:
    identity: names the method and its weights; a stored flow is reused only if it
      has the same identity.
    pairs_per_call: the number of pairs that one call should get.
  """

  identity: str
  pairs_per_call: int

  def __call__(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Maps two `[P, H, W, 3]` RGB in [0, 1] to `[P, H, W, 2]`, (dx, dy) in pixels."""
    ...


class DISEstimator:
  """Dense inverse search (Kroeger et al., 2016): medium preset, 8-bit grey frames."""

  identity = "OpenCV DIS, medium preset, 8-bit grey"
  pairs_per_call = 1

  def __init__(self) -> None:
    self._search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)

  def __call__(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """See `Estimator`."""
    return np.stack(
      [
        self._search.calc(a, b, None)  # type: ignore[call-overload]
        for a, b in zip(*map(grey_levels, (first, second)), strict=True)
      ]
    )


class PWCNetEstimator:
  """PWC-Net (Sun et al., 2018)."""

  pairs_per_call = 8

  def __init__(
    self,
    variables: Variables,
    identity: str,
    *,
    network: PWCNet | None = None,
  ) -> None:
    """Compiles at the first call.

    Args:
      variables: of the network, for example from `load_pwcnet`.
      identity: names the weights; see `Estimator`.
      network: None for the published one.
    """
    self.identity = f"PWC-Net, {identity}"
    self._variables = jax.tree.map(jnp.asarray, variables)
    self._apply = jax.jit((network or PWCNet()).apply)

  def __call__(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """See `Estimator`; pads a short last call, so that one compilation is enough."""
    pairs = len(first)
    filling = [(0, self.pairs_per_call - pairs), (0, 0), (0, 0), (0, 0)]
    first, second = (np.pad(x, filling, mode="edge") for x in (first, second))
    return np.asarray(self._apply(self._variables, first, second))[:pairs]


def make_estimator(
  name: str = "dis", *, weights: str | Path | None = None
) -> Estimator:
  """Makes an estimator by name.

  Args:
    name: `dis`, which needs no weights; `pwcnet`; or `auto`, which is PWC-Net with the
      given weights, else with the package's own, and DIS if the package ships none.
    weights: of PWC-Net, published (see `load_pwcnet`) or from `bin/train-flow`.

  Returns:
    The estimator.

  Raises:
    InputError: the name is unknown, or weights are missing or cannot be loaded.
  """
  if name not in ESTIMATORS:
    raise InputError(
      f"flow.estimator: unknown {name!r}; choose from {', '.join(ESTIMATORS)}"
    )
  if name == "auto" and not weights and SHIPPED_WEIGHTS.is_file():
    weights = SHIPPED_WEIGHTS
  if name == "dis" or (name == "auto" and not weights):
    return DISEstimator()
  if not weights:
    raise InputError(
      "flow.estimator=pwcnet needs weights: give --config.flow.weights=FILE, "
      "or use flow.estimator=dis, which needs none"
    )
  if holds_own_weights(weights):
    network, variables = read_weights(weights)
  else:
    network, variables = PWCNet(), load_pwcnet(weights)
  digest = hashlib.sha256(Path(weights).read_bytes()).hexdigest()
  return PWCNetEstimator(variables, f"weights sha256 {digest}", network=network)
