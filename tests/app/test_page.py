"""The page in a real Chromium: from a file to a result, with a real mouse."""

import io
import os
import re
import shutil
import subprocess
import sys
import urllib.request
import zipfile
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from tests.support.media_files import encode
from tests.support.synthetic import translating_clip

sync_api = pytest.importorskip("playwright.sync_api")

ROOT = Path(__file__).parents[2]
SERVE = "import sys; from dipvid_jax.cli.mask import main; sys.exit(main())"
COUNT, HEIGHT, WIDTH = 12, 64, 96
SIDE = 14  # of the square that has to go
PATIENCE = 60_000  # milliseconds; what is waited for takes a few seconds


def square(number):
  """(x, y) of the square's corner in a frame."""
  return 12 + 4 * number, 22


def clip_with_square(path):
  frames = translating_clip(COUNT, (HEIGHT, WIDTH), step=(1, 0))
  for number, frame in enumerate(frames):
    x, y = square(number)
    frame[y : y + SIDE, x : x + SIDE] = (1.0, 0.9, 0.1)
  encode(path, np.round(255 * frames).astype(np.uint8))
  return path


@pytest.fixture(scope="module")
def chromium():
  path = shutil.which("chromium") or shutil.which("chromium-browser")
  if path is None and not os.environ.get("CI"):
    pytest.skip("no Chromium is installed")
  assert path, "no Chromium is installed; .ci/run installs it"
  with sync_api.sync_playwright() as playwright:
    browser = playwright.chromium.launch(executable_path=path)
    yield browser
    browser.close()


@pytest.fixture
def served(tmp_path):
  """Starts `bin/mask --serve` with flags: gives the address; ends it by Ctrl-C."""
  running = []

  def start(*flags):
    command = [sys.executable, "-u", "-c", SERVE, "--serve", *map(str, flags)]
    process = subprocess.Popen(
      command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    running.append(process)
    said = process.stdout.readline()
    address = re.search(r"http://\S+", said)
    assert address, said + process.stdout.read()
    return address[0]

  yield start
  for process in running:
    process.send_signal(2)
    assert process.wait(30) in (0, 130)
    process.stdout.close()


class Page:
  """The page with a clip, and what a user does on it."""

  def __init__(self, browser, address, **options):
    self.context = browser.new_context(**options)
    self.errors = []
    self.page = self.context.new_page()
    self.page.on("pageerror", lambda error: self.errors.append(str(error)))
    self.page.on(
      "console",
      lambda line: self.errors.append(line.text) if line.type == "error" else None,
    )
    self.page.goto(address)

  def wait_for(self, text):
    """Waits for the line under the frame to hold `text`."""
    shown = self.page.locator("#where", has_text=text)
    shown.wait_for(timeout=PATIENCE)

  def wait_until_saved(self):
    self.page.wait_for_function(
      "document.getElementById('status').textContent !== 'Saving'", timeout=PATIENCE
    )

  def place(self, x, y):
    """Where image point (x, y) is: the fitted frame lies in the middle of the view."""
    box = self.page.locator("#view").bounding_box()
    ratio = self.page.evaluate("devicePixelRatio")
    wide, high = round(box["width"] * ratio), round(box["height"] * ratio)
    scale = min((wide - 20 * ratio) / WIDTH, (high - 20 * ratio) / HEIGHT)
    left = np.floor((wide - WIDTH * scale) / 2 + 0.5)
    top = np.floor((high - HEIGHT * scale) / 2 + 0.5)
    return box["x"] + (left + x * scale) / ratio, box["y"] + (top + y * scale) / ratio

  def drag(self, start, end):
    mouse = self.page.mouse
    mouse.move(*self.place(*start))
    mouse.down()
    mouse.move(*self.place(*end), steps=4)
    mouse.up()
    self.wait_until_saved()

  def use(self, tool, size=None):
    self.page.click(f"[data-tool={tool}]")
    if size is not None:
      self.page.fill("#size", str(size))

  def state(self):
    return self.context.request.get(self.url("/api/state")).json()

  def url(self, path):
    return self.page.evaluate("location.origin") + path

  def fetch(self, path):
    answer = self.context.request.get(self.url(path))
    assert answer.ok, answer.text()
    return answer.body()

  def layer(self, name, number):
    """A frame's labels or strokes as the server has them."""
    data = self.fetch(f"/api/{name}/{number}.png")
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)


def capsule(start, end, size):
  """The pixels whose middle is within half of `size` of a line: `[H, W]` bool."""
  y, x = np.mgrid[:HEIGHT, :WIDTH] + 0.5
  (ax, ay), (bx, by) = start, end
  length = max((bx - ax) ** 2 + (by - ay) ** 2, 1e-9)
  along = np.clip(((x - ax) * (bx - ax) + (y - ay) * (by - ay)) / length, 0, 1)
  away = np.hypot(x - ax - along * (bx - ax), y - ay - along * (by - ay))
  return away <= size / 2


def rectangle(x, y, width, height):
  mask = np.zeros((HEIGHT, WIDTH), bool)
  mask[y : y + height, x : x + width] = True
  return mask


@pytest.mark.parametrize("ratio", [1, 1.5, 2])
def test_a_stroke_marks_exactly_the_pixels_under_the_mouse(
  chromium, served, tmp_path, ratio
):
  clip = clip_with_square(tmp_path / "clip.mkv")
  address = served("--video", clip, "--output", tmp_path / "out")
  page = Page(
    chromium,
    address,
    device_scale_factor=ratio,
    viewport={"width": 1111, "height": 777},
  )
  page.wait_for("Frame 0 / 11")
  page.use("brush", 5)
  page.drag((20.5, 30.5), (60.5, 30.5))
  painted = capsule((20.5, 30.5), (60.5, 30.5), 5)
  np.testing.assert_array_equal(page.layer("labels", 0), painted)
  page.use("eraser", 4)
  page.drag((40, 20), (40, 50))
  left = painted & ~capsule((40, 20), (40, 50), 4)
  np.testing.assert_array_equal(page.layer("labels", 0), left)
  assert not page.errors
