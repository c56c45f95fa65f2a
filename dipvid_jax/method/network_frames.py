"""The clip as the network sees it: at the network's own size, and back from there."""

import dataclasses
from typing import NamedTuple

import cv2
import numpy as np

from dipvid_jax.media.placement import Box, Placement, place_in_network
from dipvid_jax.method.config import Config
from flow import PairFlow


class NetworkFrames(NamedTuple):
  """Where the frames of a clip lie in those of the network.

  Attributes:
    placement: of the clip's frames; reflected around them where they are smaller.
  """

  placement: Placement

  @property
  def same(self) -> bool:
    """Whether the network's frames are the clip's."""
    whole = Box(0, 0, *self.placement.input_size)
    return self.placement.source == self.placement.target == whole and (
      self.placement.size == self.placement.input_size
    )

  def reduce(self, images: np.ndarray) -> np.ndarray:
    """`[T, H, W, C]` of the clip to `[T, h, w, C]` of the network, reflected around."""
    return self._reduce(images, mode="reflect")

  def reduce_flow(self, pairs: PairFlow) -> PairFlow:
    """Flow of the clip to flow of the network, in its pixels; unseen in the border."""
    if self.same:
      return pairs

    def flow(flows: np.ndarray) -> np.ndarray:
      return self._reduce(flows, mode="edge") / self._scale()

    def visible(seen: np.ndarray) -> np.ndarray:
      return self._reduce(seen.astype(np.float32), mode="constant") > 1 - 1e-3

    return dataclasses.replace(
      pairs,
      forward=flow(pairs.forward),
      backward=flow(pairs.backward),
      forward_visible=visible(pairs.forward_visible),
      backward_visible=visible(pairs.backward_visible),
    )

  def enlarge(self, images: np.ndarray) -> np.ndarray:
    """`[T, h, w, C]` of the network to `[T, H, W, C]` of the clip."""
    if self.same:
      return images
    height, width = self.placement.input_size
    shown = images[:, *self.placement.target.slices]
    larger = [
      cv2.resize(x, (width, height), interpolation=cv2.INTER_CUBIC) for x in shown
    ]
    return np.stack(larger).reshape(len(images), height, width, -1)

  def enlarge_flow(self, flows: np.ndarray) -> np.ndarray:
    """`[T, h, w, 2]` of the network to `[T, H, W, 2]` of the clip, in its pixels."""
    return flows if self.same else self.enlarge(flows) * self._scale()

  def _scale(self) -> np.ndarray:
    """`[2]` pixels of the clip for each of the network's, across and down."""
    source, target = self.placement.source, self.placement.target
    sides = [source.width / target.width, source.height / target.height]
    return np.array(sides, np.float32)

  def _reduce(self, images: np.ndarray, *, mode: str) -> np.ndarray:
    if self.same:
      return images
    target, (height, width) = self.placement.target, self.placement.size
    size = target.width, target.height
    smaller = [cv2.resize(x, size, interpolation=cv2.INTER_AREA) for x in images]
    content = np.stack(smaller).reshape(len(images), target.height, target.width, -1)
    bottom = height - target.top - target.height
    right = width - target.left - target.width
    border = ((0, 0), (target.top, bottom), (target.left, right), (0, 0))
    return np.pad(content, border, mode=mode)  # type: ignore[call-overload]


def network_frames(size: tuple[int, int], *, config: Config) -> NetworkFrames:
  """Decides how a network sees a clip.

  Args:
    size: (H, W) of the clip's frames.
    config: the run's settings; with `carry` the clip may be larger than the network's
      frames, else it has their size.

  Returns:
    Where the clip's frames lie in the network's.
  """
  if not config.propagation.carry:
    whole = Box(0, 0, *size)
    return NetworkFrames(Placement(size, size, whole, whole))
  return NetworkFrames(
    place_in_network(
      size, size=config.placement.content_size, levels=config.network.levels
    )
  )
