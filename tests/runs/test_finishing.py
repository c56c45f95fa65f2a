"""What follows the training is tried before it, and its failures cost one line."""

import errno
import os
import pathlib

import av
import numpy as np
import pytest

from dipvid_jax.cli import inpaint
from dipvid_jax.media.video_reading import read_video
from dipvid_jax.media.video_writing import write_video
from dipvid_jax.method.pipeline import Inpainted
from dipvid_jax.report import page
from dipvid_jax.runs import finishing, folder, run_report, window_record
from dipvid_jax.storage.rows import append_row
from tests.support import media_files, report_run, untrained

FRAMES = media_files.moving_frames(6, 32, 48)


@pytest.fixture
def seen(monkeypatch):
  return untrained.instead_of_training(monkeypatch)


def arguments(place, **flags):
  """A small run in a folder that gets its clip and mask; flags without value: None."""
  mask = np.zeros(FRAMES.shape[1:3], np.uint8)
  mask[8:20, 10:30] = 255
  if "video" not in flags:
    flags["video"] = media_files.encode(place / "clip.mkv", FRAMES)
  usual = {
    "config": "vid.py",
    "mask": media_files.write_png(place / "mask.png", mask),
    "output": place / "out",
    "config.size": "24,32",
    "config.levels": 2,
  }
  return [
    f"--{name}" if value is None else f"--{name}={value}"
    for name, value in {**usual, **flags}.items()
  ]


def phone_clip(place):
  """A clip with AAC, and a second track whose codec no one knows."""
  silent = media_files.encode(
    place / "silent.mov", FRAMES, codec="libx264", pix_fmt="yuv420p"
  )
  clip = media_files.add_sound(place / "phone.mov", silent, tracks=2)
  return media_files.unknown_codec(clip)


def test_known_sound_is_kept_and_the_rest_named_before_the_training(
  tmp_path, seen, capsys, monkeypatch
):
  said = []
  train = window_record.WindowRecord.on_flow
  monkeypatch.setattr(
    window_record.WindowRecord,
    "on_flow",
    lambda *a: (said.append(capsys.readouterr().out), train(*a)),
  )
  assert inpaint.main(arguments(tmp_path, video=phone_clip(tmp_path))) == 0
  line = "phone.mov: left out of the result: sound of track 3 (its codec is unknown"
  assert line in said[0]
  assert line not in capsys.readouterr().out  # once is enough
  sound = media_files.sound_packets(tmp_path / "out/inpainted.mp4")
  assert len(sound) == 1 and len(sound[0]) > 5


def refuse(*_, **__):
  raise av.error.ExternalError(542398533, "no encoder\nhere")


def test_videos_that_cannot_be_encoded_are_refused_before_anything_is_replaced(
  tmp_path, seen, capsys, monkeypatch
):
  assert inpaint.main(arguments(tmp_path)) == 0
  before = {p: p.read_bytes() for p in (tmp_path / "out").rglob("*") if p.is_file()}
  monkeypatch.setattr(finishing, "write_video", refuse)
  capsys.readouterr()
  assert inpaint.main(arguments(tmp_path, overwrite=None)) == 2
  error = capsys.readouterr().err
  assert "clip.mkv: its result cannot be encoded as H.264 of 32x48" in error
  assert error.count("\n") == 1 and len(seen) == 1
  after = {p: p.read_bytes() for p in (tmp_path / "out").rglob("*") if p.is_file()}
  lock = tmp_path / "out/.lock"
  assert before.keys() == after.keys()
  assert all(after[path] == before[path] for path in before if path != lock)


def test_an_interlaced_clip_is_rehearsed_at_any_working_height(tmp_path, seen):
  """The network's frames are not made of fields, and need no whole ones."""
  write_video(tmp_path / "fields.mp4", FRAMES, 25, field_order="top")
  size = {"config.size": "26,32", "config.levels": 1}
  assert inpaint.main(arguments(tmp_path, video=tmp_path / "fields.mp4", **size)) == 0


@pytest.mark.parametrize(
  ("owner", "name", "missing"),
  [
    (folder.RunFolder, "write_inpainted", "inpainted.mp4"),
    (folder.RunFolder, "write_full", "full.mp4"),
    (run_report, "write_report", "report.html"),
  ],
)
def test_what_fails_after_the_training_is_one_line_and_resume_makes_it(
  tmp_path, seen, capsys, monkeypatch, owner, name, missing
):
  def fail_at_the_end(*args, **kwargs):
    if not seen:
      return original(*args, **kwargs)
    return refuse()

  original = getattr(owner, name)
  with monkeypatch.context() as patch:
    patch.setattr(owner, name, fail_at_the_end)
    assert inpaint.main(arguments(tmp_path)) == 1
  error = capsys.readouterr().err
  assert error.count("\n") == 1 and error.startswith("inpaint: ")
  assert f"could not make {missing} (ExternalError: " in error
  assert "--resume continues" in error
  out = tmp_path / "out"
  videos = {"inpainted.mp4", "full.mp4"}
  assert {p.name for p in out.glob("*.mp4")} == videos - {missing}
  assert len(list((out / "frames").iterdir())) == len(FRAMES)
  assert inpaint.main(arguments(tmp_path, resume=None)) == 0
  assert {p.name for p in out.glob("*.mp4")} == videos
  assert "is finished" in report_run.Page(out / "report.html").text


