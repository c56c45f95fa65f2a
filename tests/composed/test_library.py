"""Libraries of clips and masks: what a folder holds, by name."""

import os

import numpy as np
import pytest

from dipvid_jax.composed import open_library
from dipvid_jax.composed.library import mask_facts
from dipvid_jax.errors import InputError
from dipvid_jax.media.images import write_images
from tests.support.media_files import (
  DAVIS_PALETTE,
  NTSC,
  encode,
  moving_frames,
  write_indexed_png,
)

FRAMES = moving_frames(5, 16, 32)


def write_annotations(folder, labels):
  folder.mkdir(parents=True)
  for number, label in enumerate(labels):
    write_indexed_png(folder / f"{number:05d}.png", label, DAVIS_PALETTE)


def boxes(count=5, top=4, left=2):
  labels = np.zeros((count, 16, 32), np.uint8)
  for t in range(count):
    labels[t, top : top + 3, left + t : left + t + 5] = 1 + t % 2
  return labels


@pytest.fixture
def folder(tmp_path):
  """A video file, two folders of images, and what is no clip."""
  encode(tmp_path / "film.mkv", FRAMES)
  write_images(tmp_path / "b-walk", FRAMES)
  write_images(tmp_path / "a-run", FRAMES[:3])
  (tmp_path / "notes.txt").write_text("no clip")
  (tmp_path / "empty").mkdir()
  write_images(tmp_path / ".hidden", FRAMES)
  return tmp_path


def test_a_folder_of_files_and_folders(folder):
  library = open_library(folder, content="frames")
  assert list(library) == ["a-run", "b-walk", "film"]
  facts = library["b-walk"].facts()
  assert (facts.name, facts.frame_count, facts.size) == ("b-walk", 5, (16, 32))
  assert facts.frame_rate == "24"
  film = library["film"].facts()
  assert (film.frame_count, film.size, film.frame_rate) == (5, (16, 32), str(NTSC))


@pytest.mark.parametrize("name", ["film", "b-walk"])
def test_frames_are_those_asked_for(folder, name):
  frames = open_library(folder, content="frames")[name].frames(1, 3)
  assert np.array_equal(frames, FRAMES[1:4])


@pytest.mark.parametrize("name", ["film.mkv", "b-walk"])
def test_one_clip_is_a_library_too(folder, name):
  library = open_library(folder / name, content="frames")
  assert list(library) == [name.removesuffix(".mkv")]
  assert np.array_equal(next(iter(library.values())).frames(0, 5), FRAMES)


def davis(root, *resolutions):
  for resolution in resolutions:
    write_images(root / "JPEGImages" / resolution / "bear", FRAMES)
    write_annotations(root / "Annotations" / resolution / "bear", boxes())
  return root


@pytest.mark.parametrize("resolutions", [["480p"], ["1080p", "480p"], ["4K"]])
def test_davis_as_it_is_unpacked(tmp_path, resolutions):
  root = davis(tmp_path, *resolutions)
  (shown,) = open_library(root, content="frames").values()
  (hidden,) = open_library(root, content="masks").values()
  assert shown.path.parent.name == hidden.path.parent.name
  assert shown.path.parent.name == ("480p" if "480p" in resolutions else "4K")
  assert np.array_equal(shown.frames(0, 5), FRAMES)
  assert np.array_equal(hidden.masks(), boxes() > 0)


def test_davis_of_several_resolutions_asks_which(tmp_path):
  root = davis(tmp_path, "1080p", "720p")
  with pytest.raises(InputError, match=r"JPEGImages: holds 1080p, 720p; name"):
    open_library(root, content="frames")


def test_a_mask_video_is_a_sequence_of_masks(tmp_path):
  masks = np.where(boxes() > 0, np.uint8(255), np.uint8(0))
  encode(tmp_path / "mask.mkv", np.repeat(masks[..., None], 3, axis=-1))
  (clip,) = open_library(tmp_path, content="masks").values()
  assert np.array_equal(clip.masks(), masks > 0)


def test_facts_of_masks_name_a_pixel_of_each_hole(tmp_path):
  labels = boxes()
  labels[2] = 0
  labels[3] = 0
  labels[3, 0, 0] = labels[3, 15, 31] = 1  # the mean of the two is in neither
  write_annotations(tmp_path / "m", labels)
  facts = mask_facts(open_library(tmp_path, content="masks")["m"])
  assert facts.size == (16, 32) and facts.centres.shape == (5, 2)
  assert np.isnan(facts.centres[2]).all()
  rows, columns = np.floor(facts.centres * facts.size)[[0, 1, 3, 4]].astype(int).T
  assert (labels[[0, 1, 3, 4], rows, columns] > 0).all()


def test_no_clips_are_one_line(tmp_path):
  (tmp_path / "notes.txt").write_text("")
  with pytest.raises(InputError, match="holds no clips"):
    open_library(tmp_path, content="frames")


def test_two_clips_of_one_name_are_refused(folder):
  (folder / "b-walk.mp4").write_bytes((folder / "film.mkv").read_bytes())
  with pytest.raises(InputError, match="two clips named b-walk"):
    open_library(folder, content="frames")


def test_masks_without_a_hole_are_named(tmp_path):
  write_annotations(tmp_path / "bare", 0 * boxes())
  with pytest.raises(InputError, match=r"bare: no hole"):
    mask_facts(open_library(tmp_path, content="masks")["bare"])


def test_a_name_that_is_no_utf8_is_one_in_a_set(tmp_path):
  for name in (b"caf\xe9.mkv", b"b.mkv"):
    encode(tmp_path / os.fsdecode(name), moving_frames(2))
  clips = open_library(tmp_path, content="frames")
  assert list(clips) == ["b", "caf\N{REPLACEMENT CHARACTER}"]
  clip = clips["caf\N{REPLACEMENT CHARACTER}"]
  assert clip.facts().name.encode() and len(clip.frames(0, 2)) == 2
