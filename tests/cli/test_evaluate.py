"""bin/evaluate from files to tables, and what it refuses."""

import csv
import fractions
import json
import shutil
import sys

import cv2
import numpy as np
import pytest

from dipvid_jax.cli import evaluate
from dipvid_jax.evaluation import evaluate_clip
from dipvid_jax.evaluation.temporal_consistency import PatchSearch
from dipvid_jax.media.images import write_image, write_images
from dipvid_jax.media.masks import read_mask
from dipvid_jax.media.placement import place
from dipvid_jax.media.preparation import prepare
from dipvid_jax.media.video_reading import read_video
from dipvid_jax.media.video_writing import write_video
from dipvid_jax.propagation.telea import telea
from dipvid_jax.runs.folder import RunFolder
from dipvid_jax.types import Video
from tests.support.inception_tensors import narrow_tensors
from tests.support.synthetic import translating_clip
from tests.support.torch_file_writer import write_arrays

COUNT, SIZE, WORKING = 3, (70, 90), (32, 64)
_FLAGS = ("--patch", "20", "--radius", "2", "--patches", "1")
_SEARCH = PatchSearch(patch=20, radius=2, patches_per_pair=1)


def levels(frames):
  return np.rint(frames * 255).astype(np.uint8)


def prepared(frames, masks, *, size):
  """Frames and hole at a run's working size, as its folder full/ has them."""
  placement = place(frames.shape[1:3], size=size, fit="pad")
  frames, holes = prepare(frames, masks, size=size, fit="pad")
  return tuple(clip[:, *placement.target.slices] for clip in (frames, holes))


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
  """Two clips: truth/, masks/, results/ with a run and another system's frames."""
  root = tmp_path_factory.mktemp("clips")
  for name, step in (("fast", (3, 1)), ("slow", (1, 0))):
    truth = translating_clip(COUNT, SIZE, step=step, seed=len(name))
    hole = np.zeros((COUNT, *SIZE, 1), np.float32)
    hole[:, 30:45, 40:60] = 1
    stitched = telea(truth, hole)
    write_images(root / "truth" / name, levels(truth))
    (root / "masks").mkdir(exist_ok=True)
    write_image(root / "masks" / f"{name}.png", levels(hole[0, ..., 0]))
    if name == "slow":
      write_images(root / "results" / name, levels(stitched))
      continue
    frames, _ = prepared(levels(truth), levels(hole), size=WORKING)
    run = RunFolder(root / "results" / name)
    run.create({"size": [*WORKING], "fit": "pad"}, resume=False)
    run.write_frames(levels(stitched), levels(0.9 * frames), first=0)
    video = Video(levels(stitched), fractions.Fraction(25))
    run.write_inpainted(video)
    run.write_full(video)
  return root


def read_clip(clips, name):
  truth = read_video(clips / "truth" / name).frames
  path = clips / "masks" / f"{name}.png"
  return truth, read_mask(path, frame_count=COUNT, size=SIZE)


def one(clips, *extra, name="fast", **paths):
  folders = {
    "result": clips / "results" / name,
    "truth": clips / "truth" / name,
    "masks": clips / "masks" / f"{name}.png",
  } | paths
  flags = [item for key, path in folders.items() for item in (f"--{key}", str(path))]
  return evaluate.main([*flags, *_FLAGS, *extra])


