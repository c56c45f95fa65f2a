"""`bin/ablation`: the figures of its studies, and the way from a set to its table."""

import csv
import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from dipvid_jax.errors import InputError
from dipvid_jax.evaluation import hole_psnr
from dipvid_jax.media.images import write_images
from dipvid_jax.media.video_writing import write_video
from studies import command, measured, windows
from studies.comparison import read_systems
from studies.complexity import complexity_curve
from studies.features import cosine_similarity
from studies.method_runs import METHODS, MethodRun
from studies.plots import plot_curves, stack_labelled
from studies.rows import read_rows, write_rows
from studies.table import PAPER, table_markdown
from studies.time_slice import compare_slices
from studies.windows import draw_videos, inpaint_windows
from tests.support.composed_set import write_set
from tests.support.quick_compile import quick_compile  # noqa: F401
from tests.support.synthetic import moving_hole, translating_clip


def test_rows_come_back_and_are_a_spreadsheet(tmp_path):
  rows = [{"video": "a", "psnr": 30.5}, {"video": "b", "psnr": 1.0, "note": "x,y"}]
  assert read_rows(tmp_path / "rows") == []
  write_rows(tmp_path / "rows", rows)
  assert read_rows(tmp_path / "rows") == rows
  with (tmp_path / "rows.csv").open(newline="") as file:
    read = list(csv.DictReader(file))
  assert read[1] == {"video": "b", "psnr": "1.0", "note": "x,y"}
  assert read[0]["note"] == ""


def test_the_complexity_curve_is_the_mean_of_the_videos_at_or_above():
  figures = {"a": (0.1, 30.0, 20.0), "b": (0.3, 28.0, 18.0), "c": (0.2, 35.0, 21.0)}
  ssims = {"paper_ssim": 0.9, "hole_ssim": 0.8}
  rows = [
    {
      "video": video,
      "method": method,
      "complexity": complexity,
      "paper_psnr": psnr + shift,
      "hole_psnr": hole + shift,
      **ssims,
    }
    for video, (complexity, psnr, hole) in figures.items()
    for method, shift in (("dip", 0.0), ("flow", 2.0))
  ]
  curve = complexity_curve(rows)
  assert [(row["threshold"], row["videos"]) for row in curve[::2]] == [
    (0.1, 3),
    (0.2, 2),
    (0.3, 1),
  ]
  flow = [row for row in curve if row["method"] == "flow"]
  assert [row["paper_psnr"] for row in flow] == pytest.approx([33, 33.5, 30])
  assert [row["hole_psnr"] for row in flow] == pytest.approx([65 / 3, 21.5, 20])


def test_cosine_similarity_against_a_loop():
  features = np.random.default_rng(0).normal(size=(5, 2, 3, 4))
  features[0, 0, 0] = 0  # a dead patch is like nothing
  similarity = cosine_similarity(features, (1, 2))
  reference = features[2, 1, 2]
  for index in np.ndindex(5, 2, 3):
    vector = features[index]
    length = np.sqrt((vector**2).sum() * (reference**2).sum())
    expected = (vector * reference).sum() / length if length else 0.0
    assert similarity[index] == pytest.approx(expected, abs=1e-9)
  assert similarity[2, 1, 2] == pytest.approx(1)


def method_run(method, level):
  truth = np.full((4, 10, 20, 3), 50, np.uint8)
  truth += np.arange(10, dtype=np.uint8).reshape(1, 10, 1, 1)
  hole = np.zeros((4, 10, 20, 1), np.uint8)
  hole[:, 7, 5:9] = 255
  hole[1, 2, 5:9] = 255
  stitched = np.where(hole > 0, np.uint8(level), truth)
  return MethodRun("v", method, stitched, stitched, truth, hole)


def test_the_time_slice_stacks_the_row_with_the_most_hole():
  picture = compare_slices([method_run("dip", 200), method_run("flow", 220)])
  scale, label = 3, 20
  heights = [10, 4, 4, 4, 4]  # the frame, truth, hole, two methods
  starts = np.cumsum([0, *(label + scale * h for h in heights)])
  assert picture.shape == (starts[-1], 20 * scale, 3)
  truth, _, dip, flow = (
    picture[start + label :: scale, ::scale][:4] for start in starts[1:-1]
  )
  assert (truth == 57).all()
  for slice_, level in ((dip, 200), (flow, 220)):
    assert (slice_[:, 5:9] == level).all() and (slice_[:, :5] == 57).all()
  frame = picture[label : label + 10 * scale : scale, ::scale]
  assert (frame[7] == (255, 255, 0)).all() and (frame[6] == 56).all()


