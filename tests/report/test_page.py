"""`report.html`: its content, that it is a single file, and that it renders."""

import base64
import hashlib
import json
import re
import shutil
import subprocess

import cv2
import numpy as np
import pytest

from dipvid_jax.cli import report as report_command
from dipvid_jax.errors import InputError
from dipvid_jax.method.pipeline import Inpainted
from dipvid_jax.method.recipes import shipped_recipes
from dipvid_jax.report.page import write_report
from dipvid_jax.runs.windows import Window
from tests.support.report_run import (
  PSNRS,
  VISITS,
  WORKING,
  Page,
  Run,
  finish,
  frames_of,
)

RECIPES = shipped_recipes()


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
  return finish(tmp_path_factory.mktemp("finished"))


def test_the_page_has_its_sections_in_order(finished):
  page = finished.page
  assert page.all("html") == [{"lang": "en"}]
  titles = [v["aria-label"].partition(":")[0] for v in page.all("video")]
  assert titles == ["Before", "After", "Full"]
  for words in (
    *("all 40 updates of its schedule are done", "21.75 dB", "Losses"),
    *("Round 1, 10 updates, 18.25 dB", "Round 4, 40 updates", "Before, the hole red"),
    *("Time by stage", "reading", "jaxlib"),
    "48 x 80, worked on at 32 x 32 (height x width)",
    *("2.60% of the pixels", "6 of 6 frames", "6 at 25 a second", "CPU, "),
  ):
    assert words in page.text
  assert len(page.all("img")) == 3 + 4
  assert all(len(image["alt"]) > 10 for image in page.all("img"))


def test_it_is_one_file_that_works_offline(finished):
  page = finished.page
  links = [
    attributes[key]
    for _, attributes in page.elements
    for key in ("src", "href", "poster", "data", "action", "xlink:href", "srcset")
    if key in attributes
  ]
  assert len(links) == 3 + 7
  assert all(re.match(r"data:(video/mp4|image/jpeg);base64,", link) for link in links)
  without_data = re.sub(r'src="data:[^"]*"', "", page.source)
  for word in ("http://", "https://", "url(", "@import", "//cdn", "fetch("):
    assert word not in without_data
  (policy,) = [m for m in page.all("meta") if "http-equiv" in m]
  assert policy["content"].startswith("default-src 'none';")


def test_paths_with_markup_stay_text(finished):
  page = finished.page
  assert "clips/<script>alert(1)</script>" in page.text
  assert page.all("script") == [{}]
  assert not any("onload" in attributes for _, attributes in page.elements)
  script = re.search(r"<script>(.*?)</script>", page.source, re.DOTALL)[1]
  digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
  assert f"script-src 'sha256-{digest}'" in page.source


def test_markup_in_a_name_makes_no_element(tmp_path):
  name = "<img src=x onerror=alert(1)>"
  config = {"video": name, name: name, "mask": f"{name}.png"}
  (tmp_path / "config.json").write_text(json.dumps(config))
  (tmp_path / "report").mkdir()
  facts = {"seconds": {name: 1.0}, "versions": {name: name}, "written": name}
  (tmp_path / "report" / "facts.json").write_text(json.dumps(facts))
  rows = [{"update": u, "round": name, name: 1 / u, "loss": 1 / u} for u in (5, 10)]
  for file in ("metrics.jsonl", "rounds.jsonl"):
    (tmp_path / file).write_text("".join(json.dumps(row) + "\n" for row in rows))
  page = Page(write_report(tmp_path, recipes={f"{name}.py": {name: 1}}))
  assert page.all("img") == []
  assert not any("onerror" in attributes for _, attributes in page.elements)
  assert name not in page.source
  assert page.text.count(name) > 10


def test_the_curves_are_the_rows(finished):
  source = finished.page.source
  points = re.findall(r"<title>(.+?) (\S+) at (\S+)</title>", source)
  image = [(float(y), float(x)) for name, y, x in points if name == "image"]
  rows = [json.loads(line) for line in finished.folder.metrics.read_text().splitlines()]
  assert [x for _, x in image] == [row["update"] for row in rows]
  assert [y for y, _ in image] == pytest.approx(
    [row["image"] for row in rows], rel=1e-5
  )
  psnr = [float(y) for name, y, _ in points if name == "held-out PSNR"]
  assert psnr == list(PSNRS)


