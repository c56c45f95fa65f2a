"""Updates in PyTorch, as the benchmark runs them."""

import os

import numpy as np
import torch

from benchmarks.pytorch.generator import EncoderDecoder
from benchmarks.pytorch.train import Batch, Trainer
from benchmarks.pytorch.vgg import VGG16Features
from benchmarks.scene import draw_clip, draw_flow
from benchmarks.ways import Program, Way
from dipvid_jax.training.batching import flow_scale

_STRIDE = 1


def build(way: Way) -> Program:
  """Builds one of PyTorch's variants on one batch.

  A variant that computes the known frames' features once per batch does so outside
  the timed call, as this program's updates do.

  Args:
    way: framework `pytorch`.

  Returns:
    The program.
  """
  torch.manual_seed(0)
  torch.set_num_threads(1 if way.dry else len(os.sched_getaffinity(0)))
  on_gpu = way.on_gpu
  device = torch.device("cuda" if on_gpu else "cpu")
  vgg = None
  if way.losses == "all":
    vgg = VGG16Features(to_the_end=way.variant == "authors").to(device)
  trainer = Trainer(
    EncoderDecoder(way.levels).to(device),
    variant=way.variant,
    losses=way.losses,
    vgg=vgg,
    compile_mode="none" if way.dry else "default",
    cuda_graph=on_gpu and way.variant == "compiled",
  )
  batch = _draw_batch(way)
  prepared = None if way.variant == "authors" else trainer.prepare(batch)

  def call() -> None:
    if prepared is None:
      trainer.fit_batch(batch, way.updates)
      return
    trainer.fit_prepared(*prepared, way.updates)
    if on_gpu:
      torch.cuda.synchronize()

  return Program(call, {"precision": _precision(on_gpu)}, _peak if on_gpu else None)


def _precision(on_gpu: bool) -> str:
  if not on_gpu:
    return "float32"
  cudnn, matmul = torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32
  return f"TF32 convolutions {cudnn}, TF32 products {matmul}"


def _peak() -> int:
  return torch.cuda.max_memory_allocated()


def _draw_batch(way: Way) -> Batch:
  size = {"height": way.height, "width": way.width}
  frames, hole_masks = draw_clip(way.batch_size, **size)
  (pairs,) = draw_flow(way.batch_size, **size, strides=(_STRIDE,))
  noise = np.random.default_rng(2).uniform(0, 0.1, hole_masks.shape)
  return Batch(
    frames=_channels_first(frames),
    noise=_channels_first(noise),
    hole=_channels_first(hole_masks),
    flow_known=_channels_first(pairs.forward),
    visible=_channels_first(pairs.forward_visible),
    hole_flow=_channels_first(hole_masks[:-1]),
    flow_scale=torch.tensor(flow_scale(pairs.forward, pairs.backward)),
  )


def _channels_first(array: np.ndarray) -> torch.Tensor:
  """`[N, H, W, C]` to `[N, C, H, W]`, float32."""
  return torch.from_numpy(np.moveaxis(array, -1, 1).astype(np.float32))
