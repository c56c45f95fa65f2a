"""What a run needs: against the arrays themselves, and against XLA's own figure."""

import dataclasses
import re

import jax
import numpy as np
import pytest

from dipvid_jax.cli import inpaint
from dipvid_jax.errors import InputError
from dipvid_jax.method import requirements
from dipvid_jax.method.program import build_program, describe_work
from dipvid_jax.method.recipes import load_config
from dipvid_jax.method.requirements import (
  Memory,
  Work,
  check_fits,
  describe,
  fits,
  needs,
)
from dipvid_jax.method.training_clip import make_training_clip
from dipvid_jax.runs import plan
from flow.machine import FreeMemory
from tests.support import media_files, untrained
from tests.support.synthetic import moving_hole, random_video_flow, translating_clip

GIB = 2**30
PAPER = Work(
  frame_count=80,
  window_count=1,
  size=(192, 384),
  stride_count=3,
  batch_size=5,
  levels=6,
  noise_channels=1,
  state_bytes=37_000_000,
  updates=102_000,
  flow_losses=True,
  perceptual=True,
)


def changed(**values):
  return dataclasses.replace(PAPER, **values)


# As tests/test_pipeline.py has it, so that one compilation serves both.
COUNT, SIZE = 14, (12, 16)


def small_program(**values):
  config = load_config(
    "flow", levels=1, rounds=2, batches_per_round=2, inner_steps=2, **values
  )
  program = build_program(COUNT, config=config)
  work = describe_work(program, frame_count=COUNT, size=SIZE, windows=1, config=config)
  return config, program, work


def test_the_arrays_of_a_clip_are_counted_to_the_byte():
  config, program, work = small_program(perceptual_weight=0.0)
  holes = moving_hole(COUNT, SIZE)
  known = random_video_flow(COUNT, SIZE, (1, 3))
  clip = make_training_clip(
    translating_clip(COUNT, SIZE), holes, known, config=config
  ).device
  held = sum(leaf.nbytes for leaf in jax.tree.leaves(clip))
  without = dataclasses.replace(work, frame_count=0)
  scales_and_strides = 2 * 4 + 2 * 4
  assert needs(work).device - needs(without).device == held - scales_and_strides
  state = program.start(clip)
  assert work.state_bytes == sum(leaf.nbytes for leaf in jax.tree.leaves(state))
  assert (work.updates, work.stride_count) == (12, 2)


@pytest.mark.parametrize("perceptual_weight", [0.0, 0.01])
def test_an_updates_memory_is_near_xlas_own_figure(perceptual_weight):
  config, program, work = small_program(perceptual_weight=perceptual_weight)
  clip = make_training_clip(
    *(translating_clip(COUNT, SIZE), moving_hole(COUNT, SIZE)),
    random_video_flow(COUNT, SIZE, (1, 3)),
    config=config,
  ).device
  batches = np.zeros((1, 3), np.int32)
  compiled, (vgg,) = program.fit_visits.func, program.fit_visits.args
  lowered = compiled.lower(
    vgg, program.start(clip), clip, batches, inner_steps=config.schedule.inner_steps
  )
  temporary = lowered.compile().memory_analysis().temp_size_in_bytes
  weights = sum(leaf.nbytes for leaf in jax.tree.leaves(vgg))
  idle = dataclasses.replace(work, batch_size=0, perceptual=False)
  estimate = needs(work).device - needs(idle).device
  assert 1 / 1.5 < estimate / (temporary + weights) < 1.5


# XLA's figures for larger networks, 20 frames, bytes: too slow to compile here
# (jax 0.10.2 on a CPU, 2026-11-22).
@pytest.mark.parametrize(
  ("size", "values", "expected"),
  [
    ((48, 96), {"levels": 4}, 68_861_828),
    ((96, 192), {"levels": 4}, 253_864_964),
    ((48, 96), {"levels": 4, "perceptual": False}, 36_375_556),
    ((48, 96), {"levels": 2}, 57_266_820),
    *(
      (size, {"perceptual": False, "flow_losses": False, **values}, expected)
      for size, values, expected in (
        ((96, 192), {"levels": 4}, 113_408_964),
        ((96, 192), {"levels": 5}, 120_555_844),
        ((192, 192), {"levels": 6}, 231_836_740),
        ((96, 192), {"levels": 4, "batch_size": 3}, 70_275_140),
        ((48, 96), {"levels": 2, "temporal": True}, 40_674_112),
        ((48, 96), {"levels": 3, "temporal": True}, 53_270_336),
      )
    ),
  ],
)
def test_an_updates_memory_is_near_the_recorded_figures(size, values, expected):
  work = changed(size=size, **values)
  idle = dataclasses.replace(work, batch_size=0)
  estimate = needs(work).device - needs(idle).device
  assert 1 / 1.5 < estimate / expected < 1.5


def test_the_arithmetic_is_that_of_the_paper():
  assert needs(PAPER).flop == pytest.approx(319e9, rel=0.01)
  plain = changed(perceptual=False)
  assert needs(plain).flop == pytest.approx(48e9, rel=0.01)
  half = changed(size=(96, 192))
  assert needs(half).flop == pytest.approx(needs(PAPER).flop / 4)


def test_disk_grows_with_windows_and_flow():
  one = needs(PAPER).disk
  assert needs(changed(window_count=3)).disk == 3 * one
  flow = 80 * 3 * 2 * 192 * 384 * 9  # two floats and a flag, both ways
  assert one == pytest.approx(flow + 2 * PAPER.state_bytes)


PLENTY, UNKNOWN = Memory(80 * GIB, 128 * GIB), Memory(None, None)


