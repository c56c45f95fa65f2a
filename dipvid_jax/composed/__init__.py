"""The paper's kind of benchmark: real backgrounds and masks, with a known truth."""

from dipvid_jax.composed.building import Composed, build_composed, read_composed
from dipvid_jax.composed.compose import fit_frames, hide, place_mask
from dipvid_jax.composed.library import open_library
from dipvid_jax.composed.recipe import ClipFacts, MaskFacts, Recipe, draw_recipes

__all__ = [
  "ClipFacts",
  "Composed",
  "MaskFacts",
  "Recipe",
  "build_composed",
  "draw_recipes",
  "fit_frames",
  "hide",
  "open_library",
  "place_mask",
  "read_composed",
]
