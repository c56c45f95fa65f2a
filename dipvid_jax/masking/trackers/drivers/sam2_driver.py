"""Runs SAM 2 on an exchange folder: `PYTHON sam2_driver.py FOLDER`.

Written from the public interface of `sam2` (SAM 2.1, facebookresearch/sam2):
`build_sam2_video_predictor`, `init_state`, `add_new_mask`, `propagate_in_video`.
"""

import pathlib

import numpy as np
from PIL import Image
from tracker_exchange import Exchange, TrackerError, run

_INSTALL = "pip install git+https://github.com/facebookresearch/sam2"
# The configuration that belongs to a checkpoint of the usual name.
_CONFIGS = {
  "sam2.1_hiera_tiny": "configs/sam2.1/sam2.1_hiera_t.yaml",
  "sam2.1_hiera_small": "configs/sam2.1/sam2.1_hiera_s.yaml",
  "sam2.1_hiera_base_plus": "configs/sam2.1/sam2.1_hiera_b+.yaml",
  "sam2.1_hiera_large": "configs/sam2.1/sam2.1_hiera_l.yaml",
  "sam2_hiera_tiny": "configs/sam2/sam2_hiera_t.yaml",
  "sam2_hiera_small": "configs/sam2/sam2_hiera_s.yaml",
  "sam2_hiera_base_plus": "configs/sam2/sam2_hiera_b+.yaml",
  "sam2_hiera_large": "configs/sam2/sam2_hiera_l.yaml",
}


def track(exchange: Exchange) -> None:
  """Gives SAM 2 every painted frame, then follows the objects both ways."""
  config = exchange.config or _CONFIGS.get(pathlib.Path(exchange.weights).stem)
  if not config:
    raise TrackerError(
      "cannot tell the configuration from the name of the weights; give"
      " --tracker-config configs/sam2.1/sam2.1_hiera_l.yaml or the like"
    )
  import torch
  from sam2.build_sam import build_sam2_video_predictor

  device = "cuda" if torch.cuda.is_available() else "cpu"
  predictor = build_sam2_video_predictor(config, exchange.weights, device=device)
  with (
    torch.inference_mode(),
    torch.autocast(device, torch.bfloat16, enabled=device == "cuda"),
  ):
    state = predictor.init_state(
      video_path=str(_write_jpegs(exchange)), offload_video_to_cpu=True
    )
    for number in exchange.painted:
      labels = exchange.labels(number)
      for k in exchange.objects:
        predictor.add_new_mask(state, frame_idx=number, obj_id=k, mask=labels == k)
    first, seen = exchange.painted[0], set()
    for reverse in (False, True):
      for number, found, logits in predictor.propagate_in_video(
        state, start_frame_idx=first, reverse=reverse
      ):
        if number not in seen:
          seen.add(number)
          exchange.write(number, _probabilities(exchange, list(found), logits))


def _write_jpegs(exchange: Exchange) -> pathlib.Path:
  """SAM 2 reads a folder of JPEGs whose names are numbers."""
  folder = exchange.folder / "jpegs"
  folder.mkdir()
  for number in range(exchange.frame_count):
    image = Image.fromarray(exchange.frame(number))
    image.save(folder / f"{number:05d}.jpg", quality=97, subsampling=0)
  return folder


def _probabilities(exchange: Exchange, found: list, logits: object) -> np.ndarray:
  """`[objects, H, W]` from SAM 2's `[found, 1, H, W]`, in the request's order."""
  import torch

  values = torch.sigmoid(torch.as_tensor(logits).float()).cpu().numpy()[:, 0]
  return values[[found.index(k) for k in exchange.objects]]


if __name__ == "__main__":
  run(track, package="SAM 2", install=_INSTALL)
