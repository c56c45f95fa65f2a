"""Updates in a scan on the device; every one draws its own pairs there."""

import math
from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import optax

from flow.procedural import FlowPair, draw_pair
from flow.pwcnet.network import FLOW_UNIT, SIZE_MULTIPLE, PWCNet
from flow.training.losses import downscale_flow, multiscale_loss
from flow.types import Params, TrainState

_FINEST_LEVEL = 2
_ENCODER_GAIN = 1.2
_IMAGE_GAIN = 4.0  # frames vary by a fourth of their range

Metrics = dict[str, jax.Array]
FitFlow = Callable[..., tuple[TrainState, Metrics]]


def create_flow_state(
  key: jax.Array, *, network: PWCNet, optimizer: optax.GradientTransformation
) -> TrainState:
  """Draws parameters and starts the optimiser.

  Args:
    key: a PRNG key, consumed.
    network: to train.
    optimizer: from `make_optimizer`.

  Returns:
    The state before the first update.
  """

  @jax.jit
  def create(key: jax.Array) -> TrainState:
    params = _initial_params(key, network)
    return TrainState(params, optimizer.init(params), jnp.zeros((), jnp.int32))

  return create(key)


def _initial_params(key: jax.Array, network: PWCNet) -> Params:
  frame = jax.ShapeDtypeStruct((1, SIZE_MULTIPLE, SIZE_MULTIPLE, 3), jnp.float32)
  shapes = jax.eval_shape(network.init, key, frame, frame)["params"]
  paths, structure = jax.tree.flatten_with_path(shapes)
  # One call of the generator: one for each tensor takes a minute to compile.
  drawn = jax.random.normal(key, (sum(leaf.size for _, leaf in paths),))
  leaves, start = [], 0
  for path, leaf in paths:
    part = drawn[start : start + leaf.size].reshape(leaf.shape)
    leaves.append(_initial([key.key for key in path], part))
    start += leaf.size
  return jax.tree.unflatten(structure, leaves)


def _initial(names: Sequence[str], drawn: jax.Array) -> jax.Array:
  """Turns normal numbers into a tensor's first values.

  He et al.'s scale, zero biases, and a tenth of the scale where flow comes out. The
  encoder's kernels have a mean of zero, which keeps the frames' brightness out of the
  cost volumes, and a gain for what that takes away: with random weights the cost is
  then largest at the true displacement for most pixels of a moved texture; with plain
  kernels it is so for one in twenty, and learning begins far later.
  """
  if drawn.ndim == 1:
    return jnp.zeros_like(drawn)
  inputs = tuple(range(drawn.ndim - 1))
  kernel = drawn * math.sqrt(2 / math.prod(drawn.shape[:-1]))
  if "flow" in names:
    return 0.1 * kernel
  if "encoder" not in names:
    return kernel
  kernel = _ENCODER_GAIN * (kernel - jnp.mean(kernel, axis=inputs, keepdims=True))
  return _IMAGE_GAIN * kernel if "level1_0" in names else kernel


def draw_batch(
  key: jax.Array,
  *,
  batch_size: int,
  height: int,
  width: int,
  strides: Sequence[float],
  family: str = "training",
) -> FlowPair:
  """Draws pairs; see `draw_pair`.

  Args:
    key: a PRNG key, consumed.
    batch_size: B.
    height: H, pixels.
    width: W, pixels.
    strides: as in `draw_pair`.
    family: as in `draw_pair`.

  Returns:
    The pairs, each field with B in front.
  """

  def draw(key: jax.Array) -> FlowPair:
    return draw_pair(key, height=height, width=width, strides=strides, family=family)

  return jax.vmap(draw)(jax.random.split(key, batch_size))


def make_fit_flow(
  network: PWCNet,
  optimizer: optax.GradientTransformation,
  *,
  draw: Callable[[jax.Array], FlowPair],
  robust_from: int,
) -> FitFlow:
  """Compiles updates in a row, a scan on the device, with the drawing of their pairs.

  Args:
    network: to train.
    optimizer: from `make_optimizer`.
    draw: maps a key to a batch of pairs whose sides are multiples of 64.
    robust_from: the update from which on the loss is the robust one.

  Returns:
    `fit_flow(state, data_key, *, updates)` to `(state, metrics)`, the metrics
    `[updates]` each: `loss`, `end_point_error` in pixels at a quarter of the size, and
    `gradient_norm`. The key of an update is `data_key` folded with its step, so that
    training continues with the same pairs wherever it was interrupted. The state is
    donated.
  """

  def train_step(state: TrainState, data_key: jax.Array) -> tuple[TrainState, Metrics]:
    pair = draw(jax.random.fold_in(data_key, state.step))

    def loss_fn(params: Params) -> tuple[jax.Array, jax.Array]:
      flows = network.apply(
        {"params": params}, pair.first, pair.second, method="levels"
      )
      assert isinstance(flows, list)  # for the type checker
      loss = multiscale_loss(flows, pair.flow, robust=state.step >= robust_from)
      return loss, flows[-1]

    (loss, finest), grads = jax.value_and_grad(loss_fn, has_aux=True)(state.params)
    updates, opt_state = optimizer.update(grads, state.opt_state, state.params)
    params = optax.apply_updates(state.params, updates)
    difference = finest - downscale_flow(pair.flow, level=_FINEST_LEVEL)
    metrics = {
      "loss": loss,
      "end_point_error": FLOW_UNIT * jnp.mean(jnp.linalg.norm(difference, axis=-1)),
      "gradient_norm": jnp.sqrt(
        sum(jnp.sum(leaf**2) for leaf in jax.tree.leaves(grads))
      ),
    }
    return TrainState(params, opt_state, state.step + 1), metrics

  if jax.default_backend() == "cpu":
    # XLA:CPU has no fast gradient of a convolution inside a loop.
    one_update = jax.jit(train_step, donate_argnums=0)

    def fit_flow(
      state: TrainState, data_key: jax.Array, *, updates: int
    ) -> tuple[TrainState, Metrics]:
      rows = []
      for _ in range(updates):
        state, metrics = one_update(state, data_key)
        rows.append(metrics)
      return state, jax.tree.map(lambda *values: jnp.stack(values), *rows)

    return fit_flow

  def scan_flow(
    state: TrainState, data_key: jax.Array, *, updates: int
  ) -> tuple[TrainState, Metrics]:
    def body(state: TrainState, _: None) -> tuple[TrainState, Metrics]:
      return train_step(state, data_key)

    return jax.lax.scan(body, state, None, length=updates)

  return jax.jit(scan_flow, donate_argnums=0, static_argnames="updates")
