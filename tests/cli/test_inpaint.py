"""The command line: errors in one line with exit code 2, and a whole run."""

import fractions
import json
import os
import pathlib
import subprocess
import sys

import av
import cv2
import numpy as np
import pytest

from dipvid_jax import jax_setup
from dipvid_jax.cli import inpaint
from dipvid_jax.media.images import write_images
from dipvid_jax.media.video_reading import read_video
from dipvid_jax.media.video_writing import write_video
from dipvid_jax.method.overrides import read_config
from dipvid_jax.method.recipes import load_config
from dipvid_jax.storage.written import WrittenFiles
from tests.support import untrained
from tests.support.quick_compile import quick_compile  # noqa: F401

_ROOT = pathlib.Path(__file__).resolve().parents[2]
_SMALL = (
  "--config.size=24,48",
  "--config.levels=2",
  "--config.inner_steps=2",
  "--config.batches_per_round=1",
  "--config.rounds=2",
  "--config.perceptual_weight=0",
  "--config.strides=(1,)",
)


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
  """A folder with a small video, its mask, and wrong masks beside it."""
  folder = tmp_path_factory.mktemp("clip")
  y, x = np.mgrid[0:48, 0:96]
  frames = np.stack(
    [
      np.stack([(x + 3 * t) * 2 % 256, y * 5 % 256, (x + y) % 256], axis=-1)
      for t in range(7)
    ]
  ).astype(np.uint8)
  masks = np.zeros_like(frames)
  masks[:, 16:32, 40:60] = 255
  write_video(folder / "clip.mp4", frames, fractions.Fraction(30000, 1001))
  write_video(folder / "mask.mp4", masks, fractions.Fraction(30000, 1001))
  write_video(folder / "short.mp4", masks[:5], fractions.Fraction(25))
  write_video(folder / "few.mp4", frames[:3], fractions.Fraction(25))
  write_images(folder / "frames", frames)
  cv2.imwrite(str(folder / "mask.png"), masks[0])
  cv2.imwrite(str(folder / "black.png"), np.zeros_like(masks[0]))
  cv2.imwrite(str(folder / "white.png"), np.full_like(masks[0], 255))
  cv2.imwrite(str(folder / "small.png"), masks[0, ::2, ::2])
  (folder / "words.mp4").write_text("not a video")
  return folder


def _run(clip, tmp_path, *extra, video="clip.mp4", mask="mask.mp4"):
  arguments = [
    *("--config", "flow.py", "--video", str(clip / video), "--mask", str(clip / mask)),
    *("--output", str(tmp_path / "out"), *_SMALL, *extra),
  ]
  return inpaint.main(arguments)