def test_pictures_of_different_widths_are_stacked():
  stacked = stack_labelled(
    {"a": np.zeros((3, 60, 3), np.uint8), "b": np.full((2, 40, 3), 7, np.uint8)}
  )
  assert stacked.shape == (20 + 3 + 20 + 2, 60, 3)
  assert (stacked[-2:, :40] == 7).all() and (stacked[-2:, 40:] == 255).all()


def test_a_plot_is_a_png(tmp_path):
  pytest.importorskip("matplotlib", reason="matplotlib is in the extra studies")
  path = tmp_path / "curve.png"
  plot_curves(path, {"a": ([1, 2, 3], [10, 20, 15])}, x="updates", y="PSNR, dB")
  drawn = cv2.imread(str(path))
  assert drawn is not None and (drawn < 128).any() and (drawn == 255).mean() > 0.5


def test_the_table_has_the_papers_figures_beside_the_means():
  keys = (
    *("paper_psnr", "paper_ssim", "temporal_psnr", "temporal_ssim", "fid_paper"),
    *("hole_psnr", "hole_ssim", "hole_warping_error"),
  )
  rows = [
    {"video": video, "method": method, "frames": 5.0, **dict.fromkeys(keys, value)}
    for video, value in (("a", 0.25), ("b", 0.75))
    for method in ("flow", "telea")
  ]
  lines = table_markdown(rows).splitlines()
  assert lines[2] == (
    "| DIP-Vid-Flow | 0.5 (10.4) | 0.50 (28.1) | 0.500 (0.895) | 0.50 (32.1) "
    "| 0.500 (0.969) | 0.50 | 0.500 | 500.00 |"
  )
  assert lines[3].startswith("| Telea, each frame alone | 0.5 | 0.50 | 0.500 |")
  for row in rows:
    del row["fid_paper"]
  rows[0]["hole_psnr"] = float("nan")  # of one video: the mean is of another set
  lines = table_markdown(rows).splitlines()
  assert lines[2].startswith("| DIP-Vid-Flow | not measured (10.4) | 0.50 (28.1) |")
  assert lines[2].endswith("| not measured | 0.500 | 500.00 |")
  assert lines[-1] == "FID needs InceptionV3's weights: --inception FILE."
  assert set(PAPER) == set(METHODS)


COUNT, SIZE = 7, (12, 16)
FRAMES, HOLES = translating_clip(COUNT, SIZE, step=(1, 0)), moving_hole(COUNT, SIZE)
SMALL = {
  **{"levels": 1, "perceptual_weight": 0.0, "inner_steps": 2, "rounds": 1},
  "max_updates": 4,
}


@pytest.mark.parametrize("k", [1, 3])
def test_windows_cover_the_video_and_fuse_with_the_input(k):
  full, stitched = inpaint_windows(FRAMES, HOLES, k, SMALL)
  assert (full > 0).all() and (full < 1).all() and full.shape == FRAMES.shape
  hole = np.broadcast_to(HOLES > 0, FRAMES.shape)
  np.testing.assert_array_equal(stitched[~hole], FRAMES[~hole])
  np.testing.assert_array_equal(stitched[hole], full[hole])


def test_a_window_knows_nothing_of_the_others():
  changed = FRAMES.copy()
  changed[3:] = 0.5
  full, other = (inpaint_windows(f, HOLES, 3, SMALL)[0] for f in (FRAMES, changed))
  np.testing.assert_array_equal(full[:3], other[:3])
  assert (full[3:] != other[3:]).any()


def test_windows_longer_than_the_video_are_refused():
  with pytest.raises(InputError, match="windows of 8 frames do not fit 7"):
    inpaint_windows(FRAMES, HOLES, 8, SMALL)


@pytest.fixture(scope="module")
def composed_set(tmp_path_factory):
  """A video of 6 frames, 64 x 64: as small as the consistency's patches allow."""
  return write_set(
    tmp_path_factory.mktemp("set"),
    shape=(6, 64, 64),
    hole=(slice(24, 40), slice(20, 40)),
  )


def ablation(composed_set, output, *studies, extra=()):
  return command.main(
    [
      *studies,
      *("--set", str(composed_set), "--output", str(output), "--max-updates", "2"),
      *("--config.levels=2", "--config.inner_steps=2", "--config.rounds=1"),
      *("--config.batches_per_round=1", "--config.perceptual_weight=0", *extra),
    ]
  )


