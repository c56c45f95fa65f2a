"""The clip as the network sees it: at the network's own size, and back from there."""

import dataclasses
from typing import NamedTuple

import numpy as np

from dipvid_jax.media.placement import Placement, place, place_in_network
from dipvid_jax.media.preparation import Around, enlarge_image, fit_image
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
    return self.placement.unchanged

  def reduce(self, images: np.ndarray) -> np.ndarray:
    """`[T, H, W, C]` of the clip to `[T, h, w, C]` of the network, reflected around."""
    return self._reduce(images, around="reflect")

  def reduce_flow(self, pairs: PairFlow) -> PairFlow:
    """Flow of the clip to flow of the network, in its pixels; unseen in the border."""
    if self.same:
      return pairs

    def flow(flows: np.ndarray) -> np.ndarray:
      return self._reduce(flows, around="edge") / self.placement.scale

    def visible(seen: np.ndarray) -> np.ndarray:
      return self._reduce(seen.astype(np.float32), around="constant") > 1 - 1e-3

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
    larger = np.stack([enlarge_image(x, self.placement) for x in images])
    return larger.reshape(*larger.shape[:3], -1)

  def enlarge_flow(self, flows: np.ndarray) -> np.ndarray:
    """`[T, h, w, 2]` of the network to `[T, H, W, 2]` of the clip, in its pixels."""
    return flows if self.same else self.enlarge(flows) * self.placement.scale

  def _reduce(self, images: np.ndarray, *, around: Around) -> np.ndarray:
    if self.same:
      return images
    smaller = np.stack([fit_image(x, self.placement, around=around) for x in images])
    return smaller.reshape(*smaller.shape[:3], -1)


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
    return NetworkFrames(place(size, size=None, fit="pad"))
  return NetworkFrames(
    place_in_network(
      size, size=config.placement.content_size, levels=config.network.levels
    )
  )
