"""PyTorch's updates, and how ours are compared with them."""

import torch

from benchmarks.pytorch import train as reference
from benchmarks.pytorch.convert import has_no_gradient, to_torch
from benchmarks.pytorch.vgg import VGG16Features
from tests.parity import parity_goldens as goldens
from tests.parity import parity_torch

LEVELS, UPDATES, LEARNING_RATE = (
  goldens.SETTINGS["training"][key] for key in ("levels", "updates", "learning_rate")
)


def make_trainer(params, losses, *, dtype=torch.float64, variant="repaired"):
  """PyTorch's trainer of a network with given Flax parameters."""
  vgg = None
  if losses == "all":
    vgg = VGG16Features(dtype=dtype, to_the_end=variant == "authors")
  return reference.Trainer(
    parity_torch.make_model(params, levels=LEVELS, out_channels=15),
    variant=variant,
    losses=losses,
    vgg=vgg,
    learning_rate=LEARNING_RATE,
  )


def golden_trainer():
  """The trainer and the batch of the goldens, in float64."""
  scene, params = goldens.training_inputs(goldens.SETTINGS)
  batch = parity_torch.make_batch(scene, **goldens.SETTINGS["batch"])
  return make_trainer(params, "all"), batch


def compare_updates(compare, metrics, params, trainer, batch):
  """Trains PyTorch's network; compares each update's losses and the last parameters."""
  expected = trainer.fit_batch(batch, UPDATES).numpy()
  for name, column in zip(trainer.names, expected.T, strict=True):
    for update, value in enumerate(column):
      compare(f"{name} at update {update}", metrics[name][update], value, 1e-8)
  params = to_torch(params, levels=LEVELS)
  for name, value in trainer.model.named_parameters():
    if not has_no_gradient(name):
      compare(name, params[name].numpy(), value.detach().numpy(), 1e-8)
  assert expected[-1, 0] < 0.95 * expected[0, 0], "nothing was learnt"
