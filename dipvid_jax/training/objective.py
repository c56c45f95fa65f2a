"""The objective: losses by name, each a function of outputs and batch."""

import functools
from collections.abc import Callable, Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Float

from dipvid_jax.networks.vgg import VGGParams, feature_hole_masks, vgg16_features
from dipvid_jax.training.losses import (
  consistency_loss,
  flow_loss,
  masked_l2_loss,
  perceptual_loss,
)
from dipvid_jax.types import Batch, Outputs
from flow import backward_warp
from flow.types import AnyArray

_OUTSIDE = 1e6  # pixels of flow, which lead out of any frame


class Loss(NamedTuple):
  """One term of the objective.

  Attributes:
    weight: its multiplier in the sum.
    function: maps the network's outputs and the batch to a scalar.
  """

  weight: float
  function: Callable[[Outputs, Batch], Float[jax.Array, ""]]


Losses = Mapping[str, Loss]


def image_term(outputs: Outputs, batch: Batch) -> Float[jax.Array, ""]:
  """The image loss of a whole batch; see `masked_l2_loss`.

  Args:
    outputs: of the network.
    batch: N frames.

  Returns:
    Scalar, squared intensity in [0, 1].

  Reference: Zhang et al., ICCV 2019, equation 3.
  """
  return masked_l2_loss(outputs.image, batch.frames, batch.hole_mask)


def flow_term(outputs: Outputs, batch: Batch) -> Float[jax.Array, ""]:
  """The flow loss of a batch's pairs; see `flow_loss`.

  Args:
    outputs: of the network.
    batch: N frames with known flow.

  Returns:
    Scalar, squared network units.

  Raises:
    ValueError: as `pair_flow`.

  Reference: Zhang et al., ICCV 2019, equation 4.
  """
  known = (batch.flow, batch.flow_hole, batch.visible)
  return flow_loss(pair_flow(outputs, batch), *map(_known, known))


def consistency_term(
  outputs: Outputs, batch: Batch, *, both_ways: bool = False
) -> Float[jax.Array, ""]:
  """The consistency loss of a batch's pairs; see `consistency_loss`.

  Args:
    outputs: of the network.
    batch: N frames with known flow, of which only the hole and the scale are read.
    both_ways: see `consistency_loss`.

  Returns:
    Scalar, squared intensity in [0, 1].

  Raises:
    ValueError: as `pair_flow`.

  Reference: Zhang et al., ICCV 2019, equation 5.
  """
  hole_mask = _known(batch.flow_hole)
  pixels = pair_flow(outputs, batch) * _known(batch.flow_scale)
  # The loss reads the hole alone: elsewhere the warp's gradient has nothing to add.
  pixels = jnp.where(hole_mask > 0, pixels, _OUTSIDE)
  warped, in_bounds = backward_warp(outputs.image[1:], pixels)
  reference = outputs.image[:-1]
  return consistency_loss(warped, reference, hole_mask, in_bounds, both_ways=both_ways)


def pair_flow(outputs: Outputs, batch: Batch) -> Float[jax.Array, "P H W 2"]:
  """The generated flow of a batch's stride and direction.

  Args:
    outputs: of the network.
    batch: N frames with known flow.

  Returns:
    `[N-1, H, W, 2]` float, network units, from each frame to the next of the batch.

  Raises:
    ValueError: the batch has no known flow, or the network generates no flow for all
      strides and directions (raised while tracing). A `flow_channel` that is traced,
      in a batch without `clip_strides`, cannot be checked: it is clamped.
  """
  channel = _known(batch.flow_channel)
  _check_channels(outputs.flow.shape[-1], batch)
  return jax.lax.dynamic_slice_in_dim(outputs.flow[:-1], channel, 2, axis=-1)


def _check_channels(channels: int, batch: Batch) -> None:
  """A slice beyond the last channel would be moved back, to the flow of other pairs."""
  first, needed = batch.flow_channel, 2
  if not isinstance(first, jax.core.Tracer):
    needed += int(jax.device_get(first))
  elif batch.clip_strides is not None:
    needed = 4 * len(batch.clip_strides)
  if channels < needed:
    raise ValueError(
      f"the model generates {channels} channels of flow where the batch's clip needs"
      f" {needed}, 2 for each stride and direction: set flow_channels={needed}"
    )


def _known(value: AnyArray | None) -> AnyArray:
  if value is None:
    raise ValueError("the batch has no known flow, which the flow losses need")
  return value


def make_losses(
  *,
  image_weight: float = 1.0,
  flow_weight: float = 0.1,
  consistency_weight: float = 1.0,
  perceptual_weight: float = 0.01,
  vgg: VGGParams | None = None,
  vgg_input: str = "authors",
  vgg_dtype: str | None = None,
  consistency_both_ways: bool = False,
) -> dict[str, Loss]:
  """The paper's objective, without the terms of weight zero.

  Args:
    image_weight, flow_weight, consistency_weight, perceptual_weight: multipliers.
    vgg: VGG16's weights, needed by the perceptual term; those of a batch, if it has
      them, come first.
    vgg_input, vgg_dtype: convention and dtype of `vgg16_features`.
    consistency_both_ways: see `consistency_loss`.

  Returns:
    Losses by name: image, flow, consistency, perceptual.

  Raises:
    ValueError: a perceptual weight without VGG16's weights, or no weight at all.
  """
  if not (image_weight or flow_weight or consistency_weight or perceptual_weight):
    raise ValueError(
      "every weight is 0, so there is no loss; for losses of your own alone, make a"
      " dict of Loss(weight, function)"
    )
  if perceptual_weight and vgg is None:
    raise ValueError(
      "the perceptual loss needs VGG16's weights: vgg=load_vgg16(), or leave it out:"
      " perceptual_weight=0"
    )
  weights = vgg or ()

  def perceptual_term(outputs: Outputs, batch: Batch) -> Float[jax.Array, ""]:
    if not (batch.vgg or weights):
      raise ValueError("neither the batch nor make_losses has VGG16's weights: vgg=")
    if not batch.features:
      raise ValueError(
        "the batch has no known features, which the perceptual loss needs:"
        " add_known_features(batch, vgg=vgg)"
      )
    features = vgg16_features(
      batch.vgg or weights, outputs.image, convention=vgg_input, dtype=vgg_dtype
    )
    return perceptual_loss(features, batch.features, batch.feature_holes)

  losses = {
    "image": Loss(image_weight, image_term),
    "flow": Loss(flow_weight, flow_term),
    "consistency": Loss(
      consistency_weight,
      functools.partial(consistency_term, both_ways=consistency_both_ways),
    ),
    "perceptual": Loss(perceptual_weight, perceptual_term),
  }
  return {name: loss for name, loss in losses.items() if loss.weight}


def add_known_features(
  batch: Batch,
  *,
  vgg: VGGParams,
  vgg_input: str = "authors",
  vgg_dtype: str | None = None,
  mask_form: str = "dilated",
) -> Batch:
  """Adds the known frames' features and their holes, once for all updates of a batch.

  Args:
    batch: N frames.
    vgg: VGG16's weights.
    vgg_input, vgg_dtype: convention and dtype of `vgg16_features`.
    mask_form: of `feature_hole_masks`.

  Returns:
    The batch with `features` and `feature_holes`.
  """
  return batch._replace(
    features=vgg16_features(vgg, batch.frames, convention=vgg_input, dtype=vgg_dtype),
    feature_holes=feature_hole_masks(batch.hole_mask, form=mask_form),
  )