@pytest.mark.parametrize(
  ("case", "said"),
  [
    ({"video": "none.mp4"}, ("none.mp4",)),
    ({"video": "words.mp4"}, ("words.mp4",)),
    ({"mask": "none.png"}, ("none.png",)),
    ({"mask": "short.mp4"}, ("short.mp4", "5", "7")),
    ({"mask": "small.png"}, ("small.png", "24x48", "48x96")),
    ({"mask": "black.png"}, ("black.png", "no hole")),
    ({"mask": "white.png"}, ("white.png", "--invert-mask")),
    ({"video": "few.mp4", "mask": "mask.png"}, ("3 frames", "needs 5")),
    ({"extra": "--config.levels=4"}, ("size=24x48", "at least 48", "levels=3")),
    ({"extra": "--config.size=24"}, ("config.size", "(height, width)")),
    ({"extra": "--config.feather=-1"}, ("feather", "-1")),
    ({"extra": "--config.levels=9"}, ("config.levels", "9")),
    ({"extra": "--config.rounds=0"}, ("config.rounds",)),
    ({"extra": "--config.rounds=many"}, ("rounds", "many")),
    ({"extra": "--config.roundz=1"}, ("roundz",)),
    ({"extra": "--config.fit=squeeze"}, ("config.fit", "squeeze", "crop")),
    ({"extra": "--config.schedule=never"}, ("config.schedule", "never")),
    ({"extra": "--config.vgg_input=caffe"}, ("config.vgg_input", "imagenet")),
    ({"extra": "--config.flow.estimator=raft"}, ("flow.estimator", "raft", "dis")),
    ({"extra": "--config.flow.estimator=pwcnet"}, ("flow.weights",)),
    ({"extra": "--config.image_weight=-1"}, ("image_weight", "-1")),
    ({"extra": "--config.max_updates=0"}, ("max_updates",)),
    ({"extra": "--config.network=4d"}, ("config.network", "4d", "3d")),
    ({"extra": "--config.schedule=frames"}, ("config.schedule", "batch_size=1")),
    ({"extra": "--config.batch_size=1"}, ("config.batch_size", "flow_weight")),
    ({"extra": "--config.dilate=-1"}, ("dilate", "-1")),
    ({"extra": "--config.seed=-1"}, ("seed", "-1")),
    ({"extra": "--nonsense"}, ("nonsense",)),
    ({"extra": "stray"}, ("stray",)),
    ({"extra": "--config=none.py"}, ("none.py", "flow.py")),
    ({"extra": "--resume"}, ("no run to resume",)),
  ],
  ids=lambda case: " ".join(case.values()) if isinstance(case, dict) else None,
)
def test_bad_input_is_one_line_and_leaves_nothing(clip, tmp_path, capsys, case, said):
  extra = case.pop("extra", None)
  code = _run(clip, tmp_path, *([extra] if extra else []), **case)
  error = capsys.readouterr().err
  assert code == 2
  assert error.startswith("inpaint: ") and error.count("\n") == 1
  for words in said:
    assert words in error
  assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("missing", ["video", "mask", "output"])
def test_a_missing_flag_is_named(missing, capsys):
  given = [flag for flag in ("video", "mask", "output") if flag != missing]
  code = inpaint.main([word for flag in given for word in (f"--{flag}", "x")])
  assert code == 2
  assert f"--{missing} is missing" in capsys.readouterr().err


@pytest.mark.parametrize("flag", ["--seed=many", "--seed", "--resume=yes"])
def test_a_bad_flag_value_is_one_line_and_exits_with_2(capsys, flag):
  with pytest.raises(SystemExit) as exit_info:
    inpaint.main([flag])
  assert exit_info.value.code == 2
  error = capsys.readouterr().err
  assert error.startswith("inpaint: ") and error.count("\n") == 1
  assert flag.split("=")[0] in error and "--help" in error


@pytest.fixture(scope="module")
def finished(clip, tmp_path_factory):
  """The output folder of a whole run."""
  folder = tmp_path_factory.mktemp("finished")
  assert _run(clip, folder, "--seed", "3") == 0
  return folder / "out"


def test_a_run_writes_every_file(finished):
  assert {path.name for path in finished.iterdir()} == {
    *("inpainted.mp4", "full.mp4", "preview.png", "frames", "full"),
    *("config.json", "metrics.jsonl", "checkpoints", "flow", ".lock"),
    *("rounds.jsonl", "report.html", "report", "written.txt"),
  }
  names = sorted(path.name for path in (finished / "frames").iterdir())
  assert names == [f"{i:05d}.png" for i in range(7)]
  assert cv2.imread(str(finished / "preview.png")).shape[1] == 5 * 48
  config = json.loads((finished / "config.json").read_text())
  assert (config["seed"], config["levels"], config["flow"]["estimator"]) == (
    3,
    2,
    "dis",
  )


def test_a_run_lists_every_file_that_it_writes(finished):
  written = WrittenFiles(finished)
  assert written.read()
  files = {path for path in finished.rglob("*") if path.is_file()}
  assert set(written.files()) == files - {finished / ".lock", finished / "written.txt"}


