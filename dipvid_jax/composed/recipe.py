"""Recipes of composed videos, drawn from a seed before anything is decoded.

Sizes are (H, W), offsets (dy, dx), in pixels of the composed frames.
"""

import collections
import dataclasses
import zlib
from collections.abc import Sequence

import numpy as np

from dipvid_jax.errors import InputError

_TRIES = 100
_LARGEST_SHIFT = 4  # a varied mask moves by at most a side divided by this
_SCALES = (75, 125)  # per cent


@dataclasses.dataclass(frozen=True)
class ClipFacts:
  """What a recipe needs to know of a background.

  Attributes:
    name: of the video.
    frame_count: number of frames.
    size: (H, W).
    frame_rate: frames per second, as "25" or "30000/1001".
  """

  name: str
  frame_count: int
  size: tuple[int, int]
  frame_rate: str


@dataclasses.dataclass(frozen=True)
class MaskFacts:
  """What a recipe needs to know of a sequence of masks.

  Attributes:
    name: of the sequence.
    size: (H, W).
    centres: `[T, 2]` float, (y, x) of a pixel of each frame's hole, as fractions of
      the size; NaN where a frame has no hole.
  """

  name: str
  size: tuple[int, int]
  centres: np.ndarray


@dataclasses.dataclass(frozen=True)
class Recipe:
  """What one video of a composed set is made of.

  The mask is mirrored, scaled about the frame's centre, then moved.

  Attributes:
    background: name of the video whose frames are shown.
    index: number of the video among the videos of its background, from 0.
    first_frame: of the background.
    frame_count: frames of the composed video.
    frame_rate: frames per second, of the background.
    background_size: (H, W) of the original background.
    frame_size: (H, W) of the composed frames.
    mask: name of the sequence of masks.
    mask_size: (H, W) of the original masks.
    mask_first_frame: of the mask; a sequence that is too short runs back and forth.
    flip: the mask is mirrored left to right.
    scale_percent: the mask's size; 100 fills the frame.
    offset: (dy, dx), by which the mask is moved.
    seed: of the whole set.
  """

  background: str
  index: int
  first_frame: int
  frame_count: int
  frame_rate: str
  background_size: tuple[int, int]
  frame_size: tuple[int, int]
  mask: str
  mask_size: tuple[int, int]
  mask_first_frame: int
  flip: bool
  scale_percent: int
  offset: tuple[int, int]
  seed: int

  @property
  def video_id(self) -> str:
    """The video's name in its set."""
    return f"{self.background}-{self.mask}-{self.index}"


def draw_recipes(
  backgrounds: Sequence[ClipFacts],
  masks: Sequence[MaskFacts],
  *,
  segment_length: int,
  masks_per_segment: int,
  seed: int,
  size: tuple[int, int] | None = None,
  vary: bool = False,
) -> list[Recipe]:
  """Draws a segment of each background and the masks for it.

  A background's recipes depend on the seed, its own name and length, and the masks,
  not on other backgrounds. A mask with the background's own name shows what is in the
  background, and is drawn only if there is no other.

  Args:
    backgrounds: each with at least `segment_length` frames.
    masks: to draw from.
    segment_length: frames of a composed video.
    masks_per_segment: videos made of each background, each with a different mask.
    seed: the same seed gives the same recipes.
    size: (H, W) of the composed frames; None keeps each background's own.
    vary: masks are also mirrored, scaled by 75 to 125 per cent and moved by up to a
      quarter of a side, and drawn repeatedly if there are too few.

  Returns:
    `masks_per_segment` recipes for each background, in order.

  Raises:
    InputError: too few masks, or two videos with one id.
  """
  recipes = []
  for background in backgrounds:
    generator = np.random.default_rng([seed, zlib.crc32(background.name.encode())])
    first_frame = int(generator.integers(background.frame_count - segment_length + 1))
    others = [mask for mask in masks if mask.name != background.name] or list(masks)
    if len(others) < masks_per_segment and not vary:
      raise InputError(
        f"{background.name}: needs {masks_per_segment} masks per segment, there are"
        f" {len(others)}; lower --masks-per-segment, or add --vary to use masks more"
        " than once, each time in another place"
      )
    frame_size = size or background.size
    for index, chosen in enumerate(
      np.resize(generator.permutation(len(others)), masks_per_segment)
    ):
      mask = others[chosen]
      recipe = Recipe(
        background=background.name,
        index=index,
        first_frame=first_frame,
        frame_count=segment_length,
        frame_rate=background.frame_rate,
        background_size=background.size,
        frame_size=frame_size,
        mask=mask.name,
        mask_size=mask.size,
        mask_first_frame=0,
        flip=False,
        scale_percent=100,
        offset=(0, 0),
        seed=seed,
      )
      recipes.append(_draw_placement(generator, recipe, mask, vary=vary))
  _check_ids(recipes)
  return recipes


def mask_frames(recipe: Recipe, mask_count: int) -> np.ndarray:
  """Assigns a mask to each frame, running back and forth through the sequence.

  Args:
    recipe: of the video.
    mask_count: masks in the sequence.

  Returns:
    `[frame_count]` int, indices into the sequence.
  """
  period = max(2 * (mask_count - 1), 1)
  along = (recipe.mask_first_frame + np.arange(recipe.frame_count)) % period
  return np.minimum(along, period - along) if mask_count > 1 else 0 * along


def _check_ids(recipes: list[Recipe]) -> None:
  """Refuses equal ids, which names with dashes can give: a-b on c, and a on b-c."""
  counts = collections.Counter(recipe.video_id for recipe in recipes)
  twice = [video_id for video_id, count in counts.items() if count > 1]
  if twice:
    raise InputError(f"two videos would be named {twice[0]}; rename a background")


def _draw_placement(
  generator: np.random.Generator, recipe: Recipe, mask: MaskFacts, *, vary: bool
) -> Recipe:
  """Draws until at least half of the mask's holes are in the frame."""
  latest = max(len(mask.centres) - recipe.frame_count, 0)
  height, width = recipe.frame_size
  for _ in range(_TRIES):
    drawn = dataclasses.replace(
      recipe, mask_first_frame=int(generator.integers(latest + 1))
    )
    if vary:
      drawn = dataclasses.replace(
        drawn,
        flip=bool(generator.integers(2)),
        scale_percent=int(generator.integers(_SCALES[0], _SCALES[1] + 1)),
        offset=(_draw_shift(generator, height), _draw_shift(generator, width)),
      )
    if _hole_stays(drawn, mask.centres):
      return drawn
  with_hole = np.flatnonzero(np.isfinite(mask.centres[:, 0]))
  return dataclasses.replace(recipe, mask_first_frame=int(min(with_hole[0], latest)))


def _draw_shift(generator: np.random.Generator, side: int) -> int:
  return int(generator.integers(-(side // _LARGEST_SHIFT), side // _LARGEST_SHIFT + 1))


def _hole_stays(recipe: Recipe, centres: np.ndarray) -> bool:
  centres = centres[mask_frames(recipe, len(centres))]
  centres = centres[np.isfinite(centres[:, 0])]
  if recipe.flip:
    centres = centres * (1, -1) + (0, 1)
  moved = np.divide(recipe.offset, recipe.frame_size)
  placed = (centres - 0.5) * recipe.scale_percent / 100 + 0.5 + moved
  inside = np.all((placed > 0) & (placed < 1), axis=1)
  return bool(len(inside)) and bool(inside.mean() >= 0.5)
