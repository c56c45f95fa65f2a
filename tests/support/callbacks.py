"""Callbacks that keep what a run tells them."""

from collections.abc import Callable

import jax

from dipvid_jax.method.callbacks import Callbacks
from dipvid_jax.types import HasStep


class Recorder(Callbacks):
  """Keeps visits, metrics, states and results; may resume from another state.

  Attributes:
    events: `("visit", visit)` and `("round", visit)`, in order.
    metrics: of every visit.
    offered: every visit with a copy of the state after it.
    states: a copy of the state after every round.
    results: of every round.
  """

  def __init__(
    self, resume_from: Callable[[HasStep], HasStep | None] | None = None
  ) -> None:
    self.events, self.metrics, self.offered = [], [], []
    self.states, self.results = [], []
    self._resume_from = resume_from

  def on_start(self, state):
    resumed = self._resume_from(state) if self._resume_from else None
    return state if resumed is None else resumed

  def on_visit(self, visit, metrics, state):
    self.events.append(("visit", visit))
    self.metrics.append(metrics)
    self.offered.append((visit, jax.device_get(state)))

  def on_round(self, visit, state, result):
    self.events.append(("round", visit))
    self.states.append(jax.device_get(state))
    self.results.append(result)