@pytest.mark.parametrize("name", ["inpainted.mp4", "full.mp4"])
def test_videos_keep_rate_and_count_and_play_in_a_browser(finished, name):
  with av.open(str(finished / name)) as container:
    stream = container.streams.video[0]
    assert stream.average_rate == fractions.Fraction(30000, 1001)
    assert sum(1 for _ in container.decode(stream)) == 7
    assert stream.codec_context.name == "h264"
    assert stream.codec_context.pix_fmt == "yuv420p"


def test_frames_are_the_input_but_for_the_hole(clip, finished):
  """At the input's own size, and outside the hole to the last bit."""
  frames = read_video(clip / "clip.mp4").frames
  hole = read_video(clip / "mask.mp4").frames[..., 0] > 127
  result = read_video(finished / "frames").frames
  np.testing.assert_array_equal(result[~hole], frames[~hole])
  assert (result[hole] != frames[hole]).mean() > 0.5


def test_metrics_have_a_line_a_batch(finished):
  rows = [
    json.loads(line) for line in (finished / "metrics.jsonl").read_text().splitlines()
  ]
  # Two rounds of one batch and the median one, two updates each.
  assert [row["update"] for row in rows] == [2, 4, 6, 8]
  assert [row["round"] for row in rows] == [1, 1, 2, 2]
  for row in rows:
    assert row["updates_per_second"] > 0
    weighted = row["image"] + 0.1 * row["flow"] + row["consistency"]
    assert row["loss"] == pytest.approx(weighted, rel=1e-5)


def test_another_run_is_not_written_over(clip, finished, capsys):
  before = (finished / "metrics.jsonl").read_bytes()
  assert _run(clip, finished.parent) == 2
  error = capsys.readouterr().err
  assert "holds another run" in error and "--overwrite" in error
  assert (finished / "metrics.jsonl").read_bytes() == before


def test_same_seed_same_bytes_and_stored_flow_is_reused(clip, finished, tmp_path):
  assert _run(clip, tmp_path, "--seed", "4") == 0
  flow_before = (tmp_path / "out/flow/made_from.json").stat().st_mtime_ns
  assert _run(clip, tmp_path, "--seed", "3", "--overwrite") == 0
  assert (tmp_path / "out/flow/made_from.json").stat().st_mtime_ns == flow_before
  for path in sorted((finished / "frames").iterdir()):
    assert (tmp_path / "out/frames" / path.name).read_bytes() == path.read_bytes()


def test_an_interrupted_run_resumes_to_the_same_frames(
  clip, finished, tmp_path, capsys
):
  """The second round is cut off; the resumed run ends as if nothing had been."""
  from dipvid_jax.runs import folder

  def stop(self, row):
    if row["update"] == 6:
      raise KeyboardInterrupt
    original(self, row)

  original = folder.RunFolder.append_metrics
  with pytest.MonkeyPatch.context() as patch:
    patch.setattr(folder.RunFolder, "append_metrics", stop)
    assert _run(clip, tmp_path, "--seed", "3") == 130
  assert "--resume continues" in capsys.readouterr().err
  assert _run(clip, tmp_path, "--seed", "5", "--resume") == 2
  assert "seed" in capsys.readouterr().err
  assert _run(clip, tmp_path, "--seed", "3", "--resume") == 0
  assert "resumed after 4 updates" in capsys.readouterr().out
  for path in sorted((finished / "frames").iterdir()):
    assert (tmp_path / "out/frames" / path.name).read_bytes() == path.read_bytes()
  rows = (tmp_path / "out/metrics.jsonl").read_text().splitlines()
  assert [json.loads(row)["update"] for row in rows] == [2, 4, 6, 8]


def test_max_updates_stops_exactly_there(clip, tmp_path):
  assert _run(clip, tmp_path, "--config.max_updates=3") == 0
  rows = (tmp_path / "out/metrics.jsonl").read_text().splitlines()
  assert [json.loads(row)["update"] for row in rows] == [2, 3]


def _rows(folder, name):
  return [json.loads(line) for line in (folder / name).read_text().splitlines()]