def test_a_folder_that_is_no_studys_is_refused(tmp_path, capsys):
  (tmp_path / "table.md").write_text("mine")
  with pytest.raises(InputError, match="holds files that no study wrote"):
    command.claim_folder(tmp_path)
  (tmp_path / "runs/a/vid").mkdir(parents=True)  # as studies without a marker have it
  (tmp_path / "runs/a/vid/config.json").write_text('{"video": null, "levels": 5}')
  command.claim_folder(tmp_path)
  command.claim_folder(tmp_path / "new")
  (tmp_path / "new/table.md").write_text("ours")
  command.claim_folder(tmp_path / "new")
  with pytest.raises(InputError, match="cannot be written"):
    command.claim_folder(tmp_path / "table.md")


def test_a_method_may_have_updates_of_its_own(tmp_path, capsys, monkeypatch):
  given = {}

  def run_method(set_folder, video_id, method, *, output, settings):
    given[method] = settings["max_updates"]
    raise InputError("enough")

  monkeypatch.setattr(command, "run_method", run_method)
  for method in ("vid", "flow"):
    flags = ("--methods", method, "--updates", "vid=7", "dip=9")
    set_folder = write_set(
      tmp_path / method, shape=(2, 64, 64), hole=(slice(8, 16), slice(8, 16))
    )
    assert ablation(set_folder, tmp_path / "out", "slice", extra=flags) == 2
  assert given == {"vid": 7, "flow": 2}
  for wrong in ("vid", "vid=0", "other=3", "vid=x"):
    with pytest.raises(SystemExit):
      ablation(set_folder, tmp_path / "out", "slice", extra=("--updates", wrong))
    assert "is not METHOD=N" in capsys.readouterr().err


def test_frames_too_small_to_be_measured_are_refused_before_a_run(tmp_path, capsys):
  small = write_set(
    tmp_path / "set", shape=(6, 48, 64), hole=(slice(8, 16), slice(8, 16))
  )
  assert ablation(small, tmp_path / "out", "table") == 2
  assert "sides of at least 50 px" in capsys.readouterr().err
  assert not (tmp_path / "out/runs").exists()


