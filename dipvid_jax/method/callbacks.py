"""What a run tells its caller while it works."""

from dipvid_jax.method.training_clip import Inpainted
from dipvid_jax.training.fit import HostMetrics
from dipvid_jax.training.schedule import Visit
from dipvid_jax.types import HasStep
from flow import VideoFlow


class Callbacks:
  """The calls of `inpaint_video`, in this order; override those that you need.

  A state is only lent: its buffers are reused by the next update, so what is kept of
  it must be a copy.
  """

  def on_flow(self, video_flow: VideoFlow) -> None:
    """The known flow is there; empty for methods without flow."""

  def on_carry(self, done: int, total: int) -> None:
    """While known pixels are carried into the hole: how many of the steps are done."""

  def on_start(self, state: HasStep) -> HasStep:
    """Before the first update.

    Args:
      state: a fresh one.

    Returns:
      The state to begin with: this one, or one of an earlier run.
    """
    return state

  def on_visit(self, visit: Visit, metrics: HostMetrics, state: HasStep) -> None:
    """After each batch, or each `batches_per_call` of them.

    Args:
      visit: the last of them; its `ends_round` is set where the run stops early.
      metrics: by loss name, `[updates]` each.
      state: after it.
    """

  def on_window(self, done: int, total: int) -> None:
    """During inference: how many of its windows are done."""

  def on_round(self, visit: Visit, state: HasStep, result: Inpainted) -> None:
    """After a round's inference.

    Args:
      visit: that ended the round.
      state: after it.
      result: of the round.
    """