def test_rounds_have_a_line_with_updates_and_time(finished):
  rounds = _rows(finished, "rounds.jsonl")
  assert [(row["update"], row["round"]) for row in rounds] == [(4, 1), (8, 2)]
  assert 0 < rounds[0]["seconds"] < rounds[1]["seconds"]
  assert "holdout_psnr" not in rounds[0] and "stopped" not in rounds[1]
  page = (finished / "report.html").read_text()
  assert "all 8 updates of its schedule are done" in page and page.count("<video") == 3


def test_a_run_that_stops_by_itself_says_why_and_stays_so(clip, tmp_path, capsys):
  limits = ("--config.holdout_fraction=0.05", "--config.max_minutes=0")
  assert _run(clip, tmp_path, *limits) == 0
  why = "0 minutes are used up (max_minutes)"
  assert f"stopped after 2 updates: {why}" in capsys.readouterr().out
  (row,) = _rows(tmp_path / "out", "rounds.jsonl")
  assert (row["update"], row["stopped"]) == (2, why) and 3 < row["holdout_psnr"] < 30
  page = (tmp_path / "out/report.html").read_text()
  assert f"finished after 2 of 8 updates: {why}" in page
  frames = sorted((tmp_path / "out/frames").iterdir())
  before = [path.read_bytes() for path in frames]
  (tmp_path / "out/report.html").unlink()
  assert _run(clip, tmp_path, *limits, "--resume", "--preview-every=2") == 0
  assert [path.read_bytes() for path in frames] == before
  assert _rows(tmp_path / "out", "rounds.jsonl") == [row]
  assert (
    f"finished after 2 of 8 updates: {why}"
    in (tmp_path / "out/report.html").read_text()
  )


def test_a_diverged_run_keeps_its_checkpoints(clip, tmp_path, capsys):
  assert _run(clip, tmp_path, "--config.learning_rate=1e30", "--config.rounds=4") == 1
  error = capsys.readouterr().err
  assert "loss became" in error and "Traceback" not in error
  assert (tmp_path / "out/checkpoints").is_dir()
  assert not (tmp_path / "out/inpainted.mp4").exists()


def test_help_speaks_to_a_newcomer(capsys):
  with pytest.raises(SystemExit) as exit_info:
    inpaint.main(["--help"])
  assert exit_info.value.code == 0
  text = capsys.readouterr().out
  for words in (
    "--video",
    "--mask",
    "--output",
    "examples:",
    "inpainted.mp4",
    "--config.KEY",
  ):
    assert words in text


@pytest.mark.parametrize(
  ("word", "size"), [("30x50", (30, 50)), ("input", (0, 0)), ("192x384", (192, 384))]
)
def test_size_is_short_for_the_config_key(clip, tmp_path, monkeypatch, word, size):
  seen = []
  monkeypatch.setattr(
    inpaint, "run", lambda config, **_: seen.append(config.placement.size) or tmp_path
  )
  assert _run(clip, tmp_path, "--size", word) == 0
  assert tuple(seen[0]) == size


@pytest.mark.parametrize("word", ["24", "24,48", "0x48", "24x48x3", "big", "-8x8"])
def test_another_size_is_refused(clip, tmp_path, capsys, word):
  with pytest.raises(SystemExit) as exit_info:
    _run(clip, tmp_path, f"--size={word}")
  assert exit_info.value.code == 2
  error = capsys.readouterr().err
  assert f"--size: {word!r} is not height x width" in error and error.count("\n") == 1


def test_any_size_is_trained_at_and_cut_off_after(clip, tmp_path, monkeypatch):
  """30 x 50 is padded to 32 x 52 for the network; nothing of that is seen."""
  seen = untrained.instead_of_training(monkeypatch)
  assert _run(clip, tmp_path, "--size", "30x50", "--config.fit=pad") == 0
  assert seen[0].frames.shape[1:3] == (32, 52)
  video = read_video(tmp_path / "out/full.mp4")
  # 48 x 96 within 30 x 50, which H.264 makes even.
  assert video.frames.shape[1:3] == (26, 50)
  assert read_video(tmp_path / "out/frames").frames.shape[1:3] == (48, 96)