def test_the_report_is_rewritten_during_the_run(tmp_path):
  run = Run(tmp_path)
  run.begin()
  assert "not finished: 0 of 40 updates were done" in run.page.text
  assert len(run.page.all("video")) == 1 and "Nothing yet" in run.page.text
  run.round(0)
  assert "not finished: 10 of 40 updates were done" in run.page.text
  first = frames_of(run.page.all("video")[2]).mean()
  run.round(1)
  assert frames_of(run.page.all("video")[2]).mean() > first + 10
  assert "20.50 dB on held-out" in run.page.text
  run.end()
  assert "is finished" in run.page.text


def test_it_is_rewritten_every_preview_every_rounds(tmp_path):
  run = Run(tmp_path, preview_every=3)
  run.begin()
  done = []
  for number in range(4):
    assert run.round(number) == (number == 2)
    done.append(re.search(r"not finished: (\d+)", run.page.text)[1])
  assert done == ["0", "0", "30", "30"]
  rows = finished_rounds(run)
  assert [row["round"] for row in rows] == [1, 2, 3, 4]


def finished_rounds(run):
  return [json.loads(line) for line in run.folder.rounds.read_text().splitlines()]


def test_a_run_that_stopped_says_why(tmp_path, capsys):
  run = Run(tmp_path, stop_patience=1)
  run.begin()
  run.round(0)
  run.report.stopping.check_quality(20.0)
  run.report.stopping.check_quality(20.0)
  run.round(1)
  assert "stopped after 20 updates: no rise of 0.05 dB" in capsys.readouterr().out
  assert "stopped" not in finished_rounds(run)[0]
  assert finished_rounds(run)[1]["stopped"] == run.report.stopping.reason
  run.end()
  assert "finished after 20 of 40 updates: no rise of 0.05 dB" in run.page.text


def test_stopping_is_restored_from_the_rows(tmp_path):
  run = Run(tmp_path)
  run.begin()
  run.round(0)
  run.report.stopping.reason = "the user had enough"
  run.round(1)
  for updates, reason in ((10, ""), (20, "the user had enough")):
    run.renew_report()
    run.begin(resume=True)
    run.report.resume(run.window, updates)
    assert run.report.stopping.reason == reason
    assert run.report.stopping.seconds >= 1


def test_times_of_a_resumed_run_add_up(tmp_path):
  run = Run(tmp_path)
  run.begin()
  path = run.folder.path / "report" / "facts.json"
  facts = json.loads(path.read_text())
  path.write_text(json.dumps(facts | {"seconds": {"training": 4000.0}}))
  run.renew_report()
  run.begin(resume=True)
  assert json.loads(path.read_text())["seconds"]["training"] == 4000
  assert "1 h 6 min" in run.page.text


def test_windows_follow_each_other(tmp_path):
  """Two windows of four frames in a clip of six; the second one stops early."""
  run = Run(tmp_path, count=6, max_minutes=60.0)
  run.report.begin(run.plan(windows=2), resume=False)
  videos = []
  for number, start in enumerate((0, 2)):
    run.window = Window(number, start, start + 4, 0, 0)
    run.report.begin_window(run.window)
    assert run.report.stopping.minutes == 30.0 * (number + 1)
    run.report.stopping.reason = "enough" if number else ""
    full = np.full((4, *WORKING, 3), 0.25 * (number + 1), np.float32)
    result = Inpainted(full, full, None, None, holdout_psnr=20.0 + number)
    run.report.record_round(VISITS[0], 10, result, window=run.window)
    run.report.refresh(VISITS[0], result, window=run.window)
    (video,) = (v for v in run.page.all("video") if v["aria-label"].startswith("Full"))
    videos.append(frames_of(video)[:, 24, 40].mean(axis=-1))
  assert videos[0] == pytest.approx([64] * 4 + [128] * 2, abs=6)
  assert videos[1] == pytest.approx([64] * 2 + [128] * 4, abs=6)
  assert "Window 2, round 1, 10 updates" in run.page.text
  assert "not finished: 20 of 80 updates" in run.page.text
  places = re.findall(r"<title>held-out PSNR (\S+) at (\d+)<", run.page.source)
  assert places == [("20", "10"), ("21", "50")]
  run.end()
  assert "finished after 20 of 80 updates: enough" in run.page.text


def test_the_command_rebuilds_it(finished, capsys):
  path = finished.folder.path / "report.html"
  before = path.read_bytes()
  path.unlink()
  assert report_command.main([str(finished.folder.path)]) == 0
  assert str(path) in capsys.readouterr().out
  assert path.read_bytes() == before