def test_from_a_set_to_the_tables_and_what_is_done_is_kept(
  composed_set, tmp_path, capsys, monkeypatch
):
  pytest.importorskip("skimage", reason="scikit-image is in the extra eval")
  study = ("table", "complexity", "slice")
  methods = ("--methods", "vid", "flow")
  assert ablation(composed_set, tmp_path, *study, extra=methods) == 0
  rows = json.loads((tmp_path / "rows.json").read_text())
  assert [row["method"] for row in rows] == ["vid", "flow", "telea"]
  assert all(np.isfinite(row["hole_psnr"]) for row in rows)
  # The table's figure is that of the frames in the run's folder.
  from dipvid_jax.composed import read_composed
  from dipvid_jax.media.video_reading import read_video

  video = rows[1]["video"]
  run = tmp_path / "runs" / video / "flow"
  composed = read_composed(composed_set, video)
  stitched = read_video(run / "frames").frames
  expected = hole_psnr(stitched / 255, composed.truth / 255, composed.hole)
  assert rows[1]["hole_psnr"] == pytest.approx(expected, abs=1e-4)
  assert "DIP-Vid-Flow" in capsys.readouterr().out
  for name in ("table.md", "complexity.csv", "complexity.png", "slice.png"):
    assert (tmp_path / name).stat().st_size > 0

  written = (run / "metrics.jsonl").stat().st_mtime_ns
  with monkeypatch.context() as patch:  # neither trained nor measured again
    patch.setattr(measured, "evaluate_clip", None)
    assert ablation(composed_set, tmp_path, *study, extra=methods) == 0
  assert (run / "metrics.jsonl").stat().st_mtime_ns == written
  assert json.loads((tmp_path / "rows.json").read_text()) == rows

  # Another system, which shows the truth, and one that shows grey frames.
  write_images(tmp_path / f"theirs/{video}/frames", composed.truth)
  (tmp_path / "grey").mkdir()
  write_video(tmp_path / f"grey/{video}_results.mp4", composed.truth // 2 + 64, 25)
  systems = [f"best={tmp_path / 'theirs'}", f"grey={tmp_path / 'grey'}"]
  extra = (*methods[:2], "--results", *systems)
  assert ablation(composed_set, tmp_path, "compare", extra=extra) == 0
  best, grey, ours = json.loads((tmp_path / "compare.json").read_text())
  assert (best["method"], ours["method"]) == ("best", "DIP-Vid")
  assert best["paper_psnr"] == np.inf and best["paper_ssim"] == 1
  assert 15 < grey["paper_psnr"] < 25
  assert ours["hole_psnr"] == rows[0]["hole_psnr"]
  assert ours["paper_psnr"] > rows[0]["paper_psnr"]  # stitched, not full, frames
  table = (tmp_path / "compare.md").read_text()
  assert "| best | inf/1.000 | not measured | not measured |" in table
  assert (
    "| paper's own set: Huang et al. | 32.3/.971 | 31.6/.968 | 33.0/.974 |" in table
  )
  capsys.readouterr()
  other = (*methods, "--config.seed=5")
  assert ablation(composed_set, tmp_path, "table", extra=other) == 2
  assert "seed" in capsys.readouterr().err


def test_training_is_looked_at_after_each_round(composed_set, tmp_path):
  extra = ("--config.rounds=2", "--max-updates", "8")
  assert ablation(composed_set, tmp_path, "training", extra=extra) == 0
  rows = json.loads((tmp_path / "training.json").read_text())
  assert [row["updates"] for row in rows] == [0, 4, 8]
  assert cv2.imread(str(tmp_path / "training-frames.png")).shape[1] == 3 * 64
  assert rows[0]["known_psnr"] < 15  # noise: nothing has been seen yet


def test_figures_are_measured_again_where_what_they_are_of_has_changed(
  tmp_path, monkeypatch
):
  calls = []

  def measure(full, stitched, truth, holes, **_):
    calls.append(full)
    return {"frames": float(len(full)), "hole_psnr": float(full.mean())}

  monkeypatch.setattr(measured, "evaluate_clip", measure)
  figures = measured.Figures(tmp_path)
  run = method_run("dip", 200)
  first = figures.measure(run)
  assert (first["video"], first["method"]) == ("v", "dip")
  assert figures.measure(run) == first and len(calls) == 1
  other = run._replace(full=run.full // 2)
  assert figures.measure(other)["hole_psnr"] < first["hole_psnr"]
  assert measured.Figures(tmp_path).measure(other) and len(calls) == 2


def test_ten_videos_are_drawn_by_seed():
  ids = [f"v{k:02}" for k in range(30)]
  drawn = draw_videos(ids, seed=0)
  assert len(drawn) == 10 and drawn == sorted({*drawn}) and {*drawn} < {*ids}
  assert draw_videos(ids[::-1], seed=0) == drawn != draw_videos(ids, seed=1)
  assert draw_videos(ids[:4], seed=0) == ids[:4]


def test_windows_are_measured_frame_by_frame_with_their_budget(
  composed_set, tmp_path, monkeypatch
):
  def grey(frames, holes, k, settings):
    return np.full_like(frames, 0.5), np.where(holes > 0, 0.5, frames)

  monkeypatch.setattr(windows, "inpaint_windows", grey)
  lengths = ("--lengths", "1", "3")
  assert ablation(composed_set, tmp_path, "windows", extra=lengths) == 0
  rows = json.loads((tmp_path / "windows.json").read_text())
  assert [row["frames"] for row in rows] == [1, 3]
  assert [row["updates_a_window"] for row in rows] == [2, 2]
  from dipvid_jax.composed import read_composed

  composed = read_composed(composed_set, rows[0]["video"])
  known = composed.hole[..., 0] == 0
  psnrs = [
    -10 * np.log10(np.mean((frame[inside] / 255 - 0.5) ** 2))
    for frame, inside in zip(composed.truth, known, strict=True)
  ]
  assert rows[0]["known_psnr"] == pytest.approx(np.mean(psnrs))
  assert "| 1 (DIP) | 2 |" in (tmp_path / "windows.md").read_text()
  assert (tmp_path / "windows.png").stat().st_size > 0

  monkeypatch.setattr(windows, "inpaint_windows", None)  # what is measured is kept
  assert ablation(composed_set, tmp_path, "windows", extra=lengths) == 0
  with pytest.raises(TypeError):  # not of other settings
    ablation(composed_set, tmp_path, "windows", extra=(*lengths, "--config.seed=1"))


@pytest.mark.parametrize("word", ["ours", "=x", "a/b=x", "a="])
def test_systems_are_named(word):
  with pytest.raises(InputError, match="NAME=FOLDER"):
    read_systems([word])
  assert read_systems(["a=b=c"]) == {"a": Path("b=c")}


def test_a_size_that_the_network_does_not_take_is_one_line(
  composed_set, tmp_path, capsys
):
  extra = ("--config.levels=5",)  # 64 pixels are fewer than the deepest padding needs
  assert ablation(composed_set, tmp_path, "training", extra=extra) == 2
  error = capsys.readouterr().err
  assert error.count("\n") == 1 and "levels=5" in error


def test_features_need_stride_32(composed_set, tmp_path, capsys):
  assert ablation(composed_set, tmp_path, "features") == 2
  assert "five levels" in capsys.readouterr().err


def test_a_curve_without_a_table_says_what_to_run(composed_set, tmp_path, capsys):
  assert ablation(composed_set, tmp_path, "complexity") == 2
  assert "run the study `table` first" in capsys.readouterr().err
