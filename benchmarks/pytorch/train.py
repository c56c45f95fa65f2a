"""Updates on one batch in PyTorch, in the variants that the benchmark compares.

authors: as the authors wrote it. VGG16 runs to relu5_3, over the output and again
  over the known frames, whose graph is kept; its weights get gradients; the batch
  is uploaded, the outputs are copied to NumPy, every loss is read and the cache is
  emptied in every update.
repaired: the known frames' features once a batch, no gradients of VGG's weights,
  everything resident, nothing read back.
tuned: repaired, with channels-last memory, cuDNN's search and fused Adam.
compiled: tuned, through `torch.compile` and, on a GPU, CUDA graphs.

All variants compute the batch's masks once. The caller sets the threads, TF32 and
similar options.
"""

import dataclasses
from collections.abc import Callable
from typing import Any

import torch

from benchmarks.pytorch.generator import EncoderDecoder, generate
from benchmarks.pytorch.losses import (
  add_all,
  consistency_loss,
  flow_loss,
  image_loss,
  perceptual_loss,
)
from benchmarks.pytorch.vgg import VGG16Features, feature_hole_masks

VARIANTS = ("authors", "repaired", "tuned", "compiled")
LOSSES = {
  "image": ("image",),
  "no_vgg": ("image", "flow", "consistency"),
  "all": ("image", "flow", "consistency", "perceptual"),
}
LOSS_WEIGHTS = {"image": 1.0, "flow": 0.1, "consistency": 1.0, "perceptual": 0.01}
IMAGE_CHANNELS = 3


@dataclasses.dataclass(frozen=True)
class Batch:
  """N frames of one stride, in the video's order, and their N-1 pairs.

  A pair (i, j) is a frame and its neighbour: forward, i runs over 0 .. N-2 and
  j = i + 1; backward, i runs over 1 .. N-1 and j = i - 1. Without the flow losses
  the fields of the pairs stay None.

  Attributes:
    frames: `[N, 3, H, W]` RGB in [0, 1].
    noise: `[N, 1, H, W]`.
    hole: `[N, 1, H, W]`, 1 = fill.
    flow_known: `[N-1, 2, H, W]`, (dx, dy) in pixels, frame i to frame j.
    visible: `[N-1, 1, H, W]`, 1 where the known flow can be trusted.
    hole_flow: `[N-1, 1, H, W]`, 1 where the pair touches a hole.
    flow_scale: scalar, pixels per network unit at this stride.
    flow_channel: where the pair's flow begins among the flow channels; 0, 2, .. 10
      for f1 b1 f3 b3 f5 b5.
    forward: the direction.
  """

  frames: torch.Tensor
  noise: torch.Tensor
  hole: torch.Tensor
  flow_known: torch.Tensor | None = None
  visible: torch.Tensor | None = None
  hole_flow: torch.Tensor | None = None
  flow_scale: torch.Tensor | None = None
  flow_channel: int = 0
  forward: bool = True

  def map(self, function: Callable[[torch.Tensor], torch.Tensor]) -> "Batch":
    """Applies a function to every tensor."""
    tensors: dict[str, Any] = {
      name: function(value)
      for name, value in vars(self).items()
      if isinstance(value, torch.Tensor)
    }
    return dataclasses.replace(self, **tensors)


@dataclasses.dataclass(frozen=True)
class Known:
  """What the perceptual loss reads of the known frames.

  Attributes:
    features: `[N, C, h, w]` for each layer; empty where each update computes them.
    masks: `[N, 1, h, w]` for each layer, 1 where the feature's input has hole pixels.
  """

  features: list[torch.Tensor] = dataclasses.field(default_factory=list)
  masks: list[torch.Tensor] = dataclasses.field(default_factory=list)


