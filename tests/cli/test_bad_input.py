"""Whatever users give: one clear line, exit 2, nothing written over; or it is read."""

import pathlib

import numpy as np
import pytest

from dipvid_jax.cli import inpaint
from dipvid_jax.media.images import write_images
from dipvid_jax.media.preparation import prepare
from dipvid_jax.media.video_reading import read_video
from dipvid_jax.media.video_writing import write_video
from dipvid_jax.method import pipeline
from dipvid_jax.method.pipeline import inpaint_video
from dipvid_jax.method.recipes import load_config
from dipvid_jax.storage.written import WrittenFiles
from flow import make_estimator, stored_video_flow
from flow.store import stored_files
from tests.support import bad_inputs, media_files, untrained
from tests.support.bad_inputs import COUNT, FRAMES, HEIGHT, MASK, WIDTH
from tests.support.synthetic import random_video_flow


def arguments(folder, flags):
  """The usual run in `folder` with some flags changed; None gives a flag no value."""
  usual = {
    "config": "vid.py",
    "video": folder / "clip.mkv",
    "mask": folder / "mask.png",
    "output": folder / "out",
    "config.size": "24,32",
    "config.levels": 2,
  }
  return [
    f"--{name}" if value is None else f"--{name}={value}"
    for name, value in {**usual, **flags}.items()
  ]


def contents(folder):
  """Every file below a folder but the lock, with its bytes where it has any."""
  return {
    path: path.read_bytes() if path.is_file() else None
    for path in folder.rglob("*")
    if path.name != ".lock"
  }


def run_in(folder, flags):
  try:
    return inpaint.main(arguments(folder, flags))
  except SystemExit as stop:  # how argparse ends
    return stop.code


@pytest.fixture
def folder(tmp_path, monkeypatch):
  bad_inputs.write_usual(tmp_path)
  monkeypatch.chdir(tmp_path)
  return tmp_path


@pytest.fixture
def seen(monkeypatch):
  """What the runs give to their training, which does not take place."""
  return untrained.instead_of_training(monkeypatch)


def test_there_are_enough_cases():
  names = [name for name, _, _ in bad_inputs.BAD]
  assert len(set(names)) == len(names) >= 60


@pytest.mark.parametrize(
  ("make", "words"),
  [pytest.param(make, words, id=name) for name, make, words in bad_inputs.BAD],
)
def test_bad_input_is_one_line_and_nothing_is_written(folder, seen, capfd, make, words):
  flags = make(folder)
  before = contents(folder)
  assert run_in(folder, flags) == 2
  output, error = capfd.readouterr()
  assert error.startswith("inpaint: ") and error.count("\n") == 1, error
  assert len(error) < 800  # a config without any key is told all that it lacks
  for word in words:
    assert word in error
  assert "Traceback" not in output
  assert contents(folder) == before
  assert not seen


def test_another_clip_or_mask_does_not_go_on_with_a_run(folder, seen, capsys):
  assert run_in(folder, {}) == 0
  before = contents(folder / "out")
  media_files.encode(folder / "other.mkv", FRAMES[::-1])
  media_files.write_png(folder / "other.png", MASK[::-1])
  for flags in ({"video": folder / "other.mkv"}, {"mask": folder / "other.png"}):
    assert run_in(folder, {**flags, "resume": None}) == 2
    assert "other frames or another mask" in capsys.readouterr().err
    assert contents(folder / "out") == before
  (folder / "clip.mkv").rename(folder / "moved.mkv")
  assert run_in(folder, {"video": folder / "moved.mkv", "resume": None}) == 0


# --- what is read right --------------------------------------------------------


def usual(_):
  return {}


def odd_size(folder):
  write_images(folder / "odd", FRAMES[:, :37, :51])
  media_files.write_png(folder / "odd.png", MASK[:37, :51])
  return {"video": folder / "odd", "mask": folder / "odd.png"}


