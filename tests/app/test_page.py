"""The page in a real Chromium: from a file to a result, with a real mouse."""

import io
import os
import re
import shutil
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from tests.support.heeded_ctrl_c import heeded_ctrl_c  # noqa: F401
from tests.support.media_files import encode
from tests.support.quick_compile import CAN_WAIT_FOR_EVER
from tests.support.synthetic import translating_clip

sync_api = pytest.importorskip("playwright.sync_api")

ROOT = Path(__file__).parents[2]
SERVE = "import sys; from dipvid_jax.cli.mask import main; sys.exit(main())"
# Programs that run once compile quickly; tests/support/quick_compile.py says where.
QUICK = {"JAX_DISABLE_MOST_OPTIMIZATIONS": "0" if CAN_WAIT_FOR_EVER else "1"}
COUNT, HEIGHT, WIDTH = 12, 64, 96
SIDE = 14  # of the square that has to go
PATIENCE = 180_000  # milliseconds; a busy machine needs more than the usual seconds


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
      command,
      cwd=ROOT,
      env=os.environ | QUICK,
      stdout=subprocess.PIPE,
      stderr=subprocess.STDOUT,
      text=True,
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

  def wait_for_line(self, text):
    """Waits for the line at the bottom to hold `text`."""
    line = self.page.locator("#status")
    sync_api.expect(line).to_contain_text(text, timeout=PATIENCE)

  def wait_until_saved(self):
    line = self.page.locator("#status")
    sync_api.expect(line).not_to_have_text("Saving", timeout=PATIENCE)

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

  def press(self, key):
    self.page.keyboard.press(key)
    self.wait_until_saved()

  def wait_for_state(self, *tests):
    """Waits for the server's state to pass all tests."""
    ends = time.monotonic() + PATIENCE / 1000
    while not all(test(self.state()) for test in tests):
      assert time.monotonic() < ends, self.state()["job"]
      time.sleep(0.2)

  @staticmethod
  def job_has_ended(state):
    assert state["job"]["state"] in ("running", "done"), state["job"]
    return state["job"]["state"] == "done"

  def saved_mask(self, number):
    """A frame's mask in the archive that one downloads."""
    with zipfile.ZipFile(io.BytesIO(self.fetch("/api/download/masks.zip"))) as archive:
      data = archive.read(sorted(archive.namelist())[number])
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)

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


def test_a_stroke_marks_exactly_the_pixels_under_the_mouse(chromium, served, tmp_path):
  clip = clip_with_square(tmp_path / "clip.mkv")
  address = served("--video", clip, "--output", tmp_path / "out")
  viewport = {"width": 1111, "height": 777}
  for number, ratio in enumerate([1, 1.5, 2]):
    page = Page(chromium, address, device_scale_factor=ratio, viewport=viewport)
    page.wait_for("Frame 0 / 11")
    for _ in range(number):
      page.page.keyboard.press("ArrowRight")
    page.wait_for(f"Frame {number} / 11")
    page.use("brush", 5)
    page.drag((20.5, 30.5), (60.5, 30.5))
    painted = capsule((20.5, 30.5), (60.5, 30.5), 5)
    np.testing.assert_array_equal(page.layer("labels", number), painted)
    page.use("eraser", 4)
    page.drag((40, 20), (40, 50))
    painted &= ~capsule((40, 20), (40, 50), 4)
    np.testing.assert_array_equal(page.layer("labels", number), painted)
    # What lies under the mouse stays there when the wheel zooms.
    page.use("brush", 1)
    page.page.mouse.move(*page.place(80.5, 50.5))
    page.page.mouse.wheel(0, -300)
    page.page.mouse.down()
    page.page.mouse.up()
    page.wait_until_saved()
    painted[50, 80] = True
    np.testing.assert_array_equal(page.layer("labels", number), painted)
    assert not page.errors
    page.context.close()


