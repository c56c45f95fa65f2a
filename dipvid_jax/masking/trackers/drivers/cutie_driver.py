"""Runs Cutie on an exchange folder: `PYTHON cutie_driver.py FOLDER`.

Written from the public interface of `cutie` (hkchengrex/Cutie): `CUTIE`, its
evaluation configuration, and `InferenceCore.step` with permanent memory.
"""

import importlib.util
import pathlib

import numpy as np
from tracker_exchange import Exchange, TrackerError, run

_INSTALL = "pip install git+https://github.com/hkchengrex/Cutie"


def track(exchange: Exchange) -> None:
  """Memorises every painted frame for good, then goes both ways from the first."""
  import torch
  from cutie.inference.inference_core import InferenceCore

  device = "cuda" if torch.cuda.is_available() else "cpu"
  network, settings = _load(exchange, device)
  with (
    torch.inference_mode(),
    torch.autocast(device, torch.float16, enabled=device == "cuda"),
  ):
    core = InferenceCore(network, cfg=settings)
    for number in exchange.painted:
      _step(core, exchange, number, device, force_permanent=True)
    first = exchange.painted[0]
    for numbers in (range(first, exchange.frame_count), range(first, -1, -1)):
      core.clear_non_permanent_memory()
      for number in numbers:
        found = _step(core, exchange, number, device)
        if number != first or numbers.step > 0:
          exchange.write(number, found)


def _load(exchange: Exchange, device: str) -> tuple:
  """The network with the user's weights, and its settings."""
  import torch
  from cutie.model.cutie import CUTIE
  from hydra import compose, initialize_config_dir
  from omegaconf import open_dict

  found = importlib.util.find_spec("cutie")
  if found is None or not found.submodule_search_locations:
    raise TrackerError("the package cutie has no folder")
  folder = pathlib.Path(next(iter(found.submodule_search_locations))) / "config"
  with initialize_config_dir(config_dir=str(folder), version_base="1.3.2"):
    settings = compose(config_name=exchange.config or "eval_config")
  with open_dict(settings):
    settings["weights"] = exchange.weights
    for key, value in settings["datasets"]["generic"].items():
      if settings.get(key) is None:
        settings[key] = value
  network = CUTIE(settings).to(device).eval()
  network.load_weights(torch.load(exchange.weights, map_location=device))
  return network, settings


def _step(
  core: object, exchange: Exchange, number: int, device: str, **flags: bool
) -> np.ndarray:
  """One frame through Cutie; `[objects, H, W]` float32 probabilities."""
  import torch

  frame = torch.from_numpy(exchange.frame(number)).permute(2, 0, 1)
  arguments: dict = {"image": frame.to(device).float() / 255, **flags}
  if number in exchange.painted:
    arguments["mask"] = torch.from_numpy(exchange.labels(number)).to(device)
    arguments["objects"] = exchange.objects
  return core.step(**arguments)[1:].float().cpu().numpy()  # type: ignore[attr-defined]


if __name__ == "__main__":
  run(track, package="Cutie", install=_INSTALL)
