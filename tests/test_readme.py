"""README's first example runs as it stands; links lead somewhere."""

import fractions
import pathlib
import re

import numpy as np
import pytest

from dipvid_jax.media.video_reading import read_video
from dipvid_jax.media.video_writing import write_video
from tests.support.examples import code_of
from tests.support.quick_compile import quick_compile  # noqa: F401

_ROOT = pathlib.Path(__file__).resolve().parents[1]
_PAGES = sorted([*_ROOT.glob("*.md"), *(_ROOT / "docs").glob("*.md")])


def test_the_library_example_runs(tmp_path, monkeypatch):
  example = code_of("README.md", "inpaint_video")
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
