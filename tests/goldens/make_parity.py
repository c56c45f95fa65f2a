"""Computes `parity.npz` with PyTorch, for machines that have none.

    python -m tests.goldens.make_parity

The file holds outputs in float64, and as text the settings (seeds and sizes, from
which the inputs are drawn anew) and the versions that computed it.
"""

import json
import platform

import numpy as np
import torch

from benchmarks.pytorch import losses, train, vgg
from benchmarks.pytorch.convert import has_no_gradient, names, to_flax
from benchmarks.pytorch.generator import generate
from tests.parity import parity_goldens as goldens
from tests.parity import parity_torch


def network_goldens(name: str) -> dict[str, np.ndarray]:
  """Outputs, and digests of the gradients, of a generator."""
  sizes, params, noise, cotangent = goldens.network_inputs(goldens.SETTINGS[name])
  model = parity_torch.make_model(params, **sizes)
  raw = generate(model, parity_torch.to_tensor(noise))
  outputs = torch.cat([torch.sigmoid(raw[:, :3]), raw[:, 3:]], dim=1)
  (outputs * parity_torch.to_tensor(cotangent)).sum().backward()
  arrays = {f"{name}/outputs": parity_torch.to_array(outputs)}
  gradients = {key: value.grad for key, value in model.named_parameters()}
  return arrays | digests(f"{name}/gradient", gradients, levels=sizes["levels"])


def digests(
  prefix: str, tensors: dict[str, torch.Tensor], *, levels: int
) -> dict[str, np.ndarray]:
  """Digests of parameters or gradients, in Flax's layout and by Flax's names."""
  tree = to_flax(tensors, levels=levels)
  arrays = {}
  for name, path, _ in names(levels):
    if not has_no_gradient(name):
      value = tree
      for key in path:
        value = value[key]
      arrays["/".join((prefix, *path))] = goldens.digest(value)
  return arrays


def warp_goldens() -> dict[str, np.ndarray]:
  """The warp and where it stays in bounds."""
  tensors = map(parity_torch.to_tensor, goldens.warp_inputs(goldens.SETTINGS["warp"]))
  warped, in_bounds = losses.warp(*tensors)
  return {
    "warp/warped": parity_torch.to_array(warped),
    "warp/in_bounds": parity_torch.to_array(in_bounds).astype(bool),
  }


@torch.no_grad()
def vgg_goldens() -> dict[str, np.ndarray]:
  """Some of the features for both input conventions, and the perceptual masks."""
  settings = goldens.SETTINGS["vgg"]
  images, hole = map(parity_torch.to_tensor, goldens.vgg_inputs(settings))
  arrays = {}
  for convention in ("authors", "imagenet"):
    network = vgg.VGG16Features(convention=convention, dtype=torch.float64)
    for index, feature in enumerate(network(images)):
      values = goldens.thin(parity_torch.to_array(feature), settings["every"])
      arrays[f"vgg/{convention}/{index}"] = values
  for index, mask in enumerate(vgg.feature_hole_masks(hole)):
    arrays[f"vgg/mask/{index}"] = parity_torch.to_array(mask).astype(bool)
  return arrays


def training_goldens() -> dict[str, np.ndarray]:
  """Masks of a batch, the losses of 20 updates on it, the parameters after them."""
  settings = goldens.SETTINGS["training"]
  scene, params = goldens.training_inputs(goldens.SETTINGS)
  batch = parity_torch.make_batch(scene, **goldens.SETTINGS["batch"])
  trainer = train.Trainer(
    parity_torch.make_model(params, levels=settings["levels"], out_channels=15),
    losses="all",
    vgg=vgg.VGG16Features(dtype=torch.float64),
    learning_rate=settings["learning_rate"],
  )
  history = trainer.fit_batch(batch, settings["updates"]).numpy()
  arrays = {
    "training/visible": parity_torch.to_array(batch.visible).astype(bool),
    "training/hole_flow": parity_torch.to_array(batch.hole_flow).astype(bool),
  }
  for name, column in zip(trainer.names, history.T, strict=True):
    arrays[f"training/loss/{name}"] = column
  params = dict(trainer.model.named_parameters())
  return arrays | digests("training/params", params, levels=settings["levels"])


def main() -> None:
  """Writes the file."""
  versions = {
    "python": platform.python_version(),
    "numpy": np.__version__,
    "torch": torch.__version__,
    "dtype": "float64",
  }
  text = json.dumps({**goldens.SETTINGS, "made_with": versions})
  np.savez_compressed(
    goldens.PATH,
    settings=np.array(text),
    **network_goldens("generator"),
    **network_goldens("volume"),
    **warp_goldens(),
    **vgg_goldens(),
    **training_goldens(),
  )
  print(f"{goldens.PATH}: {goldens.PATH.stat().st_size} bytes, {versions}")


if __name__ == "__main__":
  main()
