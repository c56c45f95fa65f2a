"""PWC-Net in PyTorch, for parity tests and benchmarks.

Written from the method's description without any code of `flow/`: NCHW, the warp by
`grid_sample`, the cost volume by `unfold`.
"""

from collections import OrderedDict
from collections.abc import Mapping

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from benchmarks.pytorch import pwc_names


class PWCNet(nn.Module):
  """The network over a flat table of layers, under the port's names."""

  def __init__(self) -> None:
    super().__init__()
    self.table = nn.ParameterDict()
    for name, _, shape in pwc_names.layers():
      outputs = shape[1] if "Up" in name else shape[0]
      self.table[_key(f"{name}.weight")] = nn.Parameter(torch.zeros(shape))
      self.table[_key(f"{name}.bias")] = nn.Parameter(torch.zeros(outputs))

  def load_weights(self, weights: Mapping[str, np.ndarray]) -> "PWCNet":
    """Fills the table from NumPy arrays under the port's names; returns itself."""
    with torch.no_grad():
      for name, value in weights.items():
        self.table[_key(name)].copy_(torch.from_numpy(value))
    return self

  def named_state_dict(self, naming: str) -> "OrderedDict[str, torch.Tensor]":
    """Returns the tensors in the naming "module", "net" or "official".

    "official" includes the unused `deconv2` of the official file.
    """
    state = OrderedDict()
    for key, value in self.table.items():
      state[pwc_names.rename(key.replace("/", "."), naming)] = value.detach().clone()
    if naming == "official":
      state["deconv2.weight"] = torch.zeros(2, 2, 4, 4)
      state["deconv2.bias"] = torch.zeros(2)
    return state

  def forward(self, first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    """Estimates `[B, 2, H, W]` pixels from two `[B, 3, H, W]` RGB frames in [0, 1]."""
    height, width = first.shape[2:]
    size = (height + 63) // 64 * 64, (width + 63) // 64 * 64
    firsts, seconds = (
      self._encode(
        functional.interpolate(x.flip(1), size, mode="bilinear", align_corners=False)
      )
      for x in (first, second)
    )
    flow, dense = self._decode(6, firsts[6], seconds[6], None)
    for level in range(5, 1, -1):
      flow, dense = self._decode(level, firsts[level], seconds[level], (flow, dense))
    flow = 20.0 * (flow + self._refine(dense))
    flow = functional.interpolate(
      flow, (height, width), mode="bilinear", align_corners=False
    )
    scale = flow.new_tensor([width / size[1], height / size[0]])
    return flow * scale.view(1, 2, 1, 1)

  def _encode(self, x: torch.Tensor) -> dict[int, torch.Tensor]:
    features = {}
    for level, word in enumerate(("One", "Two", "Thr", "Fou", "Fiv", "Six"), 1):
      for index, stride in ((0, 2), (2, 1), (4, 1)):
        x = _leaky(self._conv(f"moduleExtractor.module{word}.{index}", x, stride))
      features[level] = x
    return features

  def _decode(
    self,
    level: int,
    first: torch.Tensor,
    second: torch.Tensor,
    coarser: tuple[torch.Tensor, torch.Tensor] | None,
  ) -> tuple[torch.Tensor, torch.Tensor]:
    """Returns a level's flow and dense features, from those of the coarser level."""
    decoder = f"module{('Two', 'Thr', 'Fou', 'Fiv', 'Six')[level - 2]}"
    if coarser is None:
      x = _leaky(correlate(first, second))
    else:
      flow = self._upconv(f"{decoder}.moduleUpflow", coarser[0])
      dense = self._upconv(f"{decoder}.moduleUpfeat", coarser[1])
      scale = {5: 0.625, 4: 1.25, 3: 2.5, 2: 5.0}[level]
      volume = _leaky(correlate(first, warp(second, flow * scale)))
      x = torch.cat([volume, first, flow, dense], dim=1)
    for word in ("One", "Two", "Thr", "Fou", "Fiv"):
      x = torch.cat([_leaky(self._conv(f"{decoder}.module{word}.0", x)), x], dim=1)
    return self._conv(f"{decoder}.moduleSix.0", x), x

  def _refine(self, x: torch.Tensor) -> torch.Tensor:
    for index, dilation in enumerate((1, 2, 4, 8, 16, 1)):
      name = f"moduleRefiner.moduleMain.{2 * index}"
      x = _leaky(self._conv(name, x, dilation=dilation))
    return self._conv("moduleRefiner.moduleMain.12", x)

  def _conv(
    self, name: str, x: torch.Tensor, stride: int = 1, dilation: int = 1
  ) -> torch.Tensor:
    weight, bias = (self.table[_key(f"{name}.{kind}")] for kind in ("weight", "bias"))
    return functional.conv2d(
      x, weight, bias, stride=stride, padding=dilation, dilation=dilation
    )

  def _upconv(self, name: str, x: torch.Tensor) -> torch.Tensor:
    weight, bias = (self.table[_key(f"{name}.{kind}")] for kind in ("weight", "bias"))
    return functional.conv_transpose2d(x, weight, bias, stride=2, padding=1)


def correlate(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
  """Cost volume `[B, 81, H, W]` of two `[B, C, H, W]` feature maps."""
  batch, channels, height, width = first.shape
  windows = functional.unfold(second, kernel_size=9, padding=4)
  windows = windows.view(batch, channels, 81, height, width)
  return (first[:, :, None] * windows).mean(dim=1)


def warp(image: torch.Tensor, flow: torch.Tensor) -> torch.Tensor:
  """Samples `[B, C, H, W]` at pixel + flow `[B, 2, H, W]`; 0 if a tap is outside."""
  height, width = image.shape[2:]
  y, x = torch.meshgrid(
    torch.arange(height, dtype=flow.dtype, device=flow.device),
    torch.arange(width, dtype=flow.dtype, device=flow.device),
    indexing="ij",
  )
  grid = torch.stack(
    [(x + flow[:, 0]) / (width - 1) * 2 - 1, (y + flow[:, 1]) / (height - 1) * 2 - 1],
    dim=-1,
  )
  extended = torch.cat([image, torch.ones_like(image[:, :1])], dim=1)
  sampled = functional.grid_sample(
    extended, grid, mode="bilinear", padding_mode="zeros", align_corners=True
  )
  return sampled[:, :-1] * (sampled[:, -1:] > 0.999)


def _leaky(x: torch.Tensor) -> torch.Tensor:
  return functional.leaky_relu(x, 0.1)


def _key(name: str) -> str:
  # A parameter's name must not contain a dot.
  return name.replace(".", "/")
