"""How tables are formatted and written."""

import csv
import json
import math

import pytest

from dipvid_jax.errors import InputError
from dipvid_jax.evaluation.summary import Evaluation, summarise
from dipvid_jax.evaluation.tables import (
  check_writable,
  format_value,
  markdown,
  table_2,
  write_csv,
  write_json,
  write_markdown,
)

NAN = math.nan
ROWS = {
  "a": {"frames": 10, "paper_psnr": 30.0, "sttn_psnr": 20.0, "complexity": 0.1},
  "b": {"frames": 30, "paper_psnr": 20.0, "sttn_psnr": 40.0, "complexity": 0.3},
  "c": {"frames": 20, "paper_psnr": 25.0, "sttn_psnr": 30.0, "complexity": 0.2},
}


@pytest.mark.parametrize(
  ("column", "value", "shown"),
  [
    ("hole_psnr", 22.0265, "22.03"),
    ("sttn_ssim", 0.99576, "0.9958"),
    ("fid_paper", 10.444, "10.44"),
    ("frames", 80.0, "80"),
    ("videos", 2.0, "2"),
    ("warping_error", 0.00103433, "0.001034"),
    ("lpips_vgg16", 0.0122587, "0.01226"),
    ("paper_psnr", math.inf, "inf"),
    ("paper_psnr", NAN, "not measured"),
  ],
)
def test_a_value_is_formatted_by_its_column(column, value, shown):
  assert format_value(column, value) == shown


def test_table_2_has_the_papers_format():
  ours = {"all": (32.1, 0.969), "complex": (31.94, 0.9704), "simple": (32.2, 0.968)}
  summaries = {
    "Ours": {part: {"paper_psnr": p, "paper_ssim": s} for part, (p, s) in ours.items()},
    "Other": {"all": {"paper_psnr": NAN, "paper_ssim": NAN}},
  }
  assert table_2(summaries).splitlines() == [
    "| PSNR/SSIM paper | All | Complex | Simple |",
    "| --- | --- | --- | --- |",
    "| Ours | 32.1/.969 | 31.9/.970 | 32.2/.968 |",
    "| Other | not measured | not measured | not measured |",
  ]


@pytest.fixture
def evaluation():
  rows = {name: {**row, "paper_ssim": 0.9} for name, row in ROWS.items()}
  rows["a"]["hole_psnr"] = NAN
  rows["b"]["hole_psnr"] = rows["c"]["hole_psnr"] = math.inf
  settings = {"frames": "as they are"}
  return Evaluation("ours", settings, ["a note"], rows, summarise(rows))


def test_markdown_has_settings_notes_means_and_videos(evaluation):
  lines = markdown(evaluation).splitlines()
  assert lines[:4] == ["## ours", "", "- frames: as they are", "- note: a note"]
  assert "| measure | all (mean) | complex (mean) | simple (mean) |" in lines
  assert "| paper_psnr | 25.00 | 20.00 | 27.50 |" in lines
  assert "| hole_psnr | not measured | inf | not measured |" in lines
  assert "| b | 30 | 20.00 | 40.00 | 0.3 | 0.9000 | inf |" in lines
  assert "| ours | 25.0/.900 | 20.0/.900 | 27.5/.900 |" in lines


def test_one_video_is_shown_without_a_mean(evaluation):
  rows = {"b": evaluation.rows["b"]}
  one = Evaluation("ours", {}, [], rows, summarise(rows))
  text = markdown(one)
  assert "| measure | b |" in text and "| paper_psnr | 20.00 |" in text
  assert "| video |" not in text and "(mean)" not in text


def test_csv_and_json_hold_every_digit(evaluation, tmp_path):
  write_csv(tmp_path / "t.csv", evaluation)
  with (tmp_path / "t.csv").open() as file:
    lines = [*csv.DictReader(file)]
  kinds = [(line["kind"], line["name"]) for line in lines]
  assert kinds[:4] == [("video", "a"), ("video", "b"), ("video", "c"), ("mean", "all")]
  assert lines[0]["hole_psnr"] == "" and lines[1]["hole_psnr"] == "inf"
  expected = evaluation.summary["all"]["sttn_psnr"]
  assert float(lines[3]["sttn_psnr"]) == expected and lines[0]["videos"] == ""
  write_json(tmp_path / "t.json", evaluation)
  content = json.loads((tmp_path / "t.json").read_text())
  assert content["videos"]["a"]["hole_psnr"] is None
  assert content["videos"]["b"]["hole_psnr"] == "inf"
  assert content["summary"]["all"]["sttn_psnr"] == expected
  assert content["settings"] == {"frames": "as they are"}
  write_markdown(tmp_path / "t.md", evaluation)
  assert (tmp_path / "t.md").read_text() == markdown(evaluation)


def test_an_unwritable_table_is_found_before_the_work(tmp_path):
  path = tmp_path / "t.json"
  check_writable([path], overwrite=False)
  path.write_text("held")
  check_writable([path], overwrite=True)
  with pytest.raises(InputError, match=r"t\.json: already exists; .* --overwrite"):
    check_writable([path], overwrite=False)
  with pytest.raises(InputError, match="already exists"):
    check_writable([tmp_path], overwrite=True)
  with pytest.raises(InputError, match="there is no folder"):
    check_writable([tmp_path / "none" / "t.json"], overwrite=False)
