"""Makes inception.npz: features of InceptionV3 by torchvision and by pytorch-fid.

    python -m tests.goldens.make_inception

Needs torchvision and pytorch-fid, whose blocks stand in torchvision's network as that
package puts them there. The file holds the shapes of all kernels, the features of both
versions, and no weights: they follow from the seed in its settings.
"""

import json
import platform
from pathlib import Path

import numpy as np

PATH = Path(__file__).with_name("inception.npz")
SETTINGS = {"seed": 0, "images": [2, 84, 91, 3], "classes": [1000, 1008]}


def random_tensors(shapes, *, seed, classes):
  """A state dict of float32 arrays through which the signal keeps its size.

  Args:
    shapes: `{layer: [O, I, h, w]}`.
    seed: of the draw.
    classes: of the last layer, of which only the bias is there.
  """
  generator = np.random.default_rng(seed)
  tensors = {"fc.bias": np.zeros(classes, np.float32)}
  for name, shape in shapes.items():
    kernel = generator.standard_normal(shape, np.float32)
    tensors[f"{name}.conv.weight"] = kernel * np.float32(2 / np.prod(shape[1:])) ** 0.5
    for part, low, high in (
      ("weight", 0.8, 1.2),
      ("bias", -0.2, 0.2),
      ("running_mean", -0.2, 0.2),
      ("running_var", 0.5, 1.5),
    ):
      values = generator.uniform(low, high, shape[0])
      tensors[f"{name}.bn.{part}"] = values.astype(np.float32)
  return tensors


def random_images(shape, *, seed):
  """`[N, H, W, 3]` float32 in [-1, 1]: noise of several sizes."""
  generator = np.random.default_rng(seed + 1)
  images = generator.uniform(-0.5, 0.5, shape)
  coarse = generator.uniform(-0.5, 0.5, (shape[0], 4, 4, shape[3]))
  rows, columns = (np.arange(side) * 4 // side for side in shape[1:3])
  return np.float32(images + coarse[:, rows][:, :, columns])


def build(classes):
  """The network with so many classes: torchvision's, or that of pytorch-fid."""
  from pytorch_fid import inception as fid
  from torchvision.models.inception import Inception3

  model = Inception3(num_classes=classes, aux_logits=False, init_weights=False)
  if classes == 1008:
    model.Mixed_5b = fid.FIDInceptionA(192, pool_features=32)
    model.Mixed_5c = fid.FIDInceptionA(256, pool_features=64)
    model.Mixed_5d = fid.FIDInceptionA(288, pool_features=64)
    for name, channels in (("6b", 128), ("6c", 160), ("6d", 160), ("6e", 192)):
      setattr(model, f"Mixed_{name}", fid.FIDInceptionC(768, channels_7x7=channels))
    model.Mixed_7b = fid.FIDInceptionE_1(1280)
    model.Mixed_7c = fid.FIDInceptionE_2(2048)
  return model.double().eval()


def main() -> None:
  """Computes the features in float64 and writes them, rounded to float32."""
  import torch
  import torchvision

  seed, arrays = SETTINGS["seed"], {}
  images = torch.from_numpy(random_images(SETTINGS["images"], seed=seed))
  for classes in SETTINGS["classes"]:
    model = build(classes)
    shapes = {
      name.removesuffix(".conv.weight"): list(value.shape)
      for name, value in model.state_dict().items()
      if name.endswith(".conv.weight")
    }
    tensors = random_tensors(shapes, seed=seed, classes=classes)
    states = {name: torch.from_numpy(value) for name, value in tensors.items()}
    missing, unknown = model.load_state_dict(states, strict=False)
    assert (missing, unknown) == (["fc.weight"], []), (missing, unknown)
    kept = []
    model.avgpool.register_forward_hook(lambda *call, kept=kept: kept.append(call[-1]))
    with torch.no_grad():
      model(images.double().permute(0, 3, 1, 2))
    features = kept[0].flatten(1).numpy()
    arrays[f"features_{classes}"] = features.astype(np.float32)
    print(classes, features.shape, "mean", features.mean(), "largest", features.max())
  provenance = {
    **SETTINGS,
    "shapes": shapes,
    "computed_in": "float64 on the CPU",
    "torch": torch.__version__,
    "torchvision": torchvision.__version__,
    "pytorch-fid": "0.3.0",
    "numpy": np.__version__,
    "python": platform.python_version(),
  }
  np.savez_compressed(PATH, provenance=json.dumps(provenance), **arrays)
  print(PATH.name, PATH.stat().st_size, "bytes")


if __name__ == "__main__":
  main()