def batch_losses(
  raw: torch.Tensor,
  batch: Batch,
  names: tuple[str, ...],
  *,
  vgg: VGG16Features | None = None,
  known: Known | None = None,
) -> dict[str, torch.Tensor]:
  """Computes the unweighted losses of one batch.

  Args:
    raw: `[N, 3 (+ 12), H, W]` outputs of the network's head.
    batch: the batch that the outputs belong to.
    names: the losses to compute.
    vgg: the feature network; only for `perceptual`.
    known: features and masks of the known frames; only for `perceptual`.

  Returns:
    A scalar for each name.
  """
  image = torch.sigmoid(raw[:, :IMAGE_CHANNELS])
  losses = {"image": image_loss(image, batch.frames, batch.hole)}
  if "flow" in names:
    known_flow, visible, hole_flow, scale = _flow_tensors(batch)
    ahead, behind = slice(1, None), slice(None, -1)
    first, second = (behind, ahead) if batch.forward else (ahead, behind)
    begin = IMAGE_CHANNELS + batch.flow_channel
    flow = raw[first, begin : begin + 2]
    losses["flow"] = flow_loss(flow, known_flow / scale, hole_flow, visible)
    losses["consistency"] = consistency_loss(
      image[first], image[second], flow * scale, hole_flow
    )
  if "perceptual" in names:
    if vgg is None or known is None:
      raise ValueError("the perceptual loss needs `vgg` and `known`")
    losses["perceptual"] = perceptual_loss(vgg(image), known.features, known.masks)
  return losses


def _flow_tensors(batch: Batch) -> tuple[torch.Tensor, ...]:
  tensors = batch.flow_known, batch.visible, batch.hole_flow, batch.flow_scale
  present = tuple(tensor for tensor in tensors if tensor is not None)
  if len(present) < len(tensors):
    raise ValueError("the flow losses need all four flow tensors of the batch")
  return present


def weighted_sum(losses: dict[str, torch.Tensor]) -> torch.Tensor:
  """The scalar that is minimised."""
  return add_all(LOSS_WEIGHTS[name] * value for name, value in losses.items())


# A captured update, and the batch, known features and losses in its own memory.
_Captured = tuple["torch.cuda.CUDAGraph", Batch, Known, torch.Tensor]


