"""A composed set end to end: built, read as a data source, inpainted."""

import json
import os
import pathlib
import socket
import subprocess
import sys

import cv2
import numpy as np
import pytest

from dipvid_jax.cli import compose_set, inpaint
from dipvid_jax.composed import build_composed, open_library, place_mask, read_composed
from dipvid_jax.composed.compose import HIDDEN_LEVEL
from dipvid_jax.composed.library import mask_facts
from dipvid_jax.errors import InputError
from dipvid_jax.media.data_sets import VideoSet
from dipvid_jax.media.images import write_images
from dipvid_jax.media.video_reading import read_video
from dipvid_jax.method.recipes import load_config
from dipvid_jax.runs.source import read_clip
from tests.support.media_files import NTSC, encode, moving_frames
from tests.support.quick_compile import quick_compile  # noqa: F401

tfds = pytest.importorskip(
  "tensorflow_datasets", reason="TensorFlow Datasets is in the extra data"
)
pytest.importorskip("array_record", reason="ArrayRecord is in the extra data")

_ROOT = pathlib.Path(__file__).resolve().parents[2]
_SETTINGS = ("--segment-length", "4", "--masks-per-segment", "2")
_SMALL_RUN = (
  *("--config=flow.py", "--config.size=16,32", "--config.levels=1"),
  *("--config.batch_size=3", "--config.strides=(1,)", "--config.inner_steps=2"),
  *("--config.batches_per_round=1", "--config.rounds=1"),
  *("--config.perceptual_weight=0", "--config.consistency_weight=0"),
)


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
  """Whatever reaches for a server fails at once."""

  def refuse(*_):
    raise AssertionError("the network was asked for")

  monkeypatch.setattr(socket.socket, "connect", refuse)
  monkeypatch.setattr(socket, "getaddrinfo", refuse)


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
  """Two backgrounds and one that is too short; three sequences of masks."""
  folder = tmp_path_factory.mktemp("sources")
  write_images(folder / "clips/park", moving_frames(7, 16, 32))
  (folder / "clips").joinpath("short").mkdir()
  write_images(folder / "clips/short", moving_frames(3, 16, 32))
  encode(folder / "clips/sea.mkv", moving_frames(9, 24, 48)[:, ::-1])
  for number, name in enumerate(("box", "dot", "bar")):
    masks = np.zeros((5 - 2 * number, 24, 32, 3), np.uint8)
    for t, mask in enumerate(masks):
      mask[8 : 10 + 3 * number, 4 + 3 * t : 14 + 2 * t] = 255
    write_images(folder / "masks" / name, masks)
  return folder


def compose(sources, output, *extra):
  return compose_set.main(
    [
      *("--backgrounds", str(sources / "clips"), "--masks", str(sources / "masks")),
      *("--output", str(output), *_SETTINGS, *extra),
    ]
  )


@pytest.fixture(scope="module")
def built(sources, tmp_path_factory):
  """A whole set, and the folder that it was asked to be in."""
  folder = tmp_path_factory.mktemp("built") / "set"
  assert compose(sources, folder) == 0
  return folder


def files_of(folder):
  return {
    str(path.relative_to(folder)): path.read_bytes()
    for path in sorted(folder.rglob("*"))
    if path.is_file()
  }


def test_the_command_says_what_it_made_and_what_it_left_out(sources, tmp_path, capfd):
  assert compose(sources, tmp_path / "set") == 0
  said = capfd.readouterr().out.splitlines()
  assert said == [
    "shorter than 4 frames and left out: short (3)",
    f"done: {tmp_path / 'set/composed_set/1.0.0'}",
  ]
  assert [path.name for path in (tmp_path / "set").iterdir()] == ["composed_set"]


