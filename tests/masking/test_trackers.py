"""Trackers outside of this package: stand-ins that answer, fail, hang; the drivers."""

import os
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from dipvid_jax.errors import InputError
from dipvid_jax.masking.trackers.track import Tracker, find_tracker, track_masks
from tests.support.examples import code_of
from tests.support.heeded_ctrl_c import heeded_ctrl_c  # noqa: F401

_FRAMES = np.random.default_rng(0).integers(0, 256, (4, 16, 24, 3), np.uint8)
_PAINTED = {1: np.zeros((16, 24), np.uint8), 3: np.zeros((16, 24), np.uint8)}
_PAINTED[1][2:6, 3:9] = 2
_PAINTED[3][8:12, 10:20] = 5

# Moves the painted objects one pixel a frame, and checks that frames arrive unchanged.
_GOOD = """
import json, pathlib, shutil, sys
from PIL import Image
print("a library says hello")
print(json.dumps({"version": 1}), flush=True)
folder = pathlib.Path(sys.argv[1])
request = json.loads((folder / "request.json").read_text())
assert request["objects"] == [2, 5] and request["painted"] == [1, 3]
assert request["height"] == 16 and request["width"] == 24, request
(folder / "labels").mkdir()
for number in range(request["frames"]):
  frame = Image.open(folder / f"frames/{number:05d}.png")
  labels = Image.new("L", frame.size)
  labels.putpixel((number, frame.getpixel((0, 0))[0] % 16), 5)
  labels.save(folder / f"labels/{number:05d}.png")
  print(json.dumps({"done": 1}), flush=True)
(folder / "confidence.json").write_text("[0.5, 0.2, 0.25, 0]")
"""


def script(tmp_path, text):
  path = tmp_path / "tracker.py"
  path.write_text(textwrap.dedent(text))
  return find_tracker(str(path))


def test_a_tracker_gets_frames_and_gives_labels(tmp_path):
  done = []
  tracker = script(tmp_path, _GOOD)
  found = track_masks(_FRAMES, _PAINTED, tracker, on_progress=done.append)
  assert sum(done) == 4
  for number in (1, 3):
    assert (found.labels[number] == _PAINTED[number]).all()
  for number in (0, 2):
    row = _FRAMES[number, 0, 0, 0] % 16
    assert found.labels[number, row, number] == 5 and found.labels[number].sum() == 5
  assert found.confidence.tolist() == [0.5, 1, 0.25, 1]


def test_the_documented_tracker_repeats_the_nearest_painted_frame(tmp_path):
  tracker = script(tmp_path, code_of("docs/trackers.md", "nearest"))
  found = track_masks(_FRAMES, _PAINTED, tracker)
  expected = [_PAINTED[1], _PAINTED[1], _PAINTED[1], _PAINTED[3]]
  assert (found.labels == expected).all() and found.confidence is None


_VERSION = "import pathlib, sys\nprint('{\"version\": 1}', flush=True)\n"
BAD = {
  "crash": (
    _VERSION + "raise RuntimeError('out of memory')",
    "code 1: RuntimeError: o",
  ),
  "killed": (_VERSION + "import os; os.kill(os.getpid(), 9)", "signal SIGKILL"),
  "error": ('print(\'{"error": "no\\\\nmodel"}\')', "no model"),
  "version": ("print('{\"version\": 7}', flush=True)\nwhile True: pass", "version 7"),
  "no tracker": ("print('hello')", "without its first line"),
  "no frames": (_VERSION, "labels/00000.png is missing"),
  "size": (_GOOD.replace("frame.size", "(32, 24)"), "is 24x32, the frames are 16x24"),
  "colour": (
    _GOOD.replace('"L", ', '"RGB", ').replace(", 5)", ", (1, 2, 3))"),
    "colour",
  ),
  "number": (_GOOD.replace(", 5)", ", 7)"), "the number 7, which no painted"),
  "no image": (_GOOD + "(folder / 'labels/00002.png').write_text('x')", "00002.png"),
  "confidence": (_GOOD.replace("[0.5,", "[1.5,"), "4 numbers from 0 to 1"),
  "no numbers": (_GOOD.replace("[0.5,", "{0.5,"), "4 numbers from 0 to 1"),
}


@pytest.mark.parametrize(("text", "words"), BAD.values(), ids=BAD)
def test_what_goes_wrong_is_one_line(tmp_path, text, words):
  with pytest.raises(InputError, match=words) as caught:
    track_masks(_FRAMES, _PAINTED, script(tmp_path, text))
  assert "\n" not in str(caught.value)
  assert str(caught.value).startswith("--tracker ") or "00002" in words


