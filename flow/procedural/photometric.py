"""Photometric changes: what a camera and a video codec do to frames."""

import jax
import jax.numpy as jnp
import numpy as np

from flow.procedural.numbers import draw_numbers

_BLUR_RADIUS = 3
_BLOCK = 8

# ITU-R BT.601, as in JPEG and most video.
_TO_YCC = np.array(
  [[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]],
  np.float32,
)
_FROM_YCC = np.linalg.inv(_TO_YCC)


def blur(image: jax.Array, sigma: jax.Array) -> jax.Array:
  """Blurs with a Gaussian truncated at three pixels.

  Args:
    image: `[H, W, C]` float.
    sigma: scalar, pixels; near 0 the image is unchanged.

  Returns:
    `[H, W, C]`.
  """
  taps = jnp.arange(-_BLUR_RADIUS, _BLUR_RADIUS + 1, dtype=image.dtype)
  weights = jnp.exp(-0.5 * (taps / jnp.maximum(sigma, 1e-2)) ** 2)
  weights /= jnp.sum(weights)
  for axis in (0, 1):
    size = image.shape[axis]
    pad = [(0, 0)] * 3
    pad[axis] = (_BLUR_RADIUS, _BLUR_RADIUS)
    padded = jnp.pad(image, pad, mode="edge")
    image = jnp.zeros_like(image)
    for i in range(len(taps)):
      image += weights[i] * jax.lax.slice_in_dim(padded, i, i + size, axis=axis)
  return image


def compress(image: jax.Array, step: jax.Array) -> jax.Array:
  """Rounds the cosine transform of 8x8 blocks, as JPEG and video codecs do.

  Args:
    image: `[H, W, 3]` float, RGB in [0, 1].
    step: scalar above 0, the rounding step of luma at the lowest frequency; it grows
      linearly with the frequency and is twice as large for chroma.

  Returns:
    `[H, W, 3]`, possibly slightly outside [0, 1].
  """
  height, width, _ = image.shape
  pad = ((0, -height % _BLOCK), (0, -width % _BLOCK), (0, 0))
  blocks = jnp.pad(image, pad, mode="edge")
  shape = blocks.shape
  blocks = blocks.reshape(shape[0] // _BLOCK, _BLOCK, shape[1] // _BLOCK, _BLOCK, 3)
  index = np.arange(_BLOCK)
  cosine = np.cos(np.pi / _BLOCK * np.outer(index, index + 0.5)) * (2 / _BLOCK) ** 0.5
  cosine[0] /= 2**0.5
  cosine = jnp.asarray(cosine, image.dtype)
  frequency = 1 + (index[:, None] + index[None, :]) / 2
  steps = step * jnp.asarray(
    frequency[None, :, None, :, None] * np.array([1, 2, 2])[None, None, None, None],
    image.dtype,
  )
  forwards, backwards = "ui,yixjc,vj,dc->yuxvd", "ui,yuxvc,vj,dc->yixjd"
  spectrum = jnp.einsum(forwards, cosine, blocks, cosine, _TO_YCC)
  spectrum = jnp.round(spectrum / steps) * steps
  blocks = jnp.einsum(backwards, cosine, spectrum, cosine, _FROM_YCC)
  return blocks.reshape(shape)[:height, :width]


def distort(
  key: jax.Array, first: jax.Array, second: jax.Array
) -> tuple[jax.Array, jax.Array]:
  """Changes the look of both frames strongly, and their difference slightly.

  Gain, gamma and tint; then blur, noise and compression, each in some of the pairs;
  finally rounding to the 256 levels of a file.

  Args:
    key: a PRNG key, consumed.
    first: `[H, W, 3]` float, RGB in [0, 1].
    second: `[H, W, 3]` float, likewise.

  Returns:
    `(first, second)`, rounded to 256 levels in [0, 1].
  """
  number_key, first_key, second_key = jax.random.split(key, 3)
  drawn = draw_numbers(
    number_key,
    {
      "tint": (0.75, 1.25, (3,)),
      "gain": (-0.5, 0.25),
      "gamma": (-0.4, 0.4),
      "differences": (-1, 1, (2, 3)),
      "chances": (0, 1, (4,)),
      "blur": (0.3, 1.2),
      "other_blur": (0.1, 0.7),
      "noise": (0.002, 0.04),
      "step": (0.02, 0.12),
    },
  )
  chances = drawn["chances"]
  sigma = jnp.where(chances[0] < 0.4, drawn["blur"], 0.0)
  other_sigma = sigma + jnp.where(chances[1] < 0.2, drawn["other_blur"], 0.0)
  noise = jnp.where(chances[2] < 0.6, drawn["noise"], 0.0)
  compressed = chances[3] < 0.4
  changed = []
  for image, noise_key, blurring, differing in (
    (first, first_key, sigma, drawn["differences"][0]),
    (second, second_key, other_sigma, drawn["differences"][1]),
  ):
    gain = jnp.exp(drawn["gain"] + 0.08 * differing[0])
    image = gain * image * drawn["tint"][None, None] + 0.03 * differing[1]
    image = jnp.clip(image, 1e-4, 1) ** jnp.exp(drawn["gamma"] + 0.08 * differing[2])
    image = blur(image, blurring)
    image += noise * jax.random.normal(noise_key, image.shape)
    image = jnp.where(compressed, compress(image, drawn["step"]), image)
    changed.append(jnp.round(jnp.clip(image, 0, 1) * 255) / 255)
  return changed[0], changed[1]