def test_two_builds_are_the_same_to_the_byte(sources, built, tmp_path):
  """In another process, where protocol buffers would take another order."""
  places = ("--backgrounds", sources / "clips", "--masks", sources / "masks")
  script = _ROOT / "bin/compose-set"
  subprocess.run(
    [sys.executable, script, *places, "--output", tmp_path / "again", *_SETTINGS],
    env=os.environ | {"PYTHONPATH": str(_ROOT)},
    check=True,
  )
  assert files_of(tmp_path / "again") == files_of(built)


def test_another_seed_gives_other_files(sources, built, tmp_path):
  compose(sources, tmp_path / "other", "--seed", "1")
  other, first = files_of(tmp_path / "other"), files_of(built)
  assert {name for name in first if first[name] != other.get(name)} >= {
    name for name in first if "array_record" in name
  }


def test_the_set_is_an_ordinary_data_source(built):
  """As others read it, without anything of ours."""
  (folder,) = built.glob("composed_set/*")
  builder = tfds.builder_from_directory(folder)
  source = builder.as_data_source("test")
  assert len(source) == 4
  assert [example["video_id"].decode() for example in source] == list(
    builder.info.metadata["video_ids"]
  )
  example = source[0]
  assert np.shape(example["frames"]) == np.shape(example["truth"]) == (4, 16, 32, 3)
  assert np.shape(example["hole"]) == (4, 16, 32, 1)
  assert example["recipe"]["background"] == b"park"
  assert "tensorflow" not in sys.modules


def test_a_video_is_what_its_recipe_says(sources, built):
  """The truth is the source's own frames, the hole the mask's, and hidden."""
  ids = list(VideoSet(built).places)
  assert [name.split("-")[0] for name in ids] == ["park", "park", "sea", "sea"]
  clips = {
    "park": moving_frames(7, 16, 32),
    "sea": moving_frames(9, 24, 48)[:, ::-1],
  }
  for video_id in ids:
    frames, hole, truth, recipe = read_composed(built, video_id)
    assert recipe.video_id == video_id and recipe.frame_count == 4
    first = recipe.first_frame
    assert np.array_equal(truth, clips[recipe.background][first : first + 4])
    assert set(np.unique(hole)) == {0, 255} and hole.any(axis=(1, 2, 3)).all()
    inside = np.broadcast_to(hole > 0, frames.shape)
    assert (frames[inside] == HIDDEN_LEVEL).all()
    assert np.array_equal(frames[~inside], truth[~inside])
    facts = mask_facts(open_library(sources / "masks", content="masks")[recipe.mask])
    assert recipe.mask_size == facts.size == (24, 32)
    y, x = (facts.centres[recipe.mask_first_frame] * hole.shape[1:3]).astype(int)
    assert hole[0, y, x] == 255
  assert recipe.frame_rate == str(NTSC)


def test_size_and_vary_reach_the_set(sources, tmp_path):
  extra = ("--size", "16x32", "--vary", "--masks-per-segment", "4")
  assert compose(sources, tmp_path / "set", *extra) == 0
  made = [read_composed(tmp_path / "set", name) for name in VideoSet(tmp_path).places]
  assert len(made) == 8
  assert {video.frames.shape for video in made} == {(4, 16, 32, 3)}
  assert {video.recipe.background_size for video in made} == {(16, 32), (24, 48)}
  assert any(video.recipe.offset != (0, 0) for video in made)


def test_a_composed_set_is_a_library_of_backgrounds_and_of_masks(built, tmp_path):
  folder = build_composed(
    tmp_path / "set",
    backgrounds=built,
    masks=built,
    segment_length=4,
    masks_per_segment=1,
  )
  video_id = next(iter(VideoSet(folder).places))
  frames, _, truth, recipe = read_composed(folder, video_id)
  assert np.array_equal(truth, read_composed(built, recipe.background).frames)
  assert (frames != truth).any() and recipe.mask != recipe.background


def _inpaint(built, output, video_id, *extra):
  flags = ("--tfds", str(built), "--video-id", video_id, "--output", str(output))
  return inpaint.main([*flags, *_SMALL_RUN, *extra])