def test_what_is_missing_is_said_before_the_work(tmp_path):
  weights = tmp_path / "weights.pt"
  weights.write_bytes(b"w")
  own = tmp_path / "own.py"
  own.write_text("")
  for arguments, words in (
    ({"tracker": "sam2"}, "--weights FILE and --tracker-python"),
    ({"tracker": "cutie", "weights": weights}, "--tracker-python"),
    ({"tracker": "sam3"}, "no such file; give sam2, cutie or"),
    ({"tracker": str(own), "weights": tmp_path / "no.pt"}, "no.pt: No such file"),
    ({"tracker": str(weights), "python": "python3"}, "is no .py file"),
  ):
    with pytest.raises(InputError, match=words):
      find_tracker(**arguments)
  nowhere = find_tracker("sam2", weights=weights, python="/no/such/python")
  with pytest.raises(InputError, match="/no/such/python: No such file or directory"):
    track_masks(_FRAMES, _PAINTED, nowhere)
  with pytest.raises(InputError, match="no painted frame has an object"):
    track_masks(_FRAMES, {0: np.zeros((16, 24), np.uint8)}, nowhere)


_HANGING = """
import os, pathlib, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_DFL)
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
(pathlib.Path(__file__).parent / "pids").write_text(f"{os.getpid()} {child.pid}")
time.sleep(600)
"""
_CALLER = """
import sys, numpy as np
from dipvid_jax.masking.trackers.track import find_tracker, track_masks
painted = {0: np.ones((8, 8), np.uint8)}
try:
  track_masks(np.zeros((2, 8, 8, 3), np.uint8), painted, find_tracker(sys.argv[1]))
except KeyboardInterrupt:
  print("interrupted")
"""


def test_an_interruption_leaves_no_process_and_no_file(tmp_path):
  (tmp_path / "hanging.py").write_text(_HANGING)
  pids = tmp_path / "pids"
  places = tmp_path / "temporary"
  places.mkdir()
  caller = subprocess.Popen(
    [sys.executable, "-c", _CALLER, str(tmp_path / "hanging.py")],
    cwd=Path(__file__).parents[2],
    env=os.environ | {"TMPDIR": str(places)},
    stdout=subprocess.PIPE,
    text=True,
  )
  deadline = time.monotonic() + 60
  while not (pids.exists() and pids.read_text()) and time.monotonic() < deadline:
    time.sleep(0.05)
  killer = threading.Timer(60, caller.kill)
  killer.start()
  caller.send_signal(2)
  said, _ = caller.communicate()
  killer.cancel()
  assert said == "interrupted\n" and not any(places.iterdir())
  for pid in map(int, pids.read_text().split()):
    assert not is_running(pid)


def is_running(pid):
  """Whether a process is there and no mere entry for whoever has not fetched it."""
  try:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
  except FileNotFoundError:
    return False