def test_config_overrides_reach_every_kind_of_key():
  config = read_config(
    "flow.py",
    [
      *("--config.size=96,192", "--config.levels=5"),
      *("--config.flow.weights=x.pth", "--config.seed", "7"),
    ],
  )
  assert config.placement.size == (96, 192)
  assert (config.flow.weights, config.seed) == ("x.pth", 7)
  assert load_config("flow").seed == 0


def test_the_script_runs_from_any_folder(tmp_path):
  """Without the package in the calling Python it finds the checkout's own."""
  done = subprocess.run(
    [str(_ROOT / "bin/inpaint"), "--config", "nothing.py"],
    cwd=tmp_path,
    env=os.environ
    | {"PATH": f"{pathlib.Path(sys.executable).parent}:{os.environ['PATH']}"},
    capture_output=True,
    text=True,
  )
  assert done.returncode == 2
  assert "nothing.py: no such config" in done.stderr and "flow.py" in done.stderr


def test_the_script_says_how_to_install(tmp_path):
  script = tmp_path / "checkout/bin/inpaint"
  script.parent.mkdir(parents=True)
  for name in ("inpaint", "_checkout.py"):
    (script.parent / name).write_bytes((_ROOT / "bin" / name).read_bytes())
  done = subprocess.run(
    [sys.executable, "-S", "-E", str(script)],
    capture_output=True,
    text=True,
    cwd=tmp_path,
  )
  assert done.returncode == 2
  assert done.stderr.count("\n") == 1 and "make -C" in done.stderr


@pytest.mark.parametrize(
  ("platforms", "version", "before", "after"),
  [
    ("cpu", (0, 10, 2), "", "--xla_cpu_experimental_ynn_fusion_type="),
    ("cpu", (0, 12, 0), "", ""),
    ("cuda", (0, 10, 2), "", ""),
    ("cpu", (0, 10, 2), "--xla_cpu_experimental_ynn_fusion_type=x", None),
    (
      "cpu",
      (0, 10, 2),
      "--other=1",
      "--other=1 --xla_cpu_experimental_ynn_fusion_type=",
    ),
  ],
)
def test_xla_flags_are_set_where_they_are_known(
  monkeypatch, platforms, version, before, after
):
  monkeypatch.setenv("JAX_PLATFORMS", platforms)
  monkeypatch.setenv("XLA_FLAGS", before)
  monkeypatch.setattr(jax_setup.jaxlib.version, "__version_info__", version)
  jax_setup.set_xla_flags()
  assert os.environ["XLA_FLAGS"] == (before if after is None else after)


def test_deterministic_is_a_flag_for_gpus_alone(monkeypatch):
  monkeypatch.setenv("XLA_FLAGS", "")
  monkeypatch.setenv("JAX_PLATFORMS", "cuda")
  jax_setup.set_xla_flags(deterministic=True)
  assert os.environ["XLA_FLAGS"] == "--xla_gpu_deterministic_ops=true"
  monkeypatch.setenv("XLA_FLAGS", "")
  monkeypatch.setenv("JAX_PLATFORMS", "cpu")
  jax_setup.set_xla_flags(deterministic=True)
  assert "deterministic" not in os.environ["XLA_FLAGS"]


def test_this_jaxlib_knows_the_flag_that_is_set():
  """XLA ends the process at a flag that it does not know."""
  code = (
    "from dipvid_jax.jax_setup import set_xla_flags; set_xla_flags();"
    "import os; assert 'ynn' in os.environ['XLA_FLAGS'];"
    "import jax.numpy as jnp; print(jnp.ones(3).sum())"
  )
  environment = os.environ | {"JAX_PLATFORMS": "cpu", "XLA_FLAGS": ""}
  done = subprocess.run(
    [sys.executable, "-c", code],
    env=environment,
    cwd=_ROOT,
    capture_output=True,
    text=True,
  )
  assert done.stdout.strip() == "3.0", done.stderr