def test_inpaint_fills_a_video_of_the_set_and_resumes(built, tmp_path, capsys):
  video_id = next(iter(VideoSet(built).places))
  assert _inpaint(built, tmp_path / "out", video_id) == 0
  frames, hole, _, _ = read_composed(built, video_id)
  result = read_video(tmp_path / "out/frames").frames
  inside = np.broadcast_to(hole > 0, frames.shape)
  assert np.array_equal(result[~inside], frames[~inside])
  assert (result[inside] != HIDDEN_LEVEL).mean() > 0.5
  config = json.loads((tmp_path / "out/config.json").read_text())
  assert (config["tfds"], config["video_id"]) == (str(built), video_id)
  assert config["video"] is config["mask"] is None
  moved = tmp_path / "elsewhere"
  moved.symlink_to(built)
  assert _inpaint(moved, tmp_path / "out", video_id, "--resume") == 0
  assert "resumed after 4 updates" in capsys.readouterr().out
  other = list(VideoSet(built).places)[1]
  assert _inpaint(built, tmp_path / "out", other, "--resume") == 2
  assert f"video_id ({video_id} there, {other} here)" in capsys.readouterr().err


@pytest.mark.parametrize(
  ("extra", "said"),
  [
    (["--video-id", "none"], "has no video none; there are park-"),
    ([], "--video-id is missing; there are park-"),
    (["--video-id", "none", "--video", "v.mp4"], "--tfds and --video exclude"),
    (["--video-id", "none", "--mask", "m.png"], "--tfds and --mask exclude"),
  ],
)
def test_inpaint_names_what_is_wrong_with_its_source(
  built, tmp_path, capsys, extra, said
):
  output = ("--output", str(tmp_path / "out"))
  assert inpaint.main(["--tfds", str(built), *output, *_SMALL_RUN, *extra]) == 2
  error = capsys.readouterr().err
  assert said in error and error.count("\n") == 1
  assert not (tmp_path / "out").exists()


def test_object_numbers_are_not_looked_for_in_holes(built, tmp_path, capsys):
  video_id = next(iter(VideoSet(built).places))
  assert _inpaint(built, tmp_path / "out", video_id, "--object", "1") == 2
  assert "holds no object numbers" in capsys.readouterr().err


@pytest.mark.parametrize(
  ("extra", "said"),
  [
    (["--backgrounds", "nowhere"], "nowhere: no such folder, and no data set"),
    (["--masks", "nowhere/at/all"], "nowhere/at/all: no such folder"),
    (["--segment-length", "0"], "--segment-length: must be 1 or more, got 0"),
    (["--segment-length", "10"], "shorter: park (7), sea (9), short (3) frames"),
    (["--masks-per-segment", "0"], "--masks-per-segment: must be 1 or more"),
    (["--masks-per-segment", "4"], "there are 3; lower --masks-per-segment, or add"),
    (["--seed", "-1"], "--seed: must be 0 or more, got -1"),
  ],
)
def test_bad_input_is_one_line_and_makes_nothing(
  sources, tmp_path, capsys, extra, said
):
  assert compose(sources, tmp_path / "set", *extra) == 2
  error = capsys.readouterr().err
  assert error.startswith("compose-set: ") and error.count("\n") == 1
  assert said in error
  assert not (tmp_path / "set").exists()


@pytest.mark.parametrize("size", ["192,384", "0x9"])
def test_a_size_that_is_none_is_refused(sources, tmp_path, capsys, size):
  with pytest.raises(SystemExit) as exit_info:
    compose(sources, tmp_path / "set", "--size", size)
  assert exit_info.value.code == 2
  assert f"{size!r} is not height x width" in capsys.readouterr().err


def test_a_folder_that_is_no_utf8_is_refused(sources, tmp_path, capsys):
  assert compose(sources, tmp_path / os.fsdecode(b"s\xe9t")) == 2
  assert "is not UTF-8, which data sets need" in capsys.readouterr().err