def test_a_run_is_scored_at_its_two_sizes(clips, tmp_path, capsys):
  path = tmp_path / "table.json"
  flags = ("--measures", "paper,sttn,hole,temporal,warping,complexity")
  assert one(clips, *flags, "--json", str(path)) == 0
  content = json.loads(path.read_text())
  values = content["videos"]["fast"]
  truth, masks = read_clip(clips, "fast")
  stitched = read_video(clips / "results/fast/frames").frames
  expected = evaluate_clip(None, stitched, truth, masks, search=_SEARCH)
  working, small_hole = prepared(truth, masks, size=WORKING)
  full = read_video(clips / "results/fast/full").frames
  expected |= evaluate_clip(full, None, working, small_hole, measures=["paper"])
  assert values == pytest.approx(expected)
  assert 15 < values["paper_psnr"] < 35  # a tenth darker than the truth
  assert content["summary"] == {"all": {"videos": 1, **values}}
  assert "paper: full of the run, at 32x41" in content["notes"]
  assert any("sttn" in note and "70x90" in note for note in content["notes"])
  assert "20x20 within 2 px, 1 for each pair" in content["settings"]["temporal"]
  assert "OpenCV DIS" in content["settings"]["warping"]
  out = capsys.readouterr().out
  assert f"| hole_psnr | {values['hole_psnr']:.2f} |" in out


