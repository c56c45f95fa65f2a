"""`bin/inpaint --manifest` in this process."""

import errno
import os

import pytest

from dipvid_jax.cli import inpaint, inpaint_many
from tests.support import untrained
from tests.support.clip_list import SMALL, write_clips, write_manifest

_SMALL = (*SMALL, "--config.rounds=2")


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
  """A folder with small videos and their masks, and a file that is no video."""
  folder = tmp_path_factory.mktemp("clips")
  write_clips(folder, {"a": 6, "b": 6})
  return folder


def test_a_list_is_worked_through_and_then_skipped(
  clips, tmp_path, capsys, monkeypatch
):
  untrained.instead_of_training(monkeypatch)
  manifest = write_manifest(clips, tmp_path, ["a", "words", "b"])
  assert inpaint.main(["--manifest", str(manifest), *_SMALL]) == 1
  said = capsys.readouterr().out
  table = said[said.index("3 clips: ") :].splitlines()
  assert table[0] == "3 clips: 2 done, 1 failed"
  assert table[1].startswith("line 3  failed") and "words.mp4: " in table[1]
  written = (tmp_path / "a/full.mp4").stat().st_mtime_ns
  assert inpaint.main(["--manifest", str(manifest), *_SMALL]) == 1
  said = capsys.readouterr().out
  assert "line 2: " not in said and "line 3: " in said
  assert (tmp_path / "a/full.mp4").stat().st_mtime_ns == written


def test_a_line_is_a_list_of_one(clips, tmp_path, capsys, monkeypatch):
  untrained.instead_of_training(monkeypatch)
  manifest = write_manifest(clips, tmp_path, ["words", "a", "b"])
  flags = ("--manifest", str(manifest), *_SMALL, "--line")
  assert inpaint.main([*flags, "3"]) == 0
  assert "1 clip: 1 done" in capsys.readouterr().out
  assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "clips.csv"]
  assert inpaint.main([*flags, "5"]) == 2
  assert "they are in lines 2 to 4" in capsys.readouterr().err
  assert inpaint.main(["--line", "2"]) == 2
  assert "--line: is of a list; add --manifest" in capsys.readouterr().err


def test_ctrl_c_shows_where_the_list_is(clips, tmp_path, capsys, monkeypatch):
  def interrupt(self, state):
    raise KeyboardInterrupt

  manifest = write_manifest(clips, tmp_path, ["a", "b"])
  monkeypatch.setattr("dipvid_jax.storage.checkpoints.Checkpoints.save", interrupt)
  assert inpaint.main(["--manifest", str(manifest), *_SMALL]) == 130
  said = capsys.readouterr()
  assert said.err == "inpaint: interrupted; the same command continues\n"
  assert "2 clips: 2 waiting" in said.out


def test_a_summary_that_cannot_be_written_is_a_line(
  clips, tmp_path, capsys, monkeypatch
):
  manifest = write_manifest(clips, tmp_path, ["words"])
  summary = tmp_path / "none/summary.csv"
  flags = ("--manifest", str(manifest), "--summary", str(summary), *_SMALL)
  assert inpaint.main(list(flags)) == 2
  said = capsys.readouterr()
  assert (
    said.err == f"inpaint: --summary {summary}: there is no folder {tmp_path}/none\n"
  )
  assert not said.out

  def refuse(*_):
    raise OSError(errno.EACCES, os.strerror(errno.EACCES), "summary.csv.partial")

  monkeypatch.setattr(inpaint_many, "write_outcomes", refuse)
  summary.parent.mkdir()
  assert inpaint.main(list(flags)) == 1
  said = capsys.readouterr()
  line = f"inpaint: --summary {summary}: cannot be written (Permission denied)\n"
  assert said.err == line
  assert "1 clip: 1 failed" in said.out


def test_a_summary_replaces_nothing_but_a_summary(clips, tmp_path, capsys):
  manifest = write_manifest(clips, tmp_path, ["words"])
  before = manifest.read_text()
  flags = ("--manifest", str(manifest), *_SMALL, "--summary")
  assert inpaint.main([*flags, str(manifest)]) == 2
  assert "clips.csv: holds something else than outcomes" in capsys.readouterr().err
  assert manifest.read_text() == before
  summary = tmp_path / os.fsdecode(b"caf\xe9.csv")
  for _ in range(2):
    assert inpaint.main([*flags, str(summary)]) == 1
  assert "failed" in summary.read_text()


def test_an_input_where_a_clips_run_would_write_is_an_error(clips, tmp_path, capsys):
  frames = tmp_path / "project/frames"
  frames.mkdir(parents=True)
  (frames / "00000.png").write_text("mine")
  manifest = tmp_path / "clips.csv"
  rows = ["video,mask,output", f"project/frames,{clips / 'mask.mp4'},project"]
  manifest.write_text("\n".join(rows))
  assert inpaint.main(["--manifest", str(manifest), *_SMALL]) == 2
  error = capsys.readouterr().err
  assert "clips.csv, line 2: --output" in error and "where --video" in error
  assert error.count("\n") == 1