def test_a_folder_that_holds_a_set_is_left_alone(sources, built, capsys):
  before = files_of(built)
  assert compose(sources, built) == 2
  assert "holds a data set" in capsys.readouterr().err
  assert files_of(built) == before


def test_a_folder_where_the_set_would_go_is_left_alone(
  sources, built, tmp_path, capsys
):
  place = next(built.rglob("features.json")).parent.relative_to(built)
  mine = tmp_path / "out" / place / "notes.txt"
  mine.parent.mkdir(parents=True)
  mine.write_text("mine")
  assert compose(sources, tmp_path / "out") == 2
  assert f"holds {place}, which is no data set" in capsys.readouterr().err
  assert list(files_of(tmp_path / "out")) == [str(place / "notes.txt")]


@pytest.mark.parametrize(
  ("raised", "code", "said"),
  [
    (KeyboardInterrupt, 130, "interrupted; nothing was kept"),
    (InputError("lost"), 2, "lost"),
  ],
)
def test_a_build_that_breaks_off_leaves_no_set(
  sources, tmp_path, monkeypatch, capsys, raised, code, said
):
  calls = []

  def break_off(masks, recipe):
    calls.append(recipe)
    if len(calls) == 3:
      raise raised
    return place_mask(masks, recipe)

  monkeypatch.setattr("dipvid_jax.composed.building.place_mask", break_off)
  assert compose(sources, tmp_path / "set") == code
  assert capsys.readouterr().err == f"compose-set: {said}\n"
  assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
  monkeypatch.setattr("dipvid_jax.composed.building.place_mask", place_mask)
  assert compose(sources, tmp_path / "set") == 0


def test_a_damaged_set_is_one_line(built, tmp_path):
  (folder,) = built.glob("composed_set/*")
  video_id = next(iter(VideoSet(built).places))
  copy = tmp_path / "copy"
  copy.mkdir()
  for path in folder.iterdir():
    (copy / path.name).write_bytes(path.read_bytes())
  record = next(copy.glob("*-00000-of-*"))
  record.write_bytes(record.read_bytes()[:1000])
  with pytest.raises(InputError, match="copy: video 0 of test cannot be read"):
    read_composed(copy, video_id)
  (copy / "dataset_info.json").write_text("{")
  with pytest.raises(InputError, match="copy: cannot be opened"):
    VideoSet(copy)


class Davis(tfds.core.ShardBasedBuilder):
  """Features of the DAVIS of TensorFlow Datasets 4.9.10, with made-up videos."""

  VERSION = tfds.core.Version("2.1.0")

  def _info(self):
    features = tfds.features
    video = {
      "frames": features.Image(shape=(None, None, 3)),
      "segmentations": features.Image(shape=(None, None, 1), use_colormap=True),
    }
    metadata = {"num_frames": np.int64, "video_name": np.str_}
    return tfds.core.DatasetInfo(
      builder=self,
      features=features.FeaturesDict(
        {"video": features.Sequence(video), "metadata": metadata}
      ),
    )

  def _shard_iterators_per_split(self, dl_manager):
    return {
      "train": [lambda: self._examples("bear", "dog")],
      "validation": [lambda: self._examples("bus")],
    }

  def _examples(self, *names):
    for number, name in enumerate(names):
      labels = np.zeros((6, 16, 32, 1), np.uint8)
      labels[:, 4:8, 6:20] = 2
      labels[:, 8:12, 6 : 12 + number] = 1
      frames = moving_frames(6, 16, 32)
      video = {
        "frames": [cv2.imencode(".png", f[..., ::-1])[1].tobytes() for f in frames],
        "segmentations": [cv2.imencode(".png", m)[1].tobytes() for m in labels],
      }
      metadata = {"num_frames": 6, "video_name": name}
      yield name, {"video": video, "metadata": metadata}


