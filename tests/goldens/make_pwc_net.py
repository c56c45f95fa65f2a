"""Makes pwc_net.npz: flows of the PyTorch rendering of PWC-Net on random input.

    python -m tests.goldens.make_pwc_net

The file holds no weights and no frames: both follow from the seeds in its settings
(`benchmarks.pytorch.pwc_names`), and checksums say whether they still do. Flows are
kept at every third row and column: the network's own grid has every fourth.
"""

import json
import platform
import zlib
from pathlib import Path

import numpy as np

from benchmarks.pytorch import pwc_names

PATH = Path(__file__).with_name("pwc_net.npz")
SETTINGS = {
  "weights_seed": 0,
  "frames_seed": 1,
  "shapes": [[2, 128, 192], [1, 70, 100]],  # the second is no multiple of 64
  "step": 3,
}


def checksum(*arrays: np.ndarray) -> int:
  """CRC-32 of arrays' bytes, one after another."""
  value = 0
  for array in arrays:
    value = zlib.crc32(np.ascontiguousarray(array).tobytes(), value)
  return value


def main() -> None:
  """Computes the flows in float64 and writes them, rounded to float32."""
  import torch  # here, so that tests without PyTorch can import this module

  from benchmarks.pytorch import pwc_net

  weights = pwc_names.random_weights(SETTINGS["weights_seed"])
  model = pwc_net.PWCNet().load_weights(weights).double()
  arrays, frames_checksums = {}, []
  for index, shape in enumerate(SETTINGS["shapes"]):
    pair = pwc_names.random_pair(SETTINGS["frames_seed"], *shape)
    frames_checksums.append(checksum(*pair))
    first, second = (torch.from_numpy(x).double().permute(0, 3, 1, 2) for x in pair)
    with torch.no_grad():
      flow = model(first, second).permute(0, 2, 3, 1).numpy()
    step = SETTINGS["step"]
    arrays[f"flow_{index}"] = flow[:, ::step, ::step].astype(np.float32)
    print(shape, "mean |flow|", np.abs(flow).mean(), "largest", np.abs(flow).max())
  provenance = {
    **SETTINGS,
    "computed_in": "float64 on the CPU",
    "weights_checksum": checksum(*weights.values()),
    "frames_checksums": frames_checksums,
    "torch": torch.__version__,
    "numpy": np.__version__,
    "python": platform.python_version(),
  }
  np.savez_compressed(PATH, provenance=json.dumps(provenance), **arrays)
  print(PATH.name, PATH.stat().st_size, "bytes")


if __name__ == "__main__":
  main()