class Trainer:
  """A network, its optimiser and one way of running updates.

  Attributes:
    model: the generator; its parameters change in place.
    optimizer: Adam; its state is kept from batch to batch.
    names: the losses, in the order of the columns that `fit_batch` returns.
  """

  def __init__(
    self,
    model: EncoderDecoder,
    *,
    variant: str = "repaired",
    losses: str = "all",
    vgg: VGG16Features | None = None,
    learning_rate: float = 0.01,
    compile_mode: str = "default",
    cuda_graph: bool = False,
  ):
    """Prepares the network and the optimiser for the variant.

    Args:
      model: on its device and in its dtype.
      variant: one of `VARIANTS`.
      losses: a key of `LOSSES`.
      vgg: for `all`, on the model's device; built with `to_the_end` for `authors`.
      learning_rate: Adam's.
      compile_mode: for `compiled`, `torch.compile`'s mode, or `none` for eager
        kernels inside a captured graph.
      cuda_graph: for `compiled` on a GPU, capture the whole update, Adam included.
    """
    if variant not in VARIANTS:
      raise ValueError(f"unknown variant {variant!r}: one of {VARIANTS}")
    self.names = LOSSES[losses]
    if "perceptual" in self.names and vgg is None:
      raise ValueError("the losses `all` need `vgg`")
    self.model, self.vgg, self.variant = model, vgg, variant
    self.device = next(model.parameters()).device
    self.tuned = variant in ("tuned", "compiled")
    self.layout = self._use_channels_last() if self.tuned else torch.contiguous_format
    if vgg is not None:
      vgg.requires_grad_(variant == "authors")
    options: dict[str, Any] = {}
    if self.tuned:
      options = {"fused": True, "capturable": cuda_graph}
    self.optimizer = torch.optim.Adam(model.parameters(), lr=learning_rate, **options)
    self.loss_fn: Callable[..., tuple[torch.Tensor, torch.Tensor]] = self._losses
    if variant == "compiled" and compile_mode != "none":
      self.loss_fn = torch.compile(self._losses, mode=compile_mode, dynamic=False)
    self.mark_steps = compile_mode in ("reduce-overhead", "max-autotune")
    self.graphs: dict[tuple[int, bool], _Captured] = {}
    self.cuda_graph = cuda_graph

  def fit_batch(self, batch: Batch, updates: int) -> torch.Tensor:
    """Runs updates on one batch.

    Args:
      batch: in the host's memory.
      updates: how many.

    Returns:
      `[updates, len(names)]` unweighted losses, each before its update; on the
      device, except for `authors`.
    """
    if self.variant == "authors":
      return self._fit_as_authors(batch, updates)
    return self.fit_prepared(*self.prepare(batch), updates)

  def prepare(self, batch: Batch) -> tuple[Batch, Known]:
    """Uploads a batch and computes its known features, once for all updates."""
    batch = batch.map(self._place)
    return batch, self._known(batch) if "perceptual" in self.names else Known()

  def fit_prepared(self, batch: Batch, known: Known, updates: int) -> torch.Tensor:
    """Runs updates on a prepared batch; see `fit_batch`. Not for `authors`."""
    torch.backends.cudnn.benchmark = self.tuned
    if self.cuda_graph:
      return self._replay(batch, known, updates)
    return torch.stack([self._update(batch, known).clone() for _ in range(updates)])

  def _use_channels_last(self) -> torch.memory_format:
    layout = torch.channels_last if self.model.ndim == 2 else torch.channels_last_3d
    # PyTorch's annotations of `Module.to` leave the memory format out.
    self.model.to(memory_format=layout)  # type: ignore[call-overload]
    if self.vgg is not None:
      self.vgg.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return torch.channels_last

  def _place(self, tensor: torch.Tensor) -> torch.Tensor:
    """Uploads a tensor of a batch; copies it even if the device is the CPU."""
    layout = self.layout if tensor.ndim == 4 else torch.preserve_format
    return tensor.to(self.device, copy=True, memory_format=layout)

  def _features(self, frames: torch.Tensor) -> list[torch.Tensor]:
    if self.vgg is None:
      raise ValueError("the perceptual loss needs `vgg`")
    return self.vgg(frames)

  @torch.no_grad()
  def _known(self, batch: Batch) -> Known:
    return Known(self._features(batch.frames), feature_hole_masks(batch.hole))

  def _losses(self, batch: Batch, known: Known) -> tuple[torch.Tensor, torch.Tensor]:
    raw = generate(self.model, batch.noise)
    losses = batch_losses(raw, batch, self.names, vgg=self.vgg, known=known)
    return weighted_sum(losses), torch.stack([losses[name] for name in self.names])

  def _update(self, batch: Batch, known: Known) -> torch.Tensor:
    """One update; returns the losses before it, without waiting for them."""
    if self.mark_steps:
      torch.compiler.cudagraph_mark_step_begin()
    self.optimizer.zero_grad(set_to_none=True)
    total, losses = self.loss_fn(batch, known)
    total.backward()
    self.optimizer.step()
    return losses.detach()

  def _fit_as_authors(self, host: Batch, updates: int) -> torch.Tensor:
    history = []
    masks = feature_hole_masks(host.hole.to(self.device))
    for _ in range(updates):
      batch = host.map(self._place)
      self.optimizer.zero_grad()
      raw = generate(self.model, batch.noise)
      known = Known(masks=masks)
      if "perceptual" in self.names:
        features = self._features(batch.frames)  # holds its graph until the update ends
        known = Known([feature.detach() for feature in features], masks)
      losses = batch_losses(raw, batch, self.names, vgg=self.vgg, known=known)
      weighted_sum(losses).backward()
      self.optimizer.step()
      history.append([losses[name].item() for name in self.names])
      raw.detach().cpu().numpy().copy()
      if self.device.type == "cuda":
        torch.cuda.empty_cache()
    return torch.tensor(history, dtype=torch.float64)

  def _replay(self, batch: Batch, known: Known, updates: int) -> torch.Tensor:
    """Copies the batch into a captured update's own memory and replays it."""
    key = (batch.flow_channel, batch.forward)
    if key not in self.graphs:
      self.graphs[key] = self._capture(batch, known)
    graph, own_batch, own_known, losses = self.graphs[key]
    for own, new in zip(
      _tensors(own_batch, own_known), _tensors(batch, known), strict=True
    ):
      own.copy_(new)
    history = []
    for _ in range(updates):
      graph.replay()
      history.append(losses.clone())
    return torch.stack(history)

  def _capture(self, batch: Batch, known: Known) -> _Captured:
    """Captures one update; the updates that warm it up are undone."""
    variables = list(self.model.parameters())
    saved = [value.detach().clone() for value in variables]
    state = {
      (index, name): value.clone()
      for index, variable in enumerate(variables)
      for name, value in self.optimizer.state[variable].items()
    }
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
      for _ in range(3):
        self._update(batch, known)
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
      losses = self._update(batch, known)
    with torch.no_grad():
      for index, variable in enumerate(variables):
        variable.copy_(saved[index])
        for name, value in self.optimizer.state[variable].items():
          value.copy_(state.get((index, name), torch.zeros_like(value)))
    return graph, batch, known, losses


def _tensors(batch: Batch, known: Known) -> list[torch.Tensor]:
  tensors = [value for value in vars(batch).values() if torch.is_tensor(value)]
  return [*tensors, *known.features, *known.masks]
