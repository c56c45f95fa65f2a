"""What names a run's clip, and the extra that data sets need."""

import sys

import pytest

from dipvid_jax.cli import compose_set, inpaint
from dipvid_jax.errors import InputError
from dipvid_jax.method.recipes import load_config
from dipvid_jax.runs.source import check_source

_KEYS = ("video", "mask", "tfds", "video_id")


@pytest.mark.parametrize("given", [("video", "mask"), ("tfds", "video_id"), ("tfds",)])
def test_files_or_a_set_are_a_source(given):
  config = load_config("flow", **dict.fromkeys(given, "x"))
  check_source(config.source)


@pytest.mark.parametrize(
  ("given", "said"),
  [
    ((), "--video is missing"),
    (("video",), "--mask is missing"),
    (("mask",), "--video is missing"),
    (("video", "mask", "video_id"), "name the set with --tfds"),
    (_KEYS, "--tfds and --video exclude each other"),
    (("mask", "tfds", "video_id"), "--tfds and --mask exclude each other"),
  ],
)
def test_none_two_and_a_half_are_not(given, said):
  config = load_config("flow", **dict.fromkeys(given, "x"))
  with pytest.raises(InputError, match=said):
    check_source(config.source)


@pytest.mark.parametrize("missing", ["tensorflow_datasets", "array_record"])
def test_a_missing_extra_says_what_to_install(missing, monkeypatch, tmp_path, capsys):
  monkeypatch.setitem(sys.modules, missing, None)
  folders = [str(tmp_path / name) for name in ("in", "in", "out")]
  flags = ("--backgrounds", "--masks", "--output")
  words = [word for pair in zip(flags, folders, strict=True) for word in pair]
  assert compose_set.main(words) == 2
  run = ("--tfds", str(tmp_path), "--video-id", "x", "--output", folders[-1])
  assert inpaint.main(list(run)) == 2
  lines = capsys.readouterr().err.splitlines()
  assert len(lines) == 2
  assert all("pip install 'dipvid_jax[data]'" in line for line in lines)
  assert not (tmp_path / "out").exists()
