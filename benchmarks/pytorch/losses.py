"""Warp, masks and the four losses in PyTorch, channels first.

Pixels are RGB in [0, 1]; flow is (dx, dy) in pixels unless stated otherwise. Losses
are means over all elements; masked elements count in the divisor.
"""

import functools
import operator
from collections.abc import Iterable

import torch
from torch.nn import functional

IN_BOUNDS_THRESHOLD = 0.999
VISIBLE_THRESHOLD = 0.5


def warp(image: torch.Tensor, flow: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
  """Samples an image at `x + flow`, bilinearly, zeros outside.

  Args:
    image: `[N, C, H, W]`.
    flow: `[N, 2, H, W]` in pixels.

  Returns:
    `(warped, in_bounds)`: `[N, C, H, W]`, and `[N, 1, H, W]`, 1 where the bilinear
    weights inside the frame sum to at least 0.999.
  """
  height, width = image.shape[-2:]
  rows = torch.arange(height, dtype=flow.dtype, device=flow.device)[:, None]
  columns = torch.arange(width, dtype=flow.dtype, device=flow.device)[None, :]
  x = (columns + flow[:, 0]) * (2 / (width - 1)) - 1
  y = (rows + flow[:, 1]) * (2 / (height - 1)) - 1
  grid = torch.stack([x, y], dim=-1)
  warped = _sample(image, grid)
  with torch.no_grad():
    inside = _sample(torch.ones_like(image[:, :1]), grid)
    in_bounds = (inside >= IN_BOUNDS_THRESHOLD).to(image.dtype)
  return warped, in_bounds


def _sample(image: torch.Tensor, grid: torch.Tensor) -> torch.Tensor:
  return functional.grid_sample(
    image, grid, mode="bilinear", padding_mode="zeros", align_corners=True
  )


def visible_mask(flow_ij: torch.Tensor, flow_ji: torch.Tensor) -> torch.Tensor:
  """Marks where the forward and backward flow return close to the start.

  Args:
    flow_ij: `[N, 2, H, W]` from frame i to frame j, in pixels.
    flow_ji: `[N, 2, H, W]` from frame j to frame i, in pixels.

  Returns:
    `[N, 1, H, W]`, 1 where the flow i -> j can be trusted.
  """
  returned, _ = warp(flow_ji, flow_ij)
  distance = ((flow_ij + returned) ** 2).sum(dim=1, keepdim=True)
  return (torch.exp(-distance / 2) > VISIBLE_THRESHOLD).to(flow_ij.dtype)


def pair_hole_mask(
  hole_i: torch.Tensor, hole_j: torch.Tensor, flow_ij: torch.Tensor
) -> torch.Tensor:
  """Marks where the known flow i -> j starts or ends in a hole.

  Args:
    hole_i: `[N, 1, H, W]`, hole of frame i.
    hole_j: `[N, 1, H, W]`, hole of frame j.
    flow_ij: `[N, 2, H, W]` known flow in pixels.

  Returns:
    `[N, 1, H, W]`, 1 where either frame is in its hole.
  """
  arrived, _ = warp(hole_j, flow_ij)
  return ((hole_i > 0) | (arrived > 0)).to(hole_i.dtype)


def image_loss(
  output: torch.Tensor, frames: torch.Tensor, hole: torch.Tensor
) -> torch.Tensor:
  """`mean[((out - frame) * (1 - hole))^2]` over `[N, 3, H, W]`."""
  return (((output - frames) * (1 - hole)) ** 2).mean()


def flow_loss(
  flow_output: torch.Tensor,
  flow_target: torch.Tensor,
  hole_flow: torch.Tensor,
  visible: torch.Tensor,
) -> torch.Tensor:
  """`mean[((flow_out - target) * (1 - hole_flow) * visible)^2]` over the pairs.

  Args:
    flow_output: `[N-1, 2, H, W]` in network units.
    flow_target: `[N-1, 2, H, W]` known flow divided by `flow_scale`.
    hole_flow: `[N-1, 1, H, W]`.
    visible: `[N-1, 1, H, W]`.

  Returns:
    Scalar, in squared network units.
  """
  return (((flow_output - flow_target) * (1 - hole_flow) * visible) ** 2).mean()


def consistency_loss(
  output_i: torch.Tensor,
  output_j: torch.Tensor,
  flow_pixels: torch.Tensor,
  hole_flow: torch.Tensor,
  *,
  both_ways: bool = False,
) -> torch.Tensor:
  """`mean[((warp(out_j) - stop_gradient(out_i)) * hole_flow * in_bounds)^2]`.

  Args:
    output_i: `[N-1, 3, H, W]` generated frames i; receives no gradient.
    output_j: `[N-1, 3, H, W]` generated frames j.
    flow_pixels: `[N-1, 2, H, W]` generated flow i -> j in pixels.
    hole_flow: `[N-1, 1, H, W]`.
    both_ways: without the stop, as the paper's equation reads.

  Returns:
    Scalar.
  """
  warped, in_bounds = warp(output_j, flow_pixels)
  reference = output_i if both_ways else output_i.detach()
  return (((warped - reference) * hole_flow * in_bounds) ** 2).mean()


def perceptual_loss(
  output_features: list[torch.Tensor],
  known_features: list[torch.Tensor],
  hole_masks: list[torch.Tensor],
) -> torch.Tensor:
  """Sum over layers of `mean[((phi(out) - phi(frame)) * (1 - hole_phi))^2]`."""
  layers = zip(output_features, known_features, hole_masks, strict=True)
  return add_all(image_loss(output, known, hole) for output, known, hole in layers)


def add_all(scalars: Iterable[torch.Tensor]) -> torch.Tensor:
  """Adds at least one scalar, in order."""
  return functools.reduce(operator.add, scalars)
