"""The examples of README and docs run as they stand, on small clips and budgets."""

import fractions
import pathlib
import re

import jax
import numpy as np
import pytest

import dipvid_jax
from dipvid_jax.media.video_reading import read_video
from dipvid_jax.media.video_writing import write_video
from tests.support.synthetic import moving_hole, translating_clip

_ROOT = pathlib.Path(__file__).resolve().parents[1]
_PAGES = sorted([*_ROOT.glob("*.md"), *(_ROOT / "docs").glob("*.md")])


def examples(page, containing):
  blocks = re.findall(r"```python\n(.*?)```", (_ROOT / page).read_text(), re.DOTALL)
  return next(block for block in blocks if containing in block)


def test_the_library_example_runs(tmp_path, monkeypatch):
  example = examples("README.md", "inpaint_video")
  smaller = {
    "size=(96, 192)": "size=(24, 48)",
    "levels=5, max_updates=500": "levels=3, max_updates=1",
  }
  for written, used in smaller.items():
    assert written in example
    example = example.replace(written, used)
  frames = np.random.default_rng(0).integers(0, 256, (6, 24, 48, 3), np.uint8)
  masks = np.zeros_like(frames)
  masks[:, 8:16, 16:32] = 255
  write_video(tmp_path / "clip.mp4", frames, fractions.Fraction(25))
  write_video(tmp_path / "mask.mp4", masks, fractions.Fraction(25))
  monkeypatch.chdir(tmp_path)
  exec(compile(example, "README.md", "exec"), {})
  assert read_video(tmp_path / "out.mp4").frames.shape == frames.shape


def test_the_pieces_train_a_network_with_a_loss_of_their_own():
  example = examples("docs/embedding.md", "make_train_step")
  assert "levels=5" in example
  names = {
    "frames": translating_clip(6, (12, 16), step=(1, 0)),
    "hole_masks": moving_hole(6, (12, 16)),
  }
  exec(compile(example.replace("levels=5", "levels=1"), "embedding.md", "exec"), names)
  assert int(names["state"].step) == 10
  metrics = jax.device_get(names["metrics"])
  assert set(metrics) == {"image", "mine", "loss"}
  assert metrics["image"][-1] < metrics["image"][0]


def test_the_callbacks_example_follows_a_run(capsys):
  names = {}
  exec(compile(examples("docs/embedding.md", "Watch"), "embedding.md", "exec"), names)
  watch = names["Watch"]()
  small = {"levels": 1, "max_updates": 2, "inner_steps": 1, "strides": (1,)}
  config = dipvid_jax.load_config("vid", **small)
  arrays = translating_clip(6, (12, 16), step=(1, 0)), moving_hole(6, (12, 16))
  dipvid_jax.inpaint_video(*arrays, config=config, callbacks=watch)
  assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == [
    "1",
    "2",
  ]
  assert int(watch.kept.step) == 2


def anchors(page):
  """The headings of a page, as GitHub links to them."""
  headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
  return {re.sub(r"[^\w -]", "", text.lower()).replace(" ", "-") for text in headings}


@pytest.mark.parametrize("page", _PAGES, ids=lambda page: page.name)
def test_links_lead_to_files_and_headings(page):
  links = re.findall(r"\]\((?!https?:)([^)#]*)#?([^)]*)\)", page.read_text())
  for file, heading in links:
    target = page.parent / file if file else page
    assert target.exists(), file
    assert not heading or heading in anchors(target), heading


def test_the_readme_names_every_page_and_stays_short():
  text = (_ROOT / "README.md").read_text()
  assert len(text.splitlines()) < 200
  for page in (_ROOT / "docs").glob("*.md"):
    assert f"docs/{page.name}" in text
