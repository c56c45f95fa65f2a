"""Where the input lies in the working frames, and which sizes suit a network."""

import numpy as np
import pytest

from dipvid_jax.errors import InputError
from dipvid_jax.media.placement import (
  check_size,
  check_smallest,
  describe_swapped_sides,
  place,
)


def test_the_authors_clip_is_cropped_like_theirs():
  # 240 x 432 at 192 x 384: 216 of the 240 rows, from row 12.
  placement = place((240, 432), size=(192, 384), fit="crop")
  assert placement.source == (12, 0, 216, 432)
  assert placement.target == (0, 0, 192, 384)


@pytest.mark.parametrize("fit", ["crop", "pad"])
@pytest.mark.parametrize("seed", range(20))
def test_placements_are_centred_and_inside(fit, seed):
  random = np.random.default_rng(seed)
  input_size, size = (tuple(map(int, random.integers(1, 300, 2))) for _ in "ab")
  placement = place(input_size, size=size, fit=fit)
  assert (placement.input_size, placement.size) == (input_size, size)
  for box, room in ((placement.source, input_size), (placement.target, size)):
    assert box.height >= 1
    assert box.width >= 1
    for before, length, side in zip(box[:2], box[2:], room, strict=True):
      assert before >= 0
      assert 0 <= side - before - length - before <= 1
  whole = placement.target if fit == "crop" else placement.source
  assert whole == (0, 0, *(size if fit == "crop" else input_size))


@pytest.mark.parametrize("fit", ["crop", "pad"])
@pytest.mark.parametrize("levels", [1, 3, 4])
@pytest.mark.parametrize("size", [(60, 80), (61, 83), (33, 49), (5, 90), (1, 1), None])
def test_any_size_is_padded_to_one_that_suits(size, levels, fit):
  plain = place((60, 80), size=size, fit=fit)
  placement = place((60, 80), size=size, fit=fit, levels=levels)
  check_size(placement.size, levels)
  for side, content in zip(placement.size, size or (60, 80), strict=True):
    smallest = 3 * 2**levels
    assert side == smallest if content <= smallest else side - content < 2**levels
  assert placement.source == plain.source
  assert placement.target[2:] == plain.target[2:]


def test_unknown_fit():
  with pytest.raises(InputError, match='fit="stretch" is not known'):
    place((60, 80), size=(60, 80), fit="stretch")


@pytest.mark.parametrize(
  ("size", "levels"),
  [((192, 384), 6), ((96, 192), 5), ((192, 192), 6), ((6, 6), 1), ((96, 96), 4)],
)
def test_good_sizes(size, levels):
  check_size(size, levels)


@pytest.mark.parametrize(
  ("size", "levels", "words"),
  [
    (
      (96, 192),
      6,
      r"size=96x192 .* levels=6: .* multiples of 64 and at least 192, such as"
      r" 192x192; or use levels=5$",
    ),
    ((240, 432), 6, "such as 256x448; or use levels=4"),
    ((128, 256), 6, "such as 192x256; or use levels=5"),
    ((2, 2), 1, "multiples of 2 and at least 6, such as 6x6$"),
    ((191, 383), 6, "such as 192x384$"),
    ((0, 64), 2, "at least"),
    ((64, 64), 0, "at least"),
  ],
)
def test_a_bad_size_gets_a_suggestion(size, levels, words):
  with pytest.raises(InputError, match=words):
    check_size(size, levels)


@pytest.mark.parametrize(
  ("size", "levels", "words"),
  [
    ((95, 500), 5, r"size=95x500 .* too small for levels=5: .* 96; or use levels=4$"),
    ((500, 191), 6, "at least 192; or use levels=5$"),
    ((5, 5), 1, "at least 6$"),
  ],
)
def test_a_size_that_is_too_small_gets_a_suggestion(size, levels, words):
  with pytest.raises(InputError, match=words):
    check_smallest(size, levels)
  check_smallest((max(size), max(size)), 1 if levels > 1 else 0)


@pytest.mark.parametrize("levels", range(1, 7))
def test_the_suggested_size_suits(levels):
  for side in (1, 50, 100, 333, 1080):
    try:
      check_size((side, 2 * side), levels)
    except InputError as error:
      words = str(error).split("such as ")[1].split(";")[0]
      check_size(tuple(int(n) for n in words.split("x")), levels)


@pytest.mark.parametrize(
  ("size", "input_size", "other"),
  [
    ((384, 192), (1080, 1920), "192x384"),
    ((192, 384), (1920, 1080), "384x192"),
    ((192, 384), (1080, 1920), None),
    ((192, 384), (500, 500), None),
    ((256, 256), (1080, 1920), None),
    (None, (1080, 1920), None),
  ],
)
def test_sides_in_the_other_order_are_asked_about(size, input_size, other):
  line = describe_swapped_sides(size, input_size)
  if other is None:
    assert line == ""
  else:
    there = f"{input_size[0]}x{input_size[1]}: did you mean --size {other}?"
    assert line.startswith(f"size {size[0]}x{size[1]} is HEIGHTxWIDTH")
    assert line.endswith(there)
