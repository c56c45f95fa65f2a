"""The four losses: means over every element, hole pixels counted in the divisor.

Images are RGB in [0, 1], flows (dx, dy) in network units, masks 0 or 1.
Reference for all: Zhang et al., ICCV 2019, equations 3 to 6.
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jaxtyping import Float

from dipvid_jax.training.contract import check_mask
from flow.types import AnyArray, check_floating


def masked_l2_loss(
  prediction: Float[AnyArray, "N H W C"],
  target: Float[AnyArray, "N H W C"],
  hole_mask: Float[AnyArray, "N H W 1"],
) -> Float[jax.Array, ""]:
  """Mean squared error on the observed pixels of a batch of frames.

  Hole pixels add nothing to the sum but stay in the divisor N*H*W*C, so the value
  falls as the hole grows.

  Args:
    prediction: `[N, H, W, C]` float, RGB in [0, 1].
    target: `[N, H, W, C]` float, the input frames, same range; finite in the hole
      too (it is multiplied by zero, not skipped).
    hole_mask: `[N, H, W, 1]` float, 1 in the hole, 0 elsewhere.

  Returns:
    Scalar, squared intensity in [0, 1].

  Raises:
    ValueError: the shapes disagree (raised while tracing).
    TypeError: an array of whole numbers (raised while tracing).

  Reference: equation 3.
  """
  _check("masked_l2_loss", prediction, target, hole_mask)
  return jnp.mean(jnp.square((prediction - target) * (1 - hole_mask)))


def flow_loss(
  prediction: Float[AnyArray, "P H W 2"],
  target: Float[AnyArray, "P H W 2"],
  hole_mask: Float[AnyArray, "P H W 1"],
  visible: Float[AnyArray, "P H W 1"],
) -> Float[jax.Array, ""]:
  """Mean squared error of the generated flow where the known flow can be trusted.

  Args:
    prediction: `[P, H, W, 2]` float, generated flow in network units.
    target: `[P, H, W, 2]` float, known flow in network units (pixels / flow_scale).
    hole_mask: `[P, H, W, 1]` float, 1 where either frame of the pair is in the hole.
    visible: `[P, H, W, 1]` float, 1 where the known flow passed the
      forward-backward check.

  Returns:
    Scalar, squared network units.

  Raises:
    ValueError: the shapes disagree (raised while tracing).
    TypeError: an array of whole numbers (raised while tracing).

  Reference: equation 4.
  """
  _check("flow_loss", prediction, target, hole_mask, visible)
  return jnp.mean(jnp.square((prediction - target) * (1 - hole_mask) * visible))


def consistency_loss(
  warped: Float[AnyArray, "P H W C"],
  reference: Float[AnyArray, "P H W C"],
  hole_mask: Float[AnyArray, "P H W 1"],
  in_bounds: Float[AnyArray, "P H W 1"],
  *,
  both_ways: bool = False,
) -> Float[jax.Array, ""]:
  """Mean squared difference, in the hole, of a warped frame and its neighbour.

  Gradients reach the warped frame and the flow that warped it. The loss itself stops
  those of the reference, as the authors' program does.

  Args:
    warped: `[P, H, W, C]` float, generated frame j warped by the generated flow
      i -> j.
    reference: `[P, H, W, C]` float, generated frame i.
    hole_mask: `[P, H, W, 1]` float, 1 where either frame of the pair is in the hole.
    in_bounds: `[P, H, W, 1]` float, 1 where the warp sampled inside the frame.
    both_ways: gradients reach the reference too, as the paper's equation reads.

  Returns:
    Scalar, squared intensity in [0, 1].

  Raises:
    ValueError: the shapes disagree (raised while tracing).
    TypeError: an array of whole numbers (raised while tracing).

  Reference: equation 5.
  """
  _check("consistency_loss", warped, reference, hole_mask, in_bounds)
  if not both_ways:
    reference = jax.lax.stop_gradient(reference)
  difference = warped - reference
  return jnp.mean(jnp.square(difference * hole_mask * in_bounds))


def perceptual_loss(
  prediction_features: Sequence[Float[AnyArray, "N _h _w _c"]],
  target_features: Sequence[Float[AnyArray, "N _h _w _c"]],
  hole_masks: Sequence[Float[AnyArray, "N _h _w 1"]],
) -> Float[jax.Array, ""]:
  """Sum over layers of the mean squared feature difference outside the hole.

  Args:
    prediction_features: `[N, h, w, c]` for each layer, of the generated frames.
    target_features: as `prediction_features`, of the input frames.
    hole_masks: `[N, h, w, 1]` for each layer, 1 where a feature saw the hole.

  Returns:
    Scalar, squared feature units.

  Raises:
    ValueError: the numbers of layers or their shapes disagree (raised while
      tracing).

  Reference: equation 6.
  """
  if not len(prediction_features) == len(target_features) == len(hole_masks):
    raise ValueError(
      f"perceptual_loss needs the same number of layers of each argument, got "
      f"{len(prediction_features)}, {len(target_features)} and {len(hole_masks)}"
    )
  layers = zip(prediction_features, target_features, hole_masks, strict=True)
  return jnp.asarray(sum((masked_l2_loss(*layer) for layer in layers), start=0.0))


def _check(name: str, prediction: AnyArray, target: AnyArray, *masks: AnyArray) -> None:
  mask_shape = (*prediction.shape[:-1], 1)
  shapes = (target.shape, *(mask.shape for mask in masks))
  if shapes != (prediction.shape, *(mask_shape for _ in masks)):
    raise ValueError(
      f"{name} needs a target of the prediction's shape {prediction.shape} and masks "
      f"of {mask_shape}, got {shapes}"
    )
  check_floating(f"{name}: the prediction", prediction)
  check_floating(f"{name}: the target", target)
  for mask in masks:
    check_mask(f"{name}: a mask", mask)
