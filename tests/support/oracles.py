"""Slow, readable loops in float64 NumPy that the fast code must agree with."""

import math

import jax
import jax.numpy as jnp
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view


def in_float64(function, *arrays):
  """Calls JAX code in double precision; trees of NumPy arrays in and out."""
  with jax.enable_x64():
    result = jax.jit(function)(*jax.tree.map(jnp.asarray, arrays))
    return jax.tree.map(np.asarray, result)


def warp(image, flow):
  """`(warped [B, H, W, C], weights [B, H, W, 1])`: bilinear, zeros outside.

  The weights are the sums of the bilinear weights of the taps inside the frame.
  """
  image, flow = np.float64(image), np.float64(flow)
  warped = np.zeros(image.shape)
  weights = np.zeros((*image.shape[:3], 1))
  _, height, width, _ = image.shape
  for b, y, x in np.ndindex(image.shape[:3]):
    source_x, source_y = x + flow[b, y, x, 0], y + flow[b, y, x, 1]
    for tap_y in (math.floor(source_y), math.floor(source_y) + 1):
      for tap_x in (math.floor(source_x), math.floor(source_x) + 1):
        if 0 <= tap_y < height and 0 <= tap_x < width:
          weight = (1 - abs(source_x - tap_x)) * (1 - abs(source_y - tap_y))
          warped[b, y, x] += weight * image[b, tap_y, tap_x]
          weights[b, y, x] += weight
  return warped, weights


def visible(flow_ij, flow_ji):
  """1 where the way there and back ends within sqrt(2 ln 2) pixels of its start."""
  returned, _ = warp(flow_ji, flow_ij)
  distance = np.linalg.norm(flow_ij + returned, axis=-1, keepdims=True)
  return (distance < math.sqrt(2 * math.log(2))).astype(float)


def pair_hole(hole_i, hole_j, flow_ij):
  """1 where frame i, or a tap of frame j that the flow points to, is in the hole."""
  result = (hole_i > 0).astype(float)
  warped, _ = warp(hole_j, flow_ij)
  for index in np.ndindex(result.shape):
    if warped[index] > 0:
      result[index] = 1
  return result


def convolve(x, kernel, *, stride=1):
  """`[N, H, W, I]` with `[h, w, I, O]`, no padding: one kernel tap after another."""
  rows = (x.shape[1] - kernel.shape[0]) // stride + 1
  columns = (x.shape[2] - kernel.shape[1]) // stride + 1
  result = np.zeros((len(x), rows, columns, kernel.shape[-1]))
  for dy, dx in np.ndindex(kernel.shape[:2]):
    bottom, right = dy + stride * (rows - 1) + 1, dx + stride * (columns - 1) + 1
    taps = x[:, dy:bottom:stride, dx:right:stride]
    result += (taps.reshape(-1, x.shape[-1]) @ kernel[dy, dx]).reshape(result.shape)
  return result


def dilate(mask):
  """`[N, H, W, 1]`: 1 where a pixel or one of its eight neighbours is 1."""
  result = np.zeros(mask.shape)
  for n, y, x, _ in np.ndindex(mask.shape):
    around = mask[n, max(y - 1, 0) : y + 2, max(x - 1, 0) : x + 2]
    result[n, y, x] = float((around > 0).any())
  return result


def max_pool(x):
  """`[N, H, W, C]` to `[N, H // 2, W // 2, C]`: the largest of 2 x 2."""
  result = np.zeros((len(x), x.shape[1] // 2, x.shape[2] // 2, x.shape[3]))
  for n, y, x_ in np.ndindex(result.shape[:3]):
    window = x[n, 2 * y : 2 * y + 2, 2 * x_ : 2 * x_ + 2]
    result[n, y, x_] = window.max(axis=(0, 1))
  return result


def gaussian_ssim_map(a, b):
  """SSIM of Wang et al., 2004, `[h - 10, w - 10, 3]` of images `[h, w, 3]` in [0, 1].

  One 11 x 11 window of Gaussian weights (1.5 px) after another, those inside only.
  """
  distances = np.arange(11) - 5
  weights = np.exp(-(distances[:, None] ** 2 + distances**2) / (2 * 1.5**2))
  weights /= weights.sum()
  result = np.zeros((a.shape[0] - 10, a.shape[1] - 10, 3))
  for y, x, c in np.ndindex(result.shape):
    p, q = (np.float64(image[y : y + 11, x : x + 11, c]) for image in (a, b))
    mean_p, mean_q = (weights * p).sum(), (weights * q).sum()
    variance_p = (weights * (p - mean_p) ** 2).sum()
    variance_q = (weights * (q - mean_q) ** 2).sum()
    covariance = (weights * (p - mean_p) * (q - mean_q)).sum()
    luminance = (2 * mean_p * mean_q + 1e-4) / (mean_p**2 + mean_q**2 + 1e-4)
    structure = (2 * covariance + 9e-4) / (variance_p + variance_q + 9e-4)
    result[y, x, c] = luminance * structure
  return result


def gaussian_ssim(a, b):
  """The mean of `gaussian_ssim_map`, with all windows at once."""
  distances = np.arange(11) - 5
  weights = np.exp(-(distances[:, None] ** 2 + distances**2) / (2 * 1.5**2))
  weights /= weights.sum()

  def mean(image):
    return np.einsum(
      "yxcij,ij->yxc", sliding_window_view(image, (11, 11), (0, 1)), weights
    )

  a, b = np.float64(a), np.float64(b)
  mean_a, mean_b = mean(a), mean(b)
  covariance = mean(a * b) - mean_a * mean_b
  variances = mean(a**2) - mean_a**2 + mean(b**2) - mean_b**2
  luminance = (2 * mean_a * mean_b + 1e-4) / (mean_a**2 + mean_b**2 + 1e-4)
  return (luminance * (2 * covariance + 9e-4) / (variances + 9e-4)).mean()