def test_a_disk_that_is_full_at_the_end_says_so_before_anything_else(
  tmp_path, seen, capsys, monkeypatch
):
  def full(self, like):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.path / "full.mp4"))

  with monkeypatch.context() as patch:
    patch.setattr(folder.RunFolder, "write_inpainted", refuse)
    patch.setattr(folder.RunFolder, "write_full", full)
    assert inpaint.main(arguments(tmp_path)) == 2
  error = capsys.readouterr().err
  assert f"{tmp_path / 'out/full.mp4'}: disk full (No space left" in error
  assert error.endswith("the same command with --resume continues\n")
  assert inpaint.main(arguments(tmp_path, resume=None)) == 0


def test_an_error_of_the_disk_without_a_name_names_the_folder(
  tmp_path, seen, capsys, monkeypatch
):
  def full(*_, **__):
    raise OSError(errno.EDQUOT, os.strerror(errno.EDQUOT))

  monkeypatch.setattr(window_record.WindowRecord, "on_flow", full)
  assert inpaint.main(arguments(tmp_path)) == 2
  assert f"{tmp_path / 'out'}: disk full (" in capsys.readouterr().err


def test_a_row_that_the_disk_refuses_names_its_file():
  if pathlib.Path("/dev/full").exists():
    with pytest.raises(OSError, match="No space left") as error:
      append_row(pathlib.Path("/dev/full"), {"update": 1})
    assert error.value.filename == "/dev/full"


def test_report_and_thumbnails_of_a_round_cost_no_training(
  tmp_path, capsys, monkeypatch
):
  run = report_run.Run(tmp_path)
  run.begin()

  def fail(*_, **__):
    raise UnicodeEncodeError("utf-8", "\udce9", 0, 1, "surrogates not allowed")

  monkeypatch.setattr(run_report, "write_report", fail)
  monkeypatch.setattr(run_report.ReportParts, "write_strip", fail)
  assert run.round(0)
  said = capsys.readouterr().out.splitlines()
  assert [line.partition(":")[0] for line in said] == [
    "window-001-round-00001.jpg",
    "report.html",
  ]
  assert all("UnicodeEncodeError" in line for line in said)
  assert len(run.folder.rounds.read_text().splitlines()) == 1


def test_a_preview_that_fails_costs_no_training(monkeypatch, capsys):
  monkeypatch.setattr(window_record, "preview_image", lambda *_, **__: 1 / 0)
  record = window_record.WindowRecord.__new__(window_record.WindowRecord)
  record._frames = record._hole_masks = record._known_flow = None
  record.write_preview(Inpainted(None, None, None, None))
  assert "preview.png: left out for now (ZeroDivisionError" in capsys.readouterr().out


def test_a_picture_too_long_for_a_jpeg_is_reduced():
  data = page.jpeg(np.zeros((10, 80_000, 3), np.uint8), max_bytes=800_000)
  assert data.startswith(b"\xff\xd8")


def test_a_second_object_is_taken_out_of_a_first_result(tmp_path, seen, capsys):
  assert inpaint.main(arguments(tmp_path)) == 0
  out = tmp_path / "out"
  for name in ("frames", "inpainted.mp4"):
    for more in ({}, {"overwrite": None}, {"resume": None}):
      assert inpaint.main(arguments(tmp_path, video=out / name, **more)) == 2
      error = capsys.readouterr().err
      assert f"the run would write to {out / name}, where --video" in error
    second = tmp_path / f"second {name}"
    assert inpaint.main(arguments(tmp_path, video=out / name, output=second)) == 0
    assert len(read_video(second / "frames").frames) == len(FRAMES)
  assert len(list((out / "frames").iterdir())) == len(FRAMES)


def test_a_shorter_run_leaves_no_frame_of_a_longer_one(tmp_path, seen):
  assert inpaint.main(arguments(tmp_path)) == 0
  short = media_files.encode(tmp_path / "short.mkv", FRAMES[:5])
  assert inpaint.main(arguments(tmp_path, video=short, overwrite=None)) == 0
  for name in ("frames", "full"):
    assert len(list((tmp_path / "out" / name).iterdir())) == 5


NO_TEXT = os.fsdecode(b"caf\xe9")


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_names_need_not_be_utf8(tmp_path, seen, encoding, capfdbinary, monkeypatch):
  place = tmp_path / NO_TEXT
  place.mkdir()
  clip = media_files.add_sound(
    tmp_path / "clip.mp4",
    media_files.encode(
      tmp_path / "silent.mp4", FRAMES, codec="libx264", pix_fmt="yuv420p"
    ),
  )
  clip.rename(place / f"{NO_TEXT}.mp4")
  words = arguments(place, video=place / f"{NO_TEXT}.mp4", output=place / NO_TEXT)
  with open(1, "w", encoding=encoding, closefd=False) as stdout:
    monkeypatch.setattr("sys.stdout", stdout)
    assert inpaint.main(words) == 0
    assert inpaint.main([*words, "--resume"]) == 0
    assert inpaint.main([*words, "--overwrite"]) == 0
    assert inpaint.main(words) == 2
  output = capfdbinary.readouterr().out
  shown = {"utf-8": b"caf\xe9", "ascii": b"caf\\udce9"}[encoding]
  assert shown + b"/inpainted.mp4" in output
  out = place / NO_TEXT
  assert len(media_files.sound_packets(out / "inpainted.mp4")) == 1
  assert "caf\N{REPLACEMENT CHARACTER}.mp4" in report_run.Page(out / "report.html").text
