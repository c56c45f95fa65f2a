"""The output folder of masks: nothing of the user's is lost."""

import fractions

import numpy as np
import pytest

from dipvid_jax.errors import InputError
from dipvid_jax.masking.mask_folder import MaskFolder
from dipvid_jax.media.images import read_image, write_image
from dipvid_jax.media.masks import read_mask
from dipvid_jax.types import Video
from tests.support.media_files import moving_frames

_FRAMES = moving_frames(5, 23, 31)
_VIDEO = Video(_FRAMES, fractions.Fraction(25))
_MASKS = np.zeros((5, 23, 31), np.uint8)
_MASKS[1:, 4:12, 6:20] = 255


def write(path, masks=_MASKS, *, overwrite=False):
  folder = MaskFolder(path)
  folder.write(masks, _VIDEO, overwrite=overwrite)
  return folder


def files(folder):
  return {p.relative_to(folder): p.read_bytes() for p in folder.rglob("*.*")}


def refused(path, words, *, overwrite=False, inputs=None):
  held = files(path) if path.is_dir() else None
  with pytest.raises(InputError, match=words):
    MaskFolder(path).check(overwrite=overwrite, inputs=inputs or {})
  if not inputs and held is not None:
    with pytest.raises(InputError, match=words):
      write(path, overwrite=overwrite)
    assert files(path) == held


def test_folder_and_video_read_back_exactly(tmp_path):
  folder = write(tmp_path / "out")
  for path in (folder.masks, folder.video):
    read = read_mask(path, frame_count=5, size=(23, 31))
    assert (read[..., 0] == _MASKS).all()
  assert {path.name for path in (tmp_path / "out").iterdir()} == {
    "masks",
    "mask.mp4",
    "overlay.mp4",
    "preview.png",
    "written.txt",
  }


def test_masks_are_replaced_only_on_request(tmp_path):
  write(tmp_path)
  refused(tmp_path, "add --overwrite")
  fewer = _MASKS[:3].copy()
  fewer[2] = 0
  video = Video(_FRAMES[:3], _VIDEO.frame_rate)
  MaskFolder(tmp_path).write(fewer, video, overwrite=True)
  read = read_mask(tmp_path / "masks", frame_count=3, size=(23, 31))
  assert (read[..., 0] == fewer).all()


def test_a_retouched_mask_stays(tmp_path):
  write(tmp_path)
  (tmp_path / "masks/00002.png").write_bytes(b"retouched")
  refused(tmp_path, "masks/00002.png is in the way", overwrite=True)


@pytest.mark.parametrize("name", ["masks/my.png", "overlay.mp4", "written.txt"])
def test_files_of_the_user_stay(tmp_path, name):
  (tmp_path / name).parent.mkdir(exist_ok=True)
  (tmp_path / name).write_text("mine")
  refused(tmp_path, f"{name} is in the way", overwrite=True)


def test_the_result_of_another_command_stays(tmp_path):
  listed = "# dipvid_jax wrote these files: --overwrite removes them and no others\n"
  (tmp_path / "written.txt").write_text(f"{listed}4  inpainted.mp4\n")
  (tmp_path / "inpainted.mp4").write_text("film")
  refused(tmp_path, "result of another command", overwrite=True)


def test_other_files_do_not_matter(tmp_path):
  (tmp_path / "notes.txt").write_text("mine")
  write(tmp_path)
  assert (tmp_path / "notes.txt").read_text() == "mine"


def test_what_a_call_continues_from_is_never_missing(tmp_path, monkeypatch):
  painted = tmp_path / "painted/00001.png"

  def write_both(colour, **arguments):
    more = {painted: lambda path: write_image(path, _MASKS[1] // 255 * colour)}
    MaskFolder(tmp_path).write(_MASKS, _VIDEO, overwrite=True, more=more, **arguments)

  def stop(_):
    assert (read_image(painted) == _MASKS[1] // 255 * 2).all()
    raise KeyboardInterrupt

  write_both(1)
  with pytest.raises(KeyboardInterrupt):
    write_both(2, on_progress=stop)
  assert painted.exists() and not (tmp_path / "masks/00001.png").exists()
  painted.write_bytes(b"retouched")
  MaskFolder(tmp_path).check(overwrite=True, inputs={}, taken=[painted])


def test_an_input_where_masks_go_is_refused(tmp_path):
  (tmp_path / "masks").mkdir()
  for place in (tmp_path, tmp_path / "masks", tmp_path / "mask.mp4"):
    refused(tmp_path, "where masks would be written", inputs={"--video": place})


def test_a_file_is_no_folder(tmp_path):
  (tmp_path / "out").write_text("mine")
  refused(tmp_path / "out", "is a file")


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path):
  (tmp_path / "file").write_text("mine")
  with pytest.raises(InputError, match=r"--output .*Not a directory"):
    write(tmp_path / "file/out")