# `torch` as far as the drivers use it, on NumPy.
_TORCH = """
import contextlib
import numpy as np
bfloat16 = float16 = None
class Tensor:
  def __init__(self, a): self.a = np.asarray(a)
  def permute(self, *order): return Tensor(self.a.transpose(order))
  def to(self, device): assert device == "cpu"; return self
  def float(self): return Tensor(self.a.astype(np.float32))
  def cpu(self): return self
  def numpy(self): return self.a
  def __truediv__(self, x): return Tensor(self.a / x)
  def __getitem__(self, key): return Tensor(self.a[key])
class cuda:
  is_available = staticmethod(lambda: False)
def from_numpy(a): return Tensor(a)
def as_tensor(t): return t
def sigmoid(t): return Tensor(1 / (1 + np.exp(-t.a)))
def load(path, map_location): return open(path).read()
inference_mode = contextlib.nullcontext
def autocast(device, kind, enabled): return contextlib.nullcontext()
"""
# A SAM 2 of the documented interface: an object stays where it was last given.
_SAM2 = """
import os
import numpy as np
from PIL import Image
from torch import Tensor
def build_sam2_video_predictor(config_file, ckpt_path, device):
  assert config_file.endswith("sam2.1_hiera_t.yaml"), config_file
  assert open(ckpt_path).read() == "weights"
  return Predictor()
class Predictor:
  def init_state(self, video_path, offload_video_to_cpu):
    names = sorted(os.listdir(video_path))
    assert names == [f"{n:05d}.jpg" for n in range(len(names))]
    Image.open(os.path.join(video_path, names[0])).verify()
    return {"count": len(names), "masks": {}}
  def add_new_mask(self, inference_state, frame_idx, obj_id, mask):
    assert mask.dtype == bool and mask.ndim == 2
    inference_state["masks"][frame_idx, obj_id] = mask
  def propagate_in_video(self, inference_state, start_frame_idx, reverse):
    masks, count = inference_state["masks"], inference_state["count"]
    ids = sorted({k for _, k in masks}, reverse=True)
    frames = range(start_frame_idx, count)
    if reverse:
      frames = range(start_frame_idx, -1, -1)
    current = {}
    for number in frames:
      current.update({k: masks[number, k] for k in ids if (number, k) in masks})
      logits = np.stack([np.where(current[k], 4.0, -4.0) for k in ids])[:, None]
      yield number, ids, Tensor(logits)
"""
_INFERENCE_CORE = """
import numpy as np
from torch import Tensor
class InferenceCore:
  def __init__(self, network, cfg):
    assert network.weights == "weights" and cfg["mem_every"] == 5
    self.kept = 0
    self.current = None
  def clear_non_permanent_memory(self):
    self.current = None
  def step(self, image, mask=None, objects=None, *, force_permanent=False):
    assert image.a.shape == (3, 16, 24) and image.a.max() <= 1
    if mask is not None:
      self.current = np.stack([mask.a == k for k in objects]).astype(np.float32)
      self.kept += force_permanent
    assert self.kept == 2 or force_permanent
    rest = 1 - self.current.sum(axis=0, keepdims=True)
    return Tensor(np.concatenate([rest, self.current]))
"""
_CUTIE = """
class CUTIE:
  def __init__(self, cfg): assert cfg["weights"].endswith("tiny.pt")
  def to(self, device): return self
  def eval(self): return self
  def load_weights(self, weights): self.weights = weights
"""
_HYDRA = """
import contextlib, os
def initialize_config_dir(config_dir, version_base):
  assert os.path.isfile(os.path.join(config_dir, "eval_config.yaml"))
  return contextlib.nullcontext()
def compose(config_name):
  assert config_name == "eval_config"
  return {"mem_every": None, "datasets": {"generic": {"mem_every": 5}}}
"""
_FAKES = {
  "torch.py": _TORCH,
  "sam2/__init__.py": "",
  "sam2/build_sam.py": _SAM2,
  "cutie/__init__.py": "",
  "cutie/config/eval_config.yaml": "",
  "cutie/inference/__init__.py": "",
  "cutie/inference/inference_core.py": _INFERENCE_CORE,
  "cutie/model/__init__.py": "",
  "cutie/model/cutie.py": _CUTIE,
  "hydra.py": _HYDRA,
  "omegaconf.py": "import contextlib\nopen_dict = contextlib.nullcontext",
}


@pytest.fixture
def packages(tmp_path, monkeypatch):
  """Fake packages of the documented interfaces, which a driver finds first."""
  for name, text in _FAKES.items():
    path = tmp_path / "packages" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
  monkeypatch.setenv("PYTHONPATH", str(tmp_path / "packages"))
  (tmp_path / "sam2.1_hiera_tiny.pt").write_text("weights")
  return tmp_path / "packages"


def shipped(kind, packages, **arguments) -> Tracker:
  weights = packages.parent / "sam2.1_hiera_tiny.pt"
  return find_tracker(kind, weights=weights, python=sys.executable, **arguments)


@pytest.mark.parametrize("kind", ["sam2", "cutie"])
def test_the_drivers_speak_the_documented_interfaces(packages, kind):
  done = []
  found = track_masks(
    _FRAMES, _PAINTED, shipped(kind, packages), on_progress=done.append
  )
  expected = np.stack([_PAINTED[1], _PAINTED[1], _PAINTED[1], _PAINTED[3]])
  assert (found.labels == expected).all()
  assert sum(done) == 4 and (found.confidence > 0.9).all()


def test_what_a_driver_lacks_is_said_in_one_line(packages):
  (packages / "sam2/build_sam.py").unlink()
  with pytest.raises(InputError, match=r"no module sam2.build_sam; SAM 2 is installed"):
    track_masks(_FRAMES, _PAINTED, shipped("sam2", packages))
  (packages.parent / "mine.pt").write_text("weights")
  mine = shipped("sam2", packages)._replace(weights=packages.parent / "mine.pt")
  with pytest.raises(InputError, match="give --tracker-config"):
    track_masks(_FRAMES, _PAINTED, mine)
  (packages / "hydra.py").write_text("raise ValueError('no\\nhydra')")
  with pytest.raises(InputError, match="ValueError: no hydra"):
    track_masks(_FRAMES, _PAINTED, shipped("cutie", packages))