def eight_thousand_wide(folder):
  wide = np.tile(FRAMES[:5, :16], (1, 1, 8192 // WIDTH, 1))
  media_files.encode(folder / "wide.mkv", wide)
  mask = np.zeros((16, 8192), np.uint8)
  mask[2:14, 2000:5000] = 255
  media_files.write_png(folder / "wide.png", mask)
  paths = {"video": folder / "wide.mkv", "mask": folder / "wide.png"}
  return {**paths, "config.fit": "pad"}


def awkward_paths(folder):
  deep = folder / "dossier été" / "映像 : 100%d #?&'\"*"
  deep.mkdir(parents=True)
  write_video(deep / "mein clip.mp4", FRAMES, media_files.NTSC)
  media_files.write_png(deep / "маска.png", MASK)
  return {
    "video": deep / "mein clip.mp4",
    "mask": deep / "маска.png",
    "output": deep / "aus gabe",
  }


def frames_with_strays(folder):
  write_images(folder / "frames", FRAMES)
  for name in (
    "notes.txt",
    "Thumbs.db",
    ".DS_Store",
    "._00000.png",
    ".00001.png.partial",
  ):
    (folder / "frames" / name).write_bytes(b"stray")
  (folder / "frames" / "masks").mkdir()
  return {"video": folder / "frames"}


def linked(folder):
  (folder / "link.mkv").symlink_to(folder / "clip.mkv")
  (folder / "masks").symlink_to(folder / "mask", target_is_directory=True)
  return {"video": folder / "link.mkv", "mask": folder / "masks"}


def soft_edges(folder):
  soft = np.where(MASK > 0, np.uint8(200), np.uint8(90))
  return {"mask": media_files.write_png(folder / "soft.png", soft)}


def colour_mask(folder):
  return {"mask": media_files.write_png(folder / "rgb.png", np.dstack([MASK] * 3))}


def palette_mask(folder):
  palette = media_files.DAVIS_PALETTE
  path = media_files.write_indexed_png(folder / "p.png", MASK // 255 * 2, palette)
  return {"mask": path, "object": 2}


def grey_numbers(folder):
  return {"mask": media_files.write_png(folder / "n.png", MASK // 255 * 7), "object": 7}


def ones(folder):
  return {"mask": media_files.write_png(folder / "ones.png", MASK // 255)}


def red(folder):
  image = np.dstack([MASK, 0 * MASK, 0 * MASK])
  return {"mask": media_files.write_png(folder / "red.png", image)}


def alpha_mask(folder):
  image = np.dstack([255 - 0 * MASK] * 3 + [MASK])
  return {"mask": media_files.write_png(folder / "a.png", image)}


def weak(folder):
  path = media_files.write_png(folder / "weak.png", MASK // 4)
  return {"mask": path, "mask-threshold": 40}


def inverted(folder):
  path = media_files.write_png(folder / "inverted.png", 255 - MASK)
  return {"mask": path, "invert-mask": None}


def output_with_other_files(folder):
  (folder / "out").mkdir()
  (folder / "out" / "notes.txt").write_text("mine")
  return {}


def flow_of_another_clip(folder):
  other = np.float32(FRAMES[:, ::-1, ::2][:, ::2]) / 255
  stored_video_flow(
    folder / "out/flow", other, strides=(1,), estimator=make_estimator("dis")
  )
  written = WrittenFiles(folder / "out")
  written.begin()
  written.announce(*stored_files(folder / "out/flow", (1,)))
  return {"config": "flow.py", "config.perceptual_weight": 0, "overwrite": None}


GOOD = {
  "the usual": usual,
  "odd size": odd_size,
  "8,192 wide": eight_thousand_wide,
  "spaces, other scripts, signs": awkward_paths,
  "folder with strays": frames_with_strays,
  "links": linked,
  "mask folder": lambda folder: {"mask": folder / "mask"},
  "mask video": bad_inputs.mask_video(),
  "soft grey edges": soft_edges,
  "colour mask": colour_mask,
  "palette and object": palette_mask,
  "grey object numbers": grey_numbers,
  "mask of zero and one": ones,
  "mask in a colour": red,
  "mask in the alpha channel": alpha_mask,
  "weak mask and its threshold": weak,
  "inverted mask": inverted,
  "the input's size": lambda _: {"size": "input"},
  "any size": lambda _: {"size": "29x43", "config.fit": "pad"},
  "other files in the output": output_with_other_files,
  "another clip's flow stored": flow_of_another_clip,
}


@pytest.mark.parametrize("name", GOOD)
def test_good_input_of_every_form_is_read_right(folder, seen, capfd, name):
  """The result is the input outside the hole, grey (127) in it, and nothing is said."""
  flags = GOOD[name](folder)
  before = contents(folder)
  assert run_in(folder, flags) == 0
  assert capfd.readouterr().err == ""
  given = read_video(flags.get("video", folder / "clip.mkv")).frames
  output = pathlib.Path(flags.get("output", folder / "out"))
  result = read_video(output / "frames").frames
  hole = np.broadcast_to(MASK > 0, (COUNT, HEIGHT, WIDTH))
  if given.shape[1:3] == (16, 8192):
    hole = np.zeros(given.shape[:3], bool)
    hole[:, 2:14, 2000:5000] = True
  hole = hole[: len(given), : given.shape[1], : given.shape[2]]
  np.testing.assert_array_equal(result[~hole], given[~hole])
  assert np.abs(result[hole].astype(int) - 128).max() <= 1
  assert len(seen) == 1
  for path, content in before.items():
    replaced = "flow" in path.parts or path.name == "written.txt"
    assert replaced or contents(folder)[path] == content


# --- arrays given to the library -----------------------------------------------


def clip_arrays():
  frames, holes = prepare(FRAMES, bad_inputs.masks()[..., :1], size=(24, 32), fit="pad")
  return {"frames": frames, "hole_masks": holes}


def with_value(array, value):
  array = array.copy()
  array[2, 3, 4, 0] = value
  return array


BAD_ARRAYS = {
  "NaN": (lambda a: {"frames": with_value(a["frames"], np.nan)}, "finite"),
  "infinite": (lambda a: {"frames": with_value(a["frames"], np.inf)}, "finite"),
  "above 1": (lambda a: {"frames": a["frames"] * 255}, r"in \[0, 1\]"),
  "below 0": (lambda a: {"frames": a["frames"] - 0.9}, r"in \[0, 1\]"),
  "integers": (lambda a: {"frames": np.uint8(a["frames"] * 255)}, "divide by 255"),
  "objects": (lambda a: {"frames": a["frames"].astype(object)}, "float"),
  "complex": (lambda a: {"frames": a["frames"].astype(complex)}, "float"),
  "text": (lambda a: {"frames": "clip.mkv"}, r"\[T, H, W, 3\]"),
  "one frame": (lambda a: {"frames": a["frames"][0]}, r"\[T, H, W, 3\]"),
  "grey": (lambda a: {"frames": a["frames"][..., 0]}, r"\[T, H, W, 3\]"),
  "with alpha": (lambda a: {"frames": a["frames"][..., [0, 1, 2, 0]]}, r"T, H, W, 3"),
  "no frames": (lambda a: {k: v[:0] for k, v in a.items()}, "empty"),
  "few frames": (lambda a: {k: v[:3] for k, v in a.items()}, "3 frames"),
  "odd size": (lambda a: {k: v[:, :23] for k, v in a.items()}, "size=23x32"),
  "mask of other count": (lambda a: {"hole_masks": a["hole_masks"][:5]}, "hole_masks"),
  "mask without channel": (lambda a: {"hole_masks": a["hole_masks"][..., 0]}, "hole_m"),
  "soft mask": (lambda a: {"hole_masks": a["hole_masks"] * 0.5}, "0 .* or 1"),
  "mask of 255": (lambda a: {"hole_masks": a["hole_masks"] * 255}, "0 .* or 1"),
  "NaN in the mask": (
    lambda a: {"hole_masks": with_value(a["hole_masks"], np.nan)}, "0 .* or 1"),
  "all hole": (lambda a: {"hole_masks": a["hole_masks"] * 0 + 1}, "nothing is left"),
  "flow of other strides": (
    lambda a: {"video_flow": random_video_flow(COUNT, (24, 32), (2,))}, "video_flow"),
  "flow of another size": (
    lambda a: {"video_flow": random_video_flow(COUNT, (12, 32), (1,))}, "video_flow"),
  "flow with NaN": (lambda a: {"video_flow": broken_flow()}, "finite"),
}  # fmt: skip


def broken_flow():
  (pairs,) = random_video_flow(COUNT, (24, 32), (1,))
  pairs.forward[0, 0, 0, 0] = np.nan
  return (pairs,)


@pytest.mark.parametrize("name", BAD_ARRAYS)
def test_bad_arrays_are_one_line_before_any_work(name, monkeypatch):
  def work(*_, **__):
    raise AssertionError("the arrays were taken")

  monkeypatch.setattr(pipeline, "make_training_clip", work)
  change, words = BAD_ARRAYS[name]
  config = load_config("flow", levels=2, strides=(1,), perceptual_weight=0.0)
  arrays = clip_arrays()
  with pytest.raises(ValueError, match=words) as error:
    inpaint_video(**{**arrays, **change(arrays)}, config=config)
  assert "\n" not in str(error.value)
