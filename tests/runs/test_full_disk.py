"""A disk with no room: one line, what is done is kept, --resume continues.

The limit on the size of a file (RLIMIT_FSIZE) is the system's own refusal: every
writer meets it as it would meet a full disk.
"""

import contextlib
import errno
import resource
import shutil

import jax.numpy as jnp
import numpy as np
import pytest

from dipvid_jax.cli import inpaint
from dipvid_jax.media import images
from dipvid_jax.media.video_reading import read_video
from dipvid_jax.media.video_writing import write_video
from dipvid_jax.runs.folder import RunFolder
from dipvid_jax.runs.run_report import RunReport
from dipvid_jax.storage import atomic, checkpoints
from dipvid_jax.training.step import TrainState
from dipvid_jax.types import Video
from flow import make_estimator, stored_video_flow
from tests.support import media_files, untrained

FRAMES = np.random.default_rng(0).integers(0, 256, (6, 48, 64, 3), np.uint8)


@contextlib.contextmanager
def files_up_to(size):
  soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
  resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
  try:
    yield
  finally:
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def write_flow(path):
  frames = np.float32(FRAMES) / 255
  stored_video_flow(path, frames, strides=(1,), estimator=make_estimator("dis"))


WRITERS = {
  "clip.mp4": lambda path: write_video(path, FRAMES, media_files.NTSC),
  "one.png": lambda path: images.write_image(path, FRAMES[0]),
  "flow": write_flow,
}


@pytest.mark.parametrize("size", [0, 2000])
@pytest.mark.parametrize("name", WRITERS)
def test_a_writer_leaves_the_old_file_and_no_other(tmp_path, name, size):
  path = tmp_path / name
  WRITERS[name](path)
  before = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
  if name == "flow":  # of another clip, so that it is made anew
    (path / "made_from.json").write_text("{}")
    before[path / "made_from.json"] = b"{}"
  with files_up_to(size), pytest.raises(OSError):
    WRITERS[name](path)
  assert {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()} == before


def test_a_writers_error_names_the_file_itself(tmp_path):
  with files_up_to(10), pytest.raises(OSError) as error:
    images.write_image(tmp_path / "one.png", FRAMES[0])
  assert error.value.errno == errno.EFBIG
  assert error.value.filename == str(tmp_path / "one.png")
  with pytest.raises(OSError) as error, atomic.replacing(tmp_path / "none" / "a") as to:
    to.write_text("x")
  assert error.value.filename == str(tmp_path / "none" / "a")


def test_results_keep_the_silent_video_where_only_the_sound_has_no_room(tmp_path):
  clip = media_files.encode(
    tmp_path / "c.mp4", FRAMES, codec="libx264", pix_fmt="yuv420p"
  )
  source = media_files.add_sound(tmp_path / "s.mp4", clip, seconds=30)
  folder = RunFolder(tmp_path / "out")
  folder.create({}, resume=False)
  like = Video(FRAMES, media_files.NTSC, audio=source)
  folder.write_frames(FRAMES, FRAMES, first=0)
  with files_up_to(source.stat().st_size - clip.stat().st_size):
    said = folder.write_inpainted(like)
  assert "sound cannot be copied (File too large)" in said
  assert len(read_video(folder.path / "inpainted.mp4").frames) == len(FRAMES)


STATE = TrainState(params={"a": jnp.ones((9, 9))}, opt_state=(), step=jnp.asarray(3))


def test_a_checkpoint_without_room_is_found_out_beforehand(tmp_path, monkeypatch):
  store = checkpoints.Checkpoints(tmp_path / "c")
  store.save(STATE)
  usage = shutil.disk_usage(tmp_path)._replace(free=100)
  monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
  with pytest.raises(OSError, match="No space left") as error:
    store.save(STATE._replace(step=jnp.asarray(4)))
  store.close()
  assert error.value.filename == str(tmp_path / "c")
  assert [path.name for path in (tmp_path / "c").iterdir()] == ["3"]


def test_a_checkpoint_that_the_system_refuses_is_an_os_error(tmp_path, monkeypatch):
  store = checkpoints.Checkpoints(tmp_path / "c")

  def refuse(*_, **__):
    raise ValueError("OUT_OF_RANGE: File too large [os_error_code='27']\nmore")

  monkeypatch.setattr(store._manager, "save", refuse)
  with pytest.raises(OSError, match=r"File too large \[os_error_code='27'\]"):
    store.save(STATE)
  store.close()


@pytest.fixture
def arguments(tmp_path):
  mask = np.zeros(FRAMES.shape[1:3], np.uint8)
  mask[10:20, 20:40] = 255
  media_files.encode(tmp_path / "clip.mkv", FRAMES)
  media_files.write_png(tmp_path / "mask.png", mask)
  return [
    *("--video", str(tmp_path / "clip.mkv"), "--mask", str(tmp_path / "mask.png")),
    *("--output", str(tmp_path / "out"), "--config.levels=2", "--config.size=24,32"),
  ]


# The files of a run in the order in which they are written, and their sizes: its
# config about 2 kB, the flow 31, the report's parts 20, the preview 44, a frame 9, the
# video more. What is left out lets the run come to the next one.
@pytest.mark.parametrize(
  ("config", "size", "code", "named", "left_out"),
  [
    ("flow.py", 100, 2, "out", ()),
    ("flow.py", 8_000, 1, "out", ()),
    ("vid.py", 8_000, 1, "before.mp4", ()),
    ("vid.py", 8_000, 1, "preview.png", ("begin",)),
    ("vid.py", 8_000, 1, "00000.png", ("begin", "write_preview")),
  ],
)
def test_a_run_ends_with_one_line_and_resumes(
  tmp_path, arguments, monkeypatch, capsys, config, size, code, named, left_out
):
  untrained.instead_of_training(monkeypatch)
  words = [*("--config", config), *arguments]
  with files_up_to(size), monkeypatch.context() as patch:
    for name in left_out:
      owner = RunFolder if hasattr(RunFolder, name) else RunReport
      patch.setattr(owner, name, lambda *_, **__: None)
    assert inpaint.main(words) == code
  error = capsys.readouterr().err
  assert error.startswith("inpaint: ") and error.count("\n") == 1
  assert named in error and "cannot be written (" in error
  assert not (tmp_path / "out/inpainted.mp4").exists()
  if code == 1:
    assert "--resume continues" in error
    words.append("--resume")
  assert inpaint.main(words) == 0
  assert len(read_video(tmp_path / "out/inpainted.mp4").frames) == len(FRAMES)
  assert not list((tmp_path / "out").rglob(".*.partial"))