def test_the_line_names_memory_disk_and_work():
  line = describe(changed(window_count=4), PLENTY)
  assert re.search(r"needs about [\d.]+ GB of device memory \(85.9 GB free\)", line)
  assert re.search(r"about [\d.]+ (GB|MB) of memory \(137.4 GB free\)", line)
  assert "of disk; in each of 4 windows 102,000 updates of 319 GFLOP" in line
  line = describe(PAPER, UNKNOWN)
  assert "device" not in line and "free" not in line and "window" not in line


@pytest.mark.parametrize("free", [PLENTY, UNKNOWN])
def test_what_fits_passes(free):
  check_fits(PAPER, free, smallest_window=5)


@pytest.mark.parametrize(
  "free", [Memory(4 * GIB, 64 * GIB), Memory(64 * GIB, 6 * GIB), Memory(None, 6 * GIB)]
)
def test_what_does_not_fit_says_what_would(free):
  work = changed(frame_count=1000, size=(384, 768), perceptual=False)
  with pytest.raises(InputError) as error:
    check_fits(work, free, smallest_window=5)
  said = re.search(
    r"not enough memory for 1000 frames at 384x768 \(height x width\): needs .*; "
    r"--window (\d+) "
    r"--overlap (\d+) or --size (\d+)x(\d+) --config\.levels=(\d) would fit$",
    str(error.value),
  )
  window, overlap, height, width, levels = map(int, said.groups())
  assert 5 <= window < 1000 and 2 * overlap <= window
  assert fits(dataclasses.replace(work, frame_count=window), free)
  assert not fits(dataclasses.replace(work, frame_count=window + 1), free)
  step = 2**levels
  assert height % step == width % step == 0 and min(height, width) >= 3 * step
  smaller = dataclasses.replace(work, size=(height, width), levels=levels)
  assert fits(smaller, free)
  larger = (height + step, 2 * (height + step))
  assert not fits(dataclasses.replace(smaller, size=larger), free)


def test_a_size_below_the_networks_smallest_comes_with_fewer_levels():
  free = Memory(None, int(1.7e9))
  with pytest.raises(InputError, match=r"--size 96x192 --config\.levels=5 would fit"):
    check_fits(PAPER, free, smallest_window=80)


def test_where_nothing_would_fit_nothing_is_promised():
  with pytest.raises(InputError, match="use a larger machine") as error:
    check_fits(PAPER, Memory(None, 1_000_000), smallest_window=5)
  assert "--" not in str(error.value)


class Device:
  def __init__(self, statistics):
    self.memory_stats = lambda: statistics


@pytest.mark.parametrize(
  ("statistics", "expected"),
  [
    (None, None),
    ({}, None),
    ({"bytes_limit": 100}, 100),
    ({"bytes_limit": 100, "bytes_in_use": 30}, 70),
  ],
)
def test_the_device_is_asked_what_is_free(monkeypatch, statistics, expected):
  monkeypatch.setattr(requirements.jax, "devices", lambda: [Device(statistics)])
  assert requirements.free_memory().device == expected


@pytest.mark.parametrize("holder", ["machine", "container"])
def test_the_line_says_which_limit_was_used(monkeypatch, holder):
  found = FreeMemory(3_000_000_000, 4_100_000_000, holder)
  monkeypatch.setattr(requirements.machine, "free_memory", lambda: found)
  free = requirements.free_memory()
  assert free.host == 3_000_000_000
  assert f"of memory (3.0 GB free of the {holder}'s 4.1 GB)" in describe(PAPER, free)


def test_a_system_that_does_not_say_what_is_free(monkeypatch):
  monkeypatch.setattr(requirements.machine, "free_memory", lambda: None)
  assert requirements.free_memory() == Memory(None, None)


@pytest.fixture
def arguments(tmp_path):
  masks = np.zeros((40, 24, 32), np.uint8)
  masks[:, 8:16, 10:20] = 255
  media_files.encode(tmp_path / "clip.mkv", media_files.moving_frames(40, 24, 32))
  media_files.write_png(tmp_path / "mask.png", masks[0])
  return [
    *("--video", str(tmp_path / "clip.mkv"), "--mask", str(tmp_path / "mask.png")),
    *("--output", str(tmp_path / "out"), "--config=vid.py", "--config.levels=2"),
    "--size=24x32",
  ]


def test_a_run_without_the_memory_is_refused_before_its_folder(
  tmp_path, arguments, monkeypatch, capsys
):
  seen = untrained.instead_of_training(monkeypatch)
  enough = Memory(None, 507_600_000)
  monkeypatch.setattr(plan, "free_memory", lambda: enough)
  assert inpaint.main(arguments) == 2
  error = capsys.readouterr().err
  assert error.count("\n") == 1 and not (tmp_path / "out").exists()
  (advice,) = re.findall(r"--window \d+ --overlap \d+", error)
  assert inpaint.main([*arguments, *advice.split()]) == 0
  said = capsys.readouterr().out
  assert "MB of memory (508 MB free)" in said and "in each of" in said
  assert len(seen) > 1


def test_sizes_of_the_state_come_without_computing_it():
  """Also where a state would not fit."""
  config = load_config("vid")
  program = build_program(20, config=config)
  huge = (192 * 64, 384 * 64)
  work = describe_work(program, frame_count=20, size=huge, windows=1, config=config)
  assert work.state_bytes == pytest.approx(37e6, rel=0.02)


def test_carrying_takes_memory_of_its_own():
  """80 frames at 192x384 took 3.9 GB; without carrying 3.2 were foretold."""
  more = needs(changed(carry=True)).host - needs(PAPER).host
  assert more == 80 * 192 * 384 * 30 * 4
