"""What the goldens hold, and the inputs that belong to them, in NumPy.

`tests.goldens.make_parity` computes the numbers with PyTorch and writes these
settings beside them; the tests read the settings back from the file.
"""

import json
import pathlib

import numpy as np

from tests.parity.parity_scene import Scene, make_params, make_scene

PATH = pathlib.Path(__file__).parents[1] / "goldens" / "parity.npz"
SETTINGS = {
  "generator": {
    "seed": 5,
    "levels": 2,
    "out_channels": 15,
    "ndim": 2,
    "size": [3, 12, 16],
  },
  "volume": {"seed": 6, "levels": 2, "out_channels": 3, "ndim": 3, "size": [3, 12, 12]},
  "warp": {"seed": 7, "size": [2, 12, 16]},
  "vgg": {"seed": 8, "size": [2, 12, 16], "every": 23},
  "scene": {"seed": 9, "length": 11, "height": 12, "width": 16},
  "batch": {"start": 0, "stride": 3, "forward": False, "size": 3},
  "training": {"seed": 10, "levels": 2, "updates": 20, "learning_rate": 0.01},
}


def load() -> tuple[dict[str, np.ndarray], dict]:
  """The golden arrays and the settings they were made with."""
  with np.load(PATH, allow_pickle=False) as file:
    arrays = dict(file)
  return arrays, json.loads(str(arrays.pop("settings")))


def network_inputs(settings: dict) -> tuple[dict, dict, np.ndarray, np.ndarray]:
  """`(sizes, params, noise [N, H, W, 1], cotangent [N, H, W, C])`, float64."""
  sizes = {key: settings[key] for key in ("levels", "out_channels", "ndim")}
  draw = np.random.RandomState(settings["seed"] + 100)
  noise = draw.uniform(0, 0.1, size=(*settings["size"], 1))
  cotangent = draw.normal(size=(*settings["size"], sizes["out_channels"]))
  return sizes, make_params(settings["seed"], **sizes), noise, cotangent


def warp_inputs(settings: dict) -> tuple[np.ndarray, np.ndarray]:
  """`(image [N, H, W, 3], flow [N, H, W, 2])`, float64."""
  draw = np.random.RandomState(settings["seed"])
  size = tuple(settings["size"])
  return draw.normal(size=(*size, 3)), draw.uniform(-4, 4, size=(*size, 2))


def vgg_inputs(settings: dict) -> tuple[np.ndarray, np.ndarray]:
  """`(images [N, H, W, 3], hole_mask [N, H, W, 1])`, float64."""
  draw = np.random.RandomState(settings["seed"])
  size = tuple(settings["size"])
  hole_mask = (draw.uniform(size=(*size, 1)) < 0.01).astype(float)
  return draw.uniform(size=(*size, 3)), hole_mask


def training_inputs(settings: dict) -> tuple[Scene, dict]:
  """The clip and the first parameters, float64."""
  training = settings["training"]
  params = make_params(training["seed"], levels=training["levels"], out_channels=15)
  return make_scene(**settings["scene"]), params


def digest(array: np.ndarray) -> np.ndarray:
  """Two numbers that a changed array does not keep: a random projection, the norm."""
  values = np.asarray(array, np.float64).ravel()
  direction = np.random.RandomState(values.size % 1000).normal(size=values.size)
  return np.array([values @ direction, np.linalg.norm(values)])


def thin(array: np.ndarray, every: int) -> np.ndarray:
  """Every n-th number."""
  return np.asarray(array).ravel()[::every]
