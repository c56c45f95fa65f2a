"""PWC-Net's tensors in PyTorch's layout: names, shapes and random values.

It uses NumPy only, so that a test without PyTorch can draw the weights that a golden
file was computed with. Written from the method's description, independently of
`flow/`, so that neither side can hide the other's mistakes.
"""

import zlib
from collections.abc import Iterator

import numpy as np

NAMINGS = ("module", "net", "official")
"""The port's names, its newer code's names, and the official release's."""

_WORDS = ("One", "Two", "Thr", "Fou", "Fiv", "Six")
_ENCODER = (3, 16, 32, 64, 96, 128, 196)
_DENSE = (128, 128, 96, 64, 32)
_CONTEXT = (128, 128, 128, 96, 64, 32, 2)


def layers() -> Iterator[tuple[str, str, tuple[int, ...]]]:
  """Yields `(port name, official name, kernel shape)` of all 63 layers.

  Kernels are OIHW; those of the transposed convolutions (named upflow and upfeat
  in the port) are IOHW.
  """
  for level in range(1, 7):
    # The official release names level 6's strided convolution "aa" instead of "a".
    suffixes = ("aa", "a", "b") if level == 6 else ("a", "aa", "b")
    for index, suffix in enumerate(suffixes):
      inputs = _ENCODER[level - 1] if index == 0 else _ENCODER[level]
      yield (
        f"moduleExtractor.module{_WORDS[level - 1]}.{2 * index}",
        f"conv{level}{suffix}.0",
        (_ENCODER[level], inputs, 3, 3),
      )
  inputs = 0
  for level in range(6, 1, -1):
    decoder = f"module{_WORDS[level - 1]}"
    if level < 6:
      yield f"{decoder}.moduleUpflow", f"deconv{level + 1}", (2, 2, 4, 4)
      yield f"{decoder}.moduleUpfeat", f"upfeat{level + 1}", (inputs, 2, 4, 4)
    inputs = 81 if level == 6 else 81 + _ENCODER[level] + 4
    for index, outputs in enumerate(_DENSE):
      yield (
        f"{decoder}.module{_WORDS[index]}.0",
        f"conv{level}_{index}.0",
        (outputs, inputs, 3, 3),
      )
      inputs += outputs
    yield f"{decoder}.moduleSix.0", f"predict_flow{level}", (2, inputs, 3, 3)
  for index, outputs in enumerate(_CONTEXT):
    official = "dc_conv7" if index == 6 else f"dc_conv{index + 1}.0"
    yield (
      f"moduleRefiner.moduleMain.{2 * index}",
      official,
      (outputs, inputs, 3, 3),
    )
    inputs = outputs


def rename(port_name: str, naming: str) -> str:
  """Translates the port's name of a tensor (`...weight`, `...bias`) to a naming."""
  if naming == "module":
    return port_name
  if naming == "net":
    parts = port_name.split(".")
    return ".".join("net" + p[6:] if p.startswith("module") else p for p in parts)
  if naming == "official":
    layer, _, kind = port_name.rpartition(".")
    names = {port: official for port, official, _ in layers()}
    return f"{names[layer]}.{kind}"
  raise ValueError(f"naming must be one of {NAMINGS}, got {naming!r}")


def random_weights(seed: int) -> dict[str, np.ndarray]:
  """Draws weights that give flows of several pixels, under the port's names.

  Every level's flow warps the next level's features, so a mistake on any level shows.
  The values come from PCG64's raw bits, which NumPy promises never to change, so a seed
  always gives the same weights.

  Returns:
    126 float32 arrays in PyTorch's layout.
  """
  weights = {}
  for name, _, shape in layers():
    transposed = "Up" in name
    # Each output of a transposed 4x4, stride-2 convolution sees 2x2 taps.
    fan_in = shape[0] * 4 if transposed else int(np.prod(shape[1:]))
    outputs = shape[1] if transposed else shape[0]
    bound = _gain(name) * np.sqrt(3 / fan_in)
    kernel = _uniform(f"{seed}/{name}.weight", shape, bound)
    bias = _uniform(f"{seed}/{name}.bias", (outputs,), 0.05)
    weights[f"{name}.weight"] = kernel.astype(np.float32)
    weights[f"{name}.bias"] = bias.astype(np.float32)
  return weights


def _gain(name: str) -> float:
  """The ratio of a layer's output to its input that `random_weights` aims at."""
  if name.startswith("moduleExtractor"):
    return 1.55
  if name == "moduleSix.moduleSix.0":
    return 3.0  # level 6 has small features and would have almost no flow
  if name.endswith(("moduleSix.0", "moduleMain.12")):
    return 0.15  # flows, in units of 20 pixels
  return 1.4


def random_pair(
  seed: int, batch: int, height: int, width: int
) -> tuple[np.ndarray, np.ndarray]:
  """Draws a textured frame and a copy shifted by (3, -2) pixels, both with noise.

  Returns:
    Two `[B, H, W, 3]` float32 arrays, RGB in [0, 1].
  """
  coarse = _uniform(f"{seed}/frame", (batch, height // 4 + 3, width // 4 + 3, 3), 0.5)
  texture = np.repeat(np.repeat(coarse, 4, axis=1), 4, axis=2)
  first = texture[:, 4 : 4 + height, 4 : 4 + width]
  second = texture[:, 6 : 6 + height, 1 : 1 + width]
  pair = []
  for index, frame in enumerate((first, second)):
    noise = _uniform(f"{seed}/noise{index}", frame.shape, 0.1)
    pair.append(np.clip(frame + noise + 0.5, 0, 1).astype(np.float32))
  return pair[0], pair[1]


def _uniform(label: str, shape: tuple[int, ...], bound: float) -> np.ndarray:
  """Draws float64 values uniform on +-bound, from a generator seeded by `label`."""
  bits = np.random.PCG64(zlib.crc32(label.encode())).random_raw(int(np.prod(shape)))
  unit = (bits >> np.uint64(11)) * 2.0**-53
  return ((2 * unit - 1) * bound).reshape(shape)