@pytest.fixture(scope="module")
def davis(tmp_path_factory):
  folder = tmp_path_factory.mktemp("davis")
  Davis(data_dir=str(folder)).download_and_prepare(file_format="array_record")
  return folder


def test_davis_of_tfds_is_read(davis):
  held = VideoSet(davis)
  assert held.places == {
    "bear": ("train", 0),
    "dog": ("train", 1),
    "bus": ("validation", 0),
  }
  assert np.array_equal(held.frames("bus"), moving_frames(6, 16, 32))
  sizes = [held.masks("dog", object_id=k).sum() // 255 for k in (None, 1, 2)]
  assert sizes == [6 * (56 + 28), 6 * 28, 6 * 56]
  assert held.frame_rate("dog") is None
  with pytest.raises(InputError, match=r"dog holds no object 3; there are 1, 2"):
    held.masks("dog", object_id=3)
  with pytest.raises(InputError, match="holds no recipe"):
    read_composed(davis, "dog")


def test_a_set_is_found_by_its_name_in_a_data_folder(davis):
  with pytest.raises(InputError, match=r"davis: no such folder, and no data set"):
    VideoSet("davis")
  tfds.core.add_data_dir(davis)
  try:
    assert list(VideoSet("davis").places) == ["bear", "dog", "bus"]
  finally:
    tfds.core.utils.file_utils.clear_registered_data_dirs()


def test_davis_of_tfds_serves_as_backgrounds_and_masks(davis, tmp_path):
  folder = build_composed(
    tmp_path / "set", backgrounds=davis, masks=davis, segment_length=4,
    masks_per_segment=2,
  )  # fmt: skip
  assert {name.rsplit("-", 1)[0] for name in VideoSet(folder).places} == {
    f"{a}-{b}" for a in ("bear", "bus", "dog") for b in ("bear", "bus", "dog") if a != b
  }


@pytest.mark.parametrize("invert", [False, True])
def test_davis_of_tfds_is_a_source_of_a_run(davis, invert):
  named = {"tfds": str(davis), "video_id": "dog", "mask_object": 1}
  config = load_config("fast", **named, invert_mask=invert)
  video, masks = read_clip(config.source)
  assert np.array_equal(video.frames, moving_frames(6, 16, 32))
  assert video.frame_rate == 24
  hole = np.zeros((6, 16, 32, 1), bool)
  hole[:, 8:12, 6:13] = True
  assert np.array_equal(masks, np.where(hole ^ invert, np.uint8(255), np.uint8(0)))


def test_a_set_of_something_else_is_refused(tmp_path):
  class Sums(tfds.core.ShardBasedBuilder):
    VERSION = tfds.core.Version("1.0.0")

    def _info(self):
      features = tfds.features.FeaturesDict({"sum": np.int64})
      return tfds.core.DatasetInfo(builder=self, features=features)

    def _shard_iterators_per_split(self, dl_manager):
      return {"train": [lambda: iter([(0, {"sum": 1})])]}

  Sums(data_dir=str(tmp_path)).download_and_prepare(file_format="array_record")
  with pytest.raises(InputError, match=r"holds sum; a set of videos has frames and"):
    VideoSet(tmp_path)


def test_several_sets_in_a_folder_ask_for_one(davis, built, tmp_path):
  (tmp_path / "a").symlink_to(davis / "davis")
  (tmp_path / "b").symlink_to(built / "composed_set")
  with pytest.raises(InputError, match=r"holds 2 data sets .*; name one: .*2\.1\.0"):
    VideoSet(tmp_path)


def test_nothing_is_imported_before_it_is_needed():
  code = (
    "import sys; import dipvid_jax.cli.inpaint, dipvid_jax.cli.compose_set;"
    "print([m for m in sys.modules if m.startswith(('tensorflow', 'array_record'))])"
  )
  done = subprocess.run(
    [sys.executable, "-c", code], cwd=_ROOT, capture_output=True, text=True, check=True
  )
  assert done.stdout.strip() == "[]"
