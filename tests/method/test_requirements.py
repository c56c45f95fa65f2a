"""What a run needs: against the arrays themselves, and against XLA's own figure."""

import dataclasses
import re
import types

import jax
import numpy as np
import pytest

from dipvid_jax.cli import inpaint
from dipvid_jax.errors import InputError
from dipvid_jax.method import requirements, xla_memory
from dipvid_jax.method.program import build_program, describe_work
from dipvid_jax.method.recipes import load_config
from dipvid_jax.method.requirements import (
  Memory,
  Work,
  as_measured,
  check_fits,
  describe,
  fits,
  needs,
)
from dipvid_jax.method.training_clip import make_training_clip
from dipvid_jax.method.xla_memory import training_bytes
from dipvid_jax.runs import plan
from dipvid_jax.training.fit import fit
from flow.machine import FreeMemory
from tests.support import media_files, untrained
from tests.support.quick_compile import quick_compile  # noqa: F401
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


def small_program(recipe="flow", **values):
  config = load_config(
    recipe, levels=1, rounds=2, batches_per_round=2, inner_steps=2, **values
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


@pytest.mark.parametrize("recipe", ["flow", "fast", "vid", "vid3d", "dip"])
def test_the_devices_memory_is_near_xlas_own_figure(recipe):
  """All of it, the clip and the state included; demo.py has the program of fast.py."""
  config, program, work = small_program(recipe)
  measured = training_bytes(program, frame_count=COUNT, size=SIZE, config=config)
  assert 1 / 1.5 < needs(work).device / measured < 1.5


@pytest.mark.parametrize("recipe", ["vid", "dip"])
def test_the_training_is_not_compiled_again_after_xla_was_asked(recipe):
  compiled = []

  def count(event, _, **details):
    if event == "/jax/core/compile/backend_compile_duration":
      compiled.append(details)

  config, program, _ = small_program(recipe)
  clip = make_training_clip(
    translating_clip(COUNT, SIZE), moving_hole(COUNT, SIZE), (), config=config
  ).device
  state = program.start(clip)
  jax.monitoring.register_event_duration_secs_listener(count)
  try:
    assert training_bytes(program, frame_count=COUNT, size=SIZE, config=config)
    assert len(compiled) == 1
    fit(
      state,
      clip,
      visits=program.visits[:1],
      fit_visits=program.fit_visits,
      batches_per_call=config.training.batches_per_call,
    )
    assert len(compiled) == 1
  finally:
    jax.monitoring.unregister_event_duration_listener(count)


def test_what_cannot_be_compiled_is_estimated(monkeypatch):
  class Lacking:
    def lower(self):
      raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory")

  monkeypatch.setattr(xla_memory, "trace_visit", lambda *_, **__: Lacking())
  config, program, _ = small_program()
  assert training_bytes(program, frame_count=COUNT, size=SIZE, config=config) is None


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
    r"--overlap (\d+) or --size (\d+)x(\d+) --config\.levels=(\d) would fit(;|$)",
    str(error.value),
  )
  window, overlap, height, width, levels = map(int, said.groups()[:-1])
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
  device_kind, client = "a GPU", types.SimpleNamespace(platform_version="PJRT")

  def __init__(self, statistics, platform="cpu"):
    self.memory_stats, self.platform = lambda: statistics, platform


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


DEVICE = needs(PAPER).device


@pytest.mark.parametrize(
  ("free", "may_not_train", "asked"),
  [
    (None, False, False),  # a CPU
    (10 * DEVICE, False, True),
    (10 * DEVICE, True, False),
    (1.5 * DEVICE, True, True),
    (0.8 * DEVICE, True, True),
    (0.4 * DEVICE, False, False),
  ],
)
def test_xla_is_asked_where_that_is_worth_a_compilation(free, may_not_train, asked):
  questions = []

  def ask():
    questions.append(1)
    return 3 * DEVICE

  work = changed(may_not_train=may_not_train)
  measured = as_measured(work, Memory(free and int(free), None), ask=ask)
  assert len(questions) == asked
  assert needs(measured).device == pytest.approx(DEVICE * (3 if asked else 1))
  assert needs(measured)._replace(device=0) == needs(work)._replace(device=0)


def test_where_xla_cannot_tell_the_estimate_holds():
  assert as_measured(PAPER, PLENTY, ask=lambda: None) == PAPER


def test_other_sizes_are_judged_by_xlas_figure_too():
  free = Memory(int(1.2 * DEVICE), None)
  check_fits(PAPER, free, smallest_window=5)
  work = as_measured(PAPER, free, ask=lambda: 2 * DEVICE)
  with pytest.raises(InputError) as error:
    check_fits(work, free, smallest_window=5)
  (height, width, levels) = map(
    int,
    re.search(r"--size (\d+)x(\d+) --config\.levels=(\d)", str(error.value)).groups(),
  )
  smaller = dataclasses.replace(PAPER, size=(height, width), levels=levels)
  assert 2 * needs(smaller).device <= free.device


@pytest.mark.parametrize(
  ("values", "share"),
  [
    ({}, 0.75),
    ({"XLA_CLIENT_MEM_FRACTION": "0.5"}, 0.5),
    ({"XLA_PYTHON_CLIENT_MEM_FRACTION": ".9"}, 0.9),
    ({"XLA_CLIENT_MEM_FRACTION": "much"}, 0.75),
  ],
)
def test_the_line_says_which_share_of_the_gpu_jax_takes(monkeypatch, values, share):
  for name in ("XLA_CLIENT_MEM_FRACTION", "XLA_PYTHON_CLIENT_MEM_FRACTION"):
    monkeypatch.delenv(name, raising=False)
  for name, value in values.items():
    monkeypatch.setenv(name, value)
  device = Device({"bytes_limit": DEVICE // 2})
  monkeypatch.setattr(requirements.jax, "devices", lambda: [device])
  free = requirements.free_memory()
  with pytest.raises(InputError, match=f"JAX takes {share:.0%} of the GPU's memory"):
    check_fits(PAPER, free._replace(host=None), smallest_window=5)


@pytest.mark.parametrize(
  "free", [Memory(DEVICE // 2, None, device_share=0.95), Memory(None, DEVICE // 2)]
)
def test_no_larger_share_is_offered_where_there_is_none(free):
  with pytest.raises(InputError, match=r"would fit$"):
    check_fits(PAPER, free, smallest_window=5)


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


@pytest.mark.parametrize(("measured", "code"), [(90_000_000, 0), (110_000_000, 2)])
def test_a_run_that_a_gpu_has_no_memory_for_is_refused_by_xlas_figure(
  tmp_path, arguments, monkeypatch, capsys, measured, code
):
  """The figure of a GPU's compiler, which a CPU cannot give."""
  untrained.instead_of_training(monkeypatch)
  statistics = {"bytes_limit": 103_000_000, "bytes_in_use": 3_000_000}
  monkeypatch.setattr(
    requirements.jax, "devices", lambda: [Device(statistics, platform="gpu")]
  )
  monkeypatch.setattr(plan, "training_bytes", lambda *_, **__: measured)
  assert inpaint.main(arguments) == code
  said = capsys.readouterr()
  line = said.err if code else said.out
  assert f"about {measured // 1_000_000} MB of device memory (100 MB free)" in line
  if code:
    assert said.err.count("\n") == 1 and not (tmp_path / "out").exists()
    assert "--size" in said.err and "XLA_CLIENT_MEM_FRACTION" in said.err


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