def test_a_folder_of_an_older_version_gets_a_report(tmp_path):
  (tmp_path / "config.json").write_text('{"video": "a/b.mp4", "levels": 5}')
  rows = [{"update": u, "round": 1, "image": 1 / u, "loss": 1 / u} for u in (5, 10)]
  lines = "".join(json.dumps(row) + "\n" for row in rows)
  (tmp_path / "metrics.jsonl").write_text(lines + '{"update": 15, "im')
  page = Page(write_report(tmp_path, recipes=RECIPES))
  assert "not finished: 10 updates were done" in page.text
  assert "No pixels were held out" in page.text and "a/b.mp4" in page.text
  assert page.all("video") == []


def test_another_page_of_that_name_is_not_replaced(tmp_path, capsys):
  (tmp_path / "config.json").write_text('{"video": "a/b.mp4", "levels": 5}')
  (tmp_path / "report.html").write_text("<title>mine</title>")
  assert report_command.main([str(tmp_path)]) == 2
  assert "is not the report of a run" in capsys.readouterr().err
  assert (tmp_path / "report.html").read_text() == "<title>mine</title>"


def test_the_settings_of_another_program_are_no_run(tmp_path, capsys):
  (tmp_path / "config.json").write_text('{"model": "bert"}')
  assert report_command.main([str(tmp_path)]) == 2
  assert "holds no run" in capsys.readouterr().err
  assert not (tmp_path / "report.html").exists()


@pytest.mark.parametrize("content", [None, "[]", "{"])
def test_a_folder_without_a_run_is_refused(tmp_path, capsys, content):
  if content:
    (tmp_path / "config.json").write_text(content)
  with pytest.raises(InputError, match="holds no run"):
    write_report(tmp_path, recipes=RECIPES)
  assert report_command.main([str(tmp_path)]) == 2
  assert capsys.readouterr().err.count("\n") == 1
  assert not (tmp_path / "report.html").exists()


def test_changed_settings_come_first(finished):
  text = finished.page.text
  settings = text[text.index("As fast.py, but for:") :]
  first, rest = settings.split("All others")
  assert "size 32, 32 (192, 384 in fast.py)" in first and "fit crop" in first
  assert "learning_rate" in rest and "flow.estimator dis" in rest


CHROMIUM = next(
  filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))),
  None,
)


def browse(page, profile, *arguments):
  command = [
    *(CHROMIUM, "--headless=new", "--no-sandbox", "--disable-gpu"),
    f"--user-data-dir={profile}",
    *("--host-resolver-rules=MAP * ~NOTFOUND", "--virtual-time-budget=5000"),
    *arguments,
    page.absolute().as_uri(),
  ]
  return subprocess.run(command, capture_output=True, text=True, timeout=120).stdout


@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium or Chrome")
@pytest.mark.parametrize(("width", "height"), [(390, 2600), (1280, 1400)])
def test_it_renders_in_a_browser(finished, tmp_path, width, height):
  picture = tmp_path / "page.png"
  browse(
    finished.folder.path / "report.html",
    tmp_path / "profile",
    *(
      f"--window-size={width},{height}",
      f"--screenshot={picture}",
      "--hide-scrollbars",
    ),
  )
  image = cv2.imread(str(picture))
  assert image.shape[:2] == (height, width)
  # The result, shown as a negative, is the only place with its mean colour.
  result = (255 - finished.frames[0]).reshape(-1, 3).mean(axis=0)[::-1]
  small = cv2.resize(image, None, fx=0.1, fy=0.1, interpolation=cv2.INTER_AREA)
  assert (np.abs(small - result).max(axis=-1) < 40).sum() > 20
  accent = np.array([0x99, 0x6E, 0x0B])  # the curves, BGR
  assert (np.abs(image.astype(int) - accent).max(axis=-1) < 12).sum() > 200


@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium or Chrome")
def test_our_script_runs_and_no_other(finished, tmp_path):
  report, spoilt = finished.folder.path / "report.html", tmp_path / "spoilt.html"
  document = browse(report, tmp_path / "profile", "--dump-dom")
  assert "<button>Play together</button>" in document
  injected = "<script>document.title = 'taken over'</script>"
  spoilt.write_text(report.read_text().replace("</body>", f"{injected}</body>"))
  document = browse(spoilt, tmp_path / "profile", "--dump-dom")
  assert "<button>Play together</button>" in document
  assert "<title>taken over" not in document