def test_from_a_file_to_its_result(chromium, served, tmp_path):
  clip = clip_with_square(tmp_path / "clip.mkv")
  page = Page(chromium, served("--output", tmp_path / "out"))
  page.page.set_input_files("#file", clip)
  page.wait_for("Frame 0 / 11")
  marked = paint_and_take_back(page)
  propagate_and_lock(page)
  page.page.fill("#dilation", "2")
  page.wait_for_state(lambda state: state["dilation"] == 2)
  labels = page.layer("labels", 0)
  np.testing.assert_array_equal(labels, marked)
  cross = cv2.getStructuringElement(cv2.MORPH_CROSS, (5, 5))
  np.testing.assert_array_equal(page.saved_mask(0), 255 * cv2.dilate(labels, cross))
  page.page.click("#remove")
  page.wait_for_state(lambda state: state["result"], page.job_has_ended)
  compare(page)
  page.page.keyboard.press("Space")
  page.wait_for("Frame 5 / 11")
  page.page.keyboard.press("Space")
  sync_api.expect(page.page.locator("#play")).to_have_text("Play")
  with page.page.expect_download() as download:
    page.page.click("#result-mp4")
  with av.open(str(download.value.path())) as video:
    assert sum(1 for _ in video.decode(video=0)) == COUNT
  assert not page.errors


def paint_and_take_back(page):
  """Paints the square of frame 0 by a box; undo, redo; a hint. The mask."""
  x, y = square(0)
  page.use("box")
  page.drag((x + 0.5, y + 0.5), (x + SIDE - 0.5, y + SIDE - 0.5))
  marked = rectangle(x, y, SIDE, SIDE)
  np.testing.assert_array_equal(page.layer("labels", 0), marked)
  page.press("z")
  assert not page.layer("labels", 0).any()
  assert not page.state()["frames"][0]["painted"]
  page.press("y")
  np.testing.assert_array_equal(page.layer("labels", 0), marked)
  page.press("ArrowRight")
  page.wait_for("Frame 1 / 11")
  page.press("x")
  page.page.fill("#size", "6")
  page.drag((80, 10), (80, 50))
  hint = np.uint8(255) * capsule((80, 10), (80, 50), 6)
  np.testing.assert_array_equal(page.layer("strokes", 1), hint)
  assert not page.state()["frames"][1]["painted"]
  return marked


def propagate_and_lock(page):
  """Masks of all frames; the least sure one is locked and refuses the brush."""
  page.press("Enter")
  page.wait_for_line("proposed")
  for number in range(COUNT):
    truth = rectangle(*square(number), SIDE, SIDE)
    found = page.layer("labels", number) > 0
    assert (found & truth).sum() / (found | truth).sum() > 0.5, number
  least = page.state()["next_to_paint"]
  page.press("n")
  page.wait_for(f"Frame {least} / 11")
  page.press("l")
  page.wait_for("locked")
  before = page.layer("labels", least)
  page.use("brush", 9)
  page.drag((5, 5), (9, 5))
  np.testing.assert_array_equal(page.layer("labels", least), before)
  assert "locked" in page.page.text_content("#error-text")
  page.page.click("#error-close")


def compare(page):
  """The wipe shows the clip on its left and the result on its right."""
  view = page.page.locator("#view")
  page.page.keyboard.press("Home")
  page.wait_for("Frame 0 / 11")
  x, y = (edge + SIDE / 2 for edge in square(0))
  sync_api.expect(page.page.locator("#wipe")).to_be_visible()
  page.drag((WIDTH / 2, 5), (x, 5))
  page.page.mouse.move(1, 1)
  picture = cv2.imdecode(
    np.frombuffer(view.screenshot(), np.uint8), cv2.IMREAD_COLOR_RGB
  )
  box = view.bounding_box()

  def colour(at):
    px, py = page.place(at, y)
    return picture[round(py - box["y"]), round(px - box["x"])].astype(float)

  yellow = np.array([255, 230, 26])
  assert np.abs(colour(x - SIDE / 4) - yellow).max() < 40
  assert np.abs(colour(x + SIDE / 4) - yellow).max() > 60


def test_a_narrow_screen_is_painted_on_with_a_finger(chromium, served, tmp_path):
  clip = clip_with_square(tmp_path / "clip.mkv")
  page = Page(
    chromium,
    served("--video", clip, "--output", tmp_path / "out"),
    viewport={"width": 390, "height": 844},
    has_touch=True,
  )
  page.wait_for("Frame 0 / 11")
  assert page.page.evaluate("document.documentElement.scrollWidth") == 390
  page.page.fill("#size", "3")
  page.page.touchscreen.tap(*page.place(30.5, 40.5))
  page.wait_until_saved()
  np.testing.assert_array_equal(page.layer("labels", 0), rectangle(29, 39, 3, 3))
  page.page.tap("#help-button")
  assert page.page.locator("#help").is_visible()
  assert page.page.evaluate("document.documentElement.scrollWidth") == 390
  assert not page.errors
