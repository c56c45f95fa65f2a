"""Flow estimators behind one call: OpenCV's DIS, and PWC-Net."""

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

ESTIMATORS = ("dis", "pwcnet", "auto")


class Estimator(Protocol):
  """Estimates the flow of a few pairs of frames.

  Attributes:
    identity: names the method and its weights; a stored flow is reused only for the
      same identity.
    pairs_per_call: how many pairs one call takes best.
  """

  identity: str
  pairs_per_call: int

  def __call__(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Maps two `[P, H, W, 3]` RGB in [0, 1] to `[P, H, W, 2]`, (dx, dy) in pixels."""
    ...


class DISEstimator:
  """Dense inverse search (Kroeger et al., 2016), medium preset, on 8-bit grey frames."""

  identity = "OpenCV DIS, medium preset, 8-bit grey"
  pairs_per_call = 1

  def __init__(self):
    self._search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)

  def __call__(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """See `Estimator`."""
    return np.stack(
      [
        self._search.calc(_grey(a), _grey(b), None)  # type: ignore[call-overload]
        for a, b in zip(first, second, strict=True)
      ]
    )


def _grey(frame):
  levels = np.rint(np.asarray(frame) * 255).astype(np.uint8)
  return cv2.cvtColor(levels, cv2.COLOR_RGB2GRAY)


class PWCNetEstimator:
  """PWC-Net (Sun et al., 2018)."""

  pairs_per_call = 8

  def __init__(self, variables: dict, identity: str, *, network: PWCNet | None = None):
    """Compiles at the first call.

    Args:
      variables: from `load_pwcnet`, or of the network.
      identity: names the weights; see `Estimator`.
      network: the published one where None.
    """
    self.identity = f"PWC-Net, {identity}"
    self._variables = jax.tree.map(jnp.asarray, variables)
    self._apply = jax.jit((network or PWCNet()).apply)

  def __call__(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """See `Estimator`; a short last call is filled up, so one compilation serves."""
    pairs = len(first)
    filling = [(0, self.pairs_per_call - pairs), (0, 0), (0, 0), (0, 0)]
    first, second = (np.pad(x, filling, mode="edge") for x in (first, second))
    return np.asarray(self._apply(self._variables, first, second))[:pairs]


def make_estimator(
  name: str = "dis", *, weights: str | Path | None = None
) -> Estimator:
  """Makes an estimator by name.

  Args:
    name: `dis`, which needs no weights, `pwcnet`, or `auto`: PWC-Net with the weights
      given or, if none are, those that the package ships, and DIS if it ships none.
    weights: PWC-Net's, published (see `load_pwcnet`) or from `bin/train-flow`.

  Returns:
    The estimator.

  Raises:
    InputError: an unknown name, missing weights, or weights that do not load.
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
      "flow.estimator=pwcnet needs its weights: --config.flow.weights=FILE "
      "(or use flow.estimator=dis, which needs none)"
    )
  if holds_own_weights(weights):
    network, variables = read_weights(weights)
  else:
    network, variables = PWCNet(), load_pwcnet(weights)
  digest = hashlib.sha256(Path(weights).read_bytes()).hexdigest()
  return PWCNetEstimator(variables, f"weights sha256 {digest}", network=network)