def test_a_run_at_the_inputs_own_size_is_scored(clips, tmp_path):
  truth, _ = read_clip(clips, "fast")
  run = RunFolder(tmp_path / "run")
  run.create({"size": [0, 0], "fit": "crop"}, resume=False)
  run.write_frames(truth, truth // 2, first=0)
  table = tmp_path / "table.json"
  flags = ("--measures", "paper", "--json", str(table))
  assert one(clips, *flags, result=tmp_path / "run") == 0
  content = json.loads(table.read_text())
  assert "paper: full of the run, at 70x90" in content["notes"]
  expected = evaluate_clip(
    truth // 2, None, truth, np.ones((COUNT, *SIZE, 1)), measures=["paper"]
  )
  value = content["videos"]["run"]["paper_psnr"]
  assert value == pytest.approx(expected["paper_psnr"])


def test_a_run_without_images_of_full_frames_is_scored_by_its_video(clips, tmp_path):
  shutil.copytree(clips / "results/fast", tmp_path / "fast")
  shutil.rmtree(tmp_path / "fast/full")
  paths = {"result": tmp_path / "fast"}
  table = tmp_path / "t.json"
  assert one(clips, "--measures", "paper", "--json", str(table), **paths) == 0
  content = json.loads(table.read_text())
  assert "paper: full.mp4 of the run, at 32x41, lossy H.264" in content["notes"]
  truth, holes = prepared(*read_clip(clips, "fast"), size=WORKING)
  full = read_video(tmp_path / "fast/full.mp4").frames[:, :, :41]  # 42 is even
  expected = evaluate_clip(full, None, truth, np.ones_like(holes), measures=["paper"])
  values = content["videos"]["fast"]
  assert values["paper_psnr"] == pytest.approx(expected["paper_psnr"])


def test_a_set_is_paired_by_name_and_written_three_ways(clips, tmp_path, capsys):
  flags = ["--results", "results", "--truth", "truth", "--masks", "masks"]
  flags = [str(clips / f) if f[0] != "-" else f for f in flags]
  tables = {kind: tmp_path / f"t.{kind}" for kind in ("json", "csv", "markdown")}
  flags += [x for kind, path in tables.items() for x in (f"--{kind}", str(path))]
  flags += ["--measures", "hole,complexity,paper", "--name", "ours"]
  assert evaluate.main(flags) == 0
  content = json.loads(tables["json"].read_text())
  assert [*content["videos"]] == ["fast", "slow"] and content["name"] == "ours"
  assert [*content["summary"]] == ["all", "complex", "simple"]
  assert content["videos"]["fast"]["paper_psnr"] > 0
  assert content["videos"]["slow"]["paper_psnr"] is None
  assert content["summary"]["all"]["paper_psnr"] is None
  assert any("slow: there are no full frames" in note for note in content["notes"])
  mean = np.mean([row["hole_psnr"] for row in content["videos"].values()])
  assert content["summary"]["all"]["hole_psnr"] == pytest.approx(mean)
  with tables["csv"].open() as file:
    kinds = [(line["kind"], line["name"]) for line in csv.DictReader(file)]
  assert kinds == [
    *(("video", name) for name in ("fast", "slow")),
    *(("mean", part) for part in ("all", "complex", "simple")),
  ]
  assert tables["markdown"].read_text() == capsys.readouterr().out
  assert "not measured" in tables["markdown"].read_text()


def test_full_frames_can_be_given(clips, tmp_path, capsys):
  truth = read_video(clips / "truth/slow").frames
  write_images(tmp_path / "full", truth // 2)
  paths = {"full": tmp_path / "full"}
  table = tmp_path / "t.json"
  flags = ("--measures", "paper", "--json", str(table))
  assert one(clips, *flags, name="slow", **paths) == 0
  hole = np.ones((COUNT, *SIZE, 1))
  expected = evaluate_clip(truth // 2, None, truth, hole, measures=["paper"])
  values = json.loads(table.read_text())["videos"]["slow"]
  assert values["paper_psnr"] == pytest.approx(expected["paper_psnr"])


def test_size_resizes_all_by_area(clips, tmp_path, capsys):
  table = tmp_path / "t.json"
  flags = ("--measures", "hole", "--size", "35x30", "--json", str(table))
  assert one(clips, *flags, name="slow") == 0

  def small(frames):
    return np.stack(
      [cv2.resize(f, (30, 35), interpolation=cv2.INTER_AREA) for f in frames]
    )

  truth, result = (
    small(read_video(clips / kind / "slow").frames) for kind in ("truth", "results")
  )
  hole = np.zeros((COUNT, *SIZE), np.float32)
  hole[:, 30:45, 40:60] = 1
  holes = small(hole)[..., None] > 0.5
  expected = evaluate_clip(None, result, truth, holes, measures=["hole"])
  content = json.loads(table.read_text())
  assert content["videos"]["slow"] == pytest.approx(expected)
  assert content["settings"]["frames"] == "35x30, by area interpolation"
  assert "35x30" in capsys.readouterr().out


def test_fid_over_a_set_is_of_all_frames_together(clips, tmp_path):
  write_arrays(tmp_path / "net.pth", narrow_tensors(), "zip")
  flags = ["--results", str(clips / "results"), "--truth", str(clips / "truth")]
  flags += ["--masks", str(clips / "masks"), "--measures", "fid"]
  flags += [
    "--inception",
    str(tmp_path / "net.pth"),
    "--json",
    str(tmp_path / "t.json"),
  ]
  assert evaluate.main(flags) == 0
  content = json.loads((tmp_path / "t.json").read_text())
  rows, mean = content["videos"].values(), content["summary"]["all"]
  of_papers_form = np.mean([row["fid_paper"] for row in rows])
  assert mean["fid_paper"] == pytest.approx(of_papers_form)
  pooled = [row["fid_pooled"] for row in rows]
  assert 0 < mean["fid_pooled"] != pytest.approx(np.mean(pooled))
  assert "InceptionV3 of pytorch-fid, sha256" in content["settings"]["fid"]


def shortened(clips, tmp_path):
  shutil.copytree(clips / "results/slow", tmp_path / "short")
  (tmp_path / "short/00002.png").unlink()
  return {"result": tmp_path / "short"}


def shrunk(clips, tmp_path):
  frames = read_video(clips / "results/slow").frames
  write_images(tmp_path / "small", frames[:, ::2, ::2])
  return {"result": tmp_path / "small"}


def without_config(clips, tmp_path):
  shutil.copytree(clips / "results/fast", tmp_path / "run")
  (tmp_path / "run/config.json").write_text("{}")
  return {"result": tmp_path / "run"}


@pytest.mark.parametrize(
  ("make", "extra", "said"),
  [
    (shortened, [], ("short: 2 frames", "has 3")),
    (shrunk, [], ("small: is 35x45", "70x90", "--size HxW")),
    (without_config, [], ("config.json", "--full")),
    (None, ["--measures", "psnr"], ("'psnr' is unknown", "paper, sttn")),
    (None, ["--measures", "fid"], ("--inception",)),
    (None, ["--inception", "none.pth"], ("none.pth",)),
    (None, ["--size", "1x1"], ("--size 1x1", "no hole")),
    (None, ["--patch", "71"], ("temporal needs", "71 px", "70x90")),
    (None, ["--patch", "3"], ("at least 11 px",)),
    (None, ["--json", "none/t.json"], ("there is no folder",)),
    (None, ["--truth", "none"], ("none", "No such file")),
    (None, ["--estimator", "pwcnet"], ("weights",)),
  ],
)
def test_bad_input_is_one_line_and_exit_code_2(
  clips, tmp_path, monkeypatch, capsys, make, extra, said
):
  monkeypatch.chdir(tmp_path)
  paths = make(clips, tmp_path) if make else {}
  assert one(clips, *extra, **paths) == 2
  captured = capsys.readouterr()
  line = captured.err.strip().splitlines()[-1]
  assert line.startswith("evaluate: ") and "Traceback" not in captured.err
  assert all(part in line for part in said), line
  assert captured.out == ""


def test_a_size_of_another_form_is_refused(clips, capsys):
  with pytest.raises(SystemExit) as exit_info:
    one(clips, "--size", "432")
  assert exit_info.value.code == 2
  error = capsys.readouterr().err
  assert "--size: '432' is not height x width" in error and error.count("\n") == 1


def test_a_name_that_is_missing_or_twice_is_refused(clips, tmp_path, capsys):
  write_images(tmp_path / "truth/fast", read_video(clips / "truth/fast").frames)
  flags = ["--results", str(clips / "results"), "--masks", str(clips / "masks")]
  assert evaluate.main([*flags, "--truth", str(tmp_path / "truth")]) == 2
  assert "truth: has nothing named slow" in capsys.readouterr().err
  (tmp_path / "truth/slow").mkdir()
  (tmp_path / "truth/slow.mp4").write_bytes(b"x")
  assert evaluate.main([*flags, "--truth", str(tmp_path / "truth")]) == 2
  assert "holds slow and slow.mp4; keep one" in capsys.readouterr().err
  (tmp_path / "empty").mkdir()
  assert evaluate.main([*flags, "--truth", str(tmp_path / "empty")]) == 2
  assert "empty: holds no folder and no video" in capsys.readouterr().err


def test_without_scikit_image_the_line_names_the_extra(clips, monkeypatch, capsys):
  monkeypatch.setitem(sys.modules, "skimage.metrics", None)
  assert one(clips, "--measures", "hole") == 2
  assert "pip install 'dipvid_jax[eval]'" in capsys.readouterr().err
  assert one(clips, "--measures", "complexity") == 0


def test_a_table_that_is_there_is_kept(clips, tmp_path, capsys):
  table = tmp_path / "t.json"
  table.write_text("mine")
  flags = ("--measures", "complexity", "--json", str(table))
  assert one(clips, *flags) == 2
  assert table.read_text() == "mine"
  assert one(clips, *flags, "--overwrite") == 0
  assert json.loads(table.read_text())["name"] == "fast"


def test_a_video_file_is_a_result_too(clips, tmp_path, capsys):
  frames = read_video(clips / "results/slow").frames
  write_video(tmp_path / "slow.mp4", frames, fractions.Fraction(25))
  flags = ("--measures", "hole", "--json", str(tmp_path / "t.json"))
  assert one(clips, *flags, name="slow", result=tmp_path / "slow.mp4") == 0
  content = json.loads((tmp_path / "t.json").read_text())
  assert content["videos"]["slow"]["hole_psnr"] > 10


def test_all_but_fid_is_the_default():
  parse = evaluate.make_parser().parse_args
  flags = ["--result", "a", "--truth", "b", "--masks", "c"]
  measures = evaluate.read_measures(parse(flags))
  assert "lpips" in measures and "fid" not in measures
  assert "fid" in evaluate.read_measures(parse([*flags, "--inception", "x"]))
