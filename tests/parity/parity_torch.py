"""The PyTorch side of the parity tests: NumPy, channels last, in and out."""

import numpy as np
import torch

from benchmarks.pytorch.convert import to_torch
from benchmarks.pytorch.generator import ConvBlock, EncoderDecoder, generate
from benchmarks.pytorch.losses import pair_hole_mask, visible_mask
from benchmarks.pytorch.train import Batch
from tests.parity.parity_scene import Scene, batch_frames, batch_pairs, flow_channel

torch.set_num_threads(1)


def to_tensor(array: np.ndarray) -> torch.Tensor:
  """`[N, .., C]` to `[N, C, ..]`."""
  return torch.tensor(np.moveaxis(np.asarray(array), -1, 1)).contiguous()


def to_array(tensor: torch.Tensor) -> np.ndarray:
  """`[N, C, ..]` to `[N, .., C]`."""
  return np.moveaxis(tensor.detach().numpy(), 1, -1).copy()


def make_model(params: dict, *, levels: int, out_channels: int, **form: int):
  """The generator with given Flax parameters, in their type."""
  state = to_torch(params, levels=levels)
  model = EncoderDecoder(levels, out_channels, **form)
  model.to(state["head.weight"].dtype)
  model.load_state_dict(state)
  return model


def gradients(model: torch.nn.Module) -> dict[str, np.ndarray]:
  """What `backward` left at each parameter, by PyTorch's names."""
  return {name: value.grad.numpy().copy() for name, value in model.named_parameters()}


def gradient_limit(name: str, bits: int) -> float | None:
  """A wider limit for the one gradient that float32 cannot hold, or None.

  The first skip's 1x1 kernel reads one channel, so it only scales, and BatchNorm
  takes the scale off again but for epsilon: the gradient is what is left of terms a
  thousand times as large. PyTorch's float32 is 1e-3 from its float64 there.
  """
  return 2e-3 if bits == 32 and name == "levels.0.skip.conv.weight" else None


@torch.no_grad()
def smallest_preactivation(model, noise: torch.Tensor) -> float:
  """How close any input of a LeakyReLU comes to the kink at zero."""
  smallest = []
  hooks = [
    block.norm.register_forward_hook(
      lambda module, inputs, outputs: smallest.append(outputs.abs().min().item())
    )
    for block in model.modules()
    if isinstance(block, ConvBlock)
  ]
  generate(model, noise)
  for hook in hooks:
    hook.remove()
  return min(smallest)


def make_batch(
  scene: Scene,
  *,
  start: int,
  stride: int,
  forward: bool,
  size: int = 5,
  dtype: torch.dtype = torch.float64,
) -> Batch:
  """A batch as the method words it, masks computed on this side."""
  frames = batch_frames(start, stride, size)
  pairs = batch_pairs(frames, forward=forward)
  first, second = ([pair[k] for pair in pairs] for k in (0, 1))
  flow = to_tensor(scene.pair_flow(pairs))
  back = to_tensor(scene.pair_flow([(j, i) for i, j in pairs]))
  hole = to_tensor(scene.hole_mask)
  batch = Batch(
    frames=to_tensor(scene.frames[frames]),
    noise=to_tensor(scene.noise[frames]),
    hole=hole[frames],
    flow_known=flow,
    visible=visible_mask(flow, back),
    hole_flow=pair_hole_mask(hole[first], hole[second], flow),
    flow_scale=torch.tensor(scene.flow_scale[stride], dtype=torch.float64),
    flow_channel=flow_channel(stride, forward=forward),
    forward=forward,
  )
  return batch.map(lambda tensor: tensor.to(dtype))
