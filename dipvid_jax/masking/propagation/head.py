"""The network that tells object from background, trained on the painted frames."""

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax

from dipvid_jax.masking.propagation.learnt import Params
from dipvid_jax.masking.propagation.looks import STRIDES
from dipvid_jax.masking.propagation.views import Views, crop_size
from dipvid_jax.networks.conv import convolve
from flow.types import AnyArray

_RATE = 3e-3
_LAST = 0.02  # of the rate, at the last update
_CALL = 25  # updates of one compiled call
_BATCH = 2
_NOISE = 0.05  # added to features
_POOL = 2  # times the noise of one update: what a call draws, and takes parts of
_DICE = 0.5  # of the loss


class _Convolution(nn.Module):
  """A square convolution that keeps the size."""

  channels: int
  window: int = 3

  @nn.compact
  def __call__(self, x: jax.Array) -> jax.Array:
    shape = (self.window, self.window, x.shape[-1], self.channels)
    kernel = self.param("kernel", nn.initializers.he_normal(), shape)
    bias = self.param("bias", nn.initializers.zeros, (self.channels,))
    y = convolve(x, kernel, strides=(1, 1), zero_padding=self.window // 2)
    return y + bias.reshape(1, 1, 1, -1)


class Head(nn.Module):
  """From features, colours and where the object is expected, to logits.

  It goes from the coarsest features to the finest and takes those of each size on its
  way; full size is worked on as 2x2 pixels in one, which a CPU does faster.

  Attributes:
    classes: K + 1, background first.
  """

  classes: int

  @nn.compact
  def __call__(
    self, features: Sequence[jax.Array], colours: jax.Array, prior: jax.Array
  ) -> jax.Array:
    """Maps one batch to logits.

    Args:
      features: for strides 1, 2, 4, 8: `[N, h / stride, w / stride, c]` float.
      colours: `[N, h, w, 3]` float in [-1, 1].
      prior: `[N, h, w, K + 1]` float: for each object how surely it is expected there,
        then 1 where something is known of that and 0 where nothing is.

    Returns:
      `[N, h, w, K + 1]` float.
    """
    priors = [prior]
    while len(priors) < len(features):
      priors.append(_halve(priors[-1]))
    one, two, four, eight = features
    x = jnp.concatenate([eight, priors[3]], -1)
    x = nn.relu(_Convolution(48, window=1)(x))
    x = nn.relu(_Convolution(32)(x))
    x = jnp.concatenate([_double(x), four, priors[2]], -1)
    x = nn.relu(_Convolution(48, window=1)(x))
    x = nn.relu(_Convolution(32)(x))
    fine = _fold(jnp.concatenate([one, colours, prior], -1))
    x = jnp.concatenate([_double(x), two, fine], -1)
    x = nn.relu(_Convolution(40, window=1)(x))
    x = nn.relu(_Convolution(28)(x))
    return _unfold(_Convolution(4 * self.classes)(x))


class _State(NamedTuple):
  params: Params
  opt_state: optax.OptState
  key: jax.Array
  done: jax.Array


def train_head(
  views: Views,
  *,
  classes: int,
  updates: int,
  seed: int,
  on_progress: Callable[[int], None],
  start: Params | None = None,
) -> Params:
  """Trains a head.

  Args:
    views: of the painted frames.
    classes: K + 1.
    updates: how many.
    seed: of parameters and batches.
    on_progress: called with the number of updates just done.
    start: parameters to begin with; None: drawn.

  Returns:
    Its parameters.
  """
  first, second = jax.random.split(jax.random.key(seed))
  data = jax.device_put(views)
  params = start or _initialize(data, first, classes)
  zero = jnp.zeros((), jnp.int32)
  state = _State(params, optax.scale_by_adam().init(params), second, zero)
  while (done := int(state.done)) < updates:
    count = min(_CALL, updates - done)
    state = _fit(state, data, jnp.asarray(updates), jnp.asarray(count), classes)
    jax.block_until_ready(state.params)
    on_progress(count)
  return state.params


@functools.partial(jax.jit, static_argnums=2)
def _initialize(views: Views, key: jax.Array, classes: int) -> Params:
  batch = _draw(views, key)
  return Head(classes).init(key, batch.features, batch.colours, batch.prior)


class _Batch(NamedTuple):
  features: tuple[jax.Array, ...]
  colours: jax.Array
  labels: jax.Array
  weights: jax.Array
  prior: jax.Array


def _take(
  views: Views, number: jax.Array, prior: jax.Array, place: jax.Array
) -> _Batch:
  """One window of one view, with one of its priors."""
  height, width = crop_size(views.labels.shape[1:])
  y, x = views.places[number, place]

  def window(array: AnyArray, *which: jax.Array, stride: int = 1) -> jax.Array:
    rest = array.ndim - len(which) - 2
    first, second = y * (STRIDES[-1] // stride), x * (STRIDES[-1] // stride)
    starts = (*which, first, second, *[0] * rest)
    sides = (height // stride, width // stride, *array.shape[array.ndim - rest :])
    cut = jax.lax.dynamic_slice(array, starts, (1,) * len(which) + sides)
    return cut.reshape(sides)

  return _Batch(
    tuple(
      window(layer, number, stride=stride).astype(jnp.float32)
      for layer, stride in zip(views.features, STRIDES, strict=True)
    ),
    window(views.colours, number).astype(jnp.float32),
    window(views.labels, number),
    window(views.weights, number).astype(jnp.float32),
    window(views.priors, number, prior).astype(jnp.float32),
  )


def _draw(views: Views, key: jax.Array) -> _Batch:
  keys = jax.random.split(key, 3)
  count, priors = views.priors.shape[:2]
  which = jax.random.choice(keys[0], count, (_BATCH,), p=views.shares)
  prior = jax.random.randint(keys[1], (_BATCH,), 0, priors)
  place = jax.random.randint(keys[2], (_BATCH,), 0, views.places.shape[1])
  taken = [_take(views, which[n], prior[n], place[n]) for n in range(_BATCH)]
  return jax.tree.map(lambda *arrays: jnp.stack(arrays), *taken)


@functools.partial(jax.jit, static_argnums=4)
def _fit(
  state: _State, views: Views, updates: jax.Array, count: jax.Array, classes: int
) -> _State:
  """`count` of all updates; the rate falls by a cosine over all."""
  shapes = [layer.shape for layer in jax.eval_shape(_draw, views, state.key).features]
  total = sum(map(math.prod, shapes))
  key, of_pool = jax.random.split(state.key)
  # Noise drawn anew would be nearly half of an update's time on a CPU.
  pool = _NOISE * jax.random.normal(of_pool, (_POOL * total,))

  def update(_: int, state: _State) -> _State:
    key, choice, place = jax.random.split(state.key, 3)
    batch = _draw(views, choice)
    start = jax.random.randint(place, (), 0, (_POOL - 1) * total)
    noise = jax.lax.dynamic_slice(pool, (start,), (total,))
    batch = batch._replace(features=_disturb(batch.features, noise))
    grads = jax.grad(_loss)(state.params, Head(classes), batch)
    steps, opt_state = optax.scale_by_adam().update(grads, state.opt_state)
    falling = 0.5 * (1 + jnp.cos(jnp.pi * state.done / updates))
    rate = _RATE * (_LAST + (1 - _LAST) * falling)
    params = jax.tree.map(lambda p, step: p - rate * step, state.params, steps)
    return _State(params, opt_state, key, state.done + 1)

  # A number that is not known to the compiler serves calls of every length.
  return jax.lax.fori_loop(0, count, update, state._replace(key=key))


def _disturb(layers: Sequence[jax.Array], noise: jax.Array) -> tuple[jax.Array, ...]:
  """Adds noise, one number after the other, to all layers."""
  ends = np.cumsum([layer.size for layer in layers])[:-1]
  parts = jnp.split(noise, ends)
  return tuple(
    layer + part.reshape(layer.shape) for layer, part in zip(layers, parts, strict=True)
  )


def _loss(params: Params, head: Head, batch: _Batch) -> jax.Array:
  logits: Any = head.apply(params, batch.features, batch.colours, batch.prior)
  truth = jax.nn.one_hot(batch.labels, head.classes)
  weights = batch.weights[..., None]
  crossed = -(jax.nn.log_softmax(logits) * truth * weights).sum()
  probability = jax.nn.softmax(logits)
  axes = (1, 2)
  common = (probability * truth * weights).sum(axes)[:, 1:]
  sizes = ((probability + truth) * weights).sum(axes)[:, 1:]
  dice = 1 - (2 * common + 1) / (sizes + 1)
  # Windows of a frame with strokes may hold none of them.
  return crossed / jnp.maximum(weights.sum(), 1) + _DICE * dice.mean()


def make_predict(heads: Sequence[Params], *, classes: int) -> Callable[..., np.ndarray]:
  """Heads, compiled; what they say is averaged.

  Args:
    heads: each from `train_head`.
    classes: K + 1.

  Returns:
    A function of one frame's features (strides 1, 2, 4, 8), its colours `[h, w, 3]`
    uint8 and a prior `[h, w, K + 1]`, which returns `[h, w, K + 1]` probabilities.
  """
  params = jax.tree.map(lambda *arrays: jnp.stack(arrays), *heads)

  def predict(
    features: Sequence[np.ndarray], colours: np.ndarray, prior: np.ndarray
  ) -> np.ndarray:
    layers = tuple(layer[None] for layer in features)
    return np.asarray(_predict(params, layers, colours[None], prior[None], classes)[0])

  return predict


@functools.partial(jax.jit, static_argnums=4)
def _predict(
  heads: Params,
  features: tuple[jax.Array, ...],
  colours: jax.Array,
  prior: jax.Array,
  classes: int,
) -> jax.Array:
  layers = tuple(layer.astype(jnp.float32) for layer in features)
  scaled = colours.astype(jnp.float32) / 127.5 - 1

  def chances(params: Params) -> jax.Array:
    logits: Any = Head(classes).apply(params, layers, scaled, prior.astype(jnp.float32))
    return jax.nn.softmax(logits)

  return jax.lax.map(chances, heads).mean(axis=0)


def _halve(x: jax.Array) -> jax.Array:
  count, height, width, channels = x.shape
  return x.reshape(count, height // 2, 2, width // 2, 2, channels).mean((2, 4))


def _fold(x: jax.Array) -> jax.Array:
  """Each 2x2 pixels as one with four times the channels."""
  count, height, width, channels = x.shape
  x = x.reshape(count, height // 2, 2, width // 2, 2, channels)
  return x.transpose(0, 1, 3, 2, 4, 5).reshape(count, height // 2, width // 2, -1)


def _unfold(x: jax.Array) -> jax.Array:
  count, height, width, channels = x.shape
  x = x.reshape(count, height, width, 2, 2, channels // 4)
  return x.transpose(0, 1, 3, 2, 4, 5).reshape(count, 2 * height, 2 * width, -1)


def _double(x: jax.Array) -> jax.Array:
  return x.repeat(2, axis=1).repeat(2, axis=2)
