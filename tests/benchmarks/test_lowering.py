"""What a GPU would be asked to do in an update, read from the lowering for CUDA."""

import functools

import pytest

from benchmarks.lowering import lower_updates
from dipvid_jax import load_config

COUNT, SIZE = 14, (12, 16)
# With one level: three convolutions (5x5, 5x5, 3x3, the last in two parts), each with
# its kernel's gradient, all but the first with its input's; VGG16's seven, twice, and
# their gradients for the images. 1x1 convolutions are products of matrices.
CONVOLUTIONS = {"flow": 11 + 21, "fast": 11, "vid3d": 11, "dip": 11}
# Frames, noise and holes of a batch; three arrays of known flow; four taps of a warp.
GATHERS = {"flow": 3 + 3 + 4, "fast": 3, "vid3d": 3, "dip": 3}


@functools.cache
def lowered(recipe):
  config = load_config(recipe, levels=1)
  return lower_updates(config, frame_count=COUNT, size=SIZE)


@pytest.fixture(params=CONVOLUTIONS)
def recipe(request):
  return request.param


def test_operations_are_those_of_the_method(recipe):
  operations = lowered(recipe).operations
  assert operations["convolution"] == CONVOLUTIONS[recipe]
  assert operations["gather"] == GATHERS[recipe]
  assert operations["sort"] == 0
  assert operations["while"] == (1 if recipe == "dip" else 2)


def test_only_the_gradient_of_the_warp_is_a_scatter(recipe):
  assert lowered(recipe).operations["scatter"] == (4 if recipe == "flow" else 0)


def test_a_deterministic_run_has_no_scatter(monkeypatch):
  monkeypatch.setenv("XLA_FLAGS", "--xla_gpu_deterministic_ops=true")
  operations = lowered.__wrapped__("flow").operations
  assert (operations["scatter"], operations["sort"]) == (0, 4)


def test_products_and_convolutions_have_the_precision_that_the_config_asks_for(recipe):
  """Also those of gradients, of VGG16's features of the known frames, and in 3D."""
  assert lowered(recipe).precisions == {"DEFAULT"}
  config = load_config(recipe, levels=1, matmul_precision="highest")
  program = lower_updates(config, frame_count=COUNT, size=SIZE)
  assert program.precisions == {"HIGHEST"}


def test_weights_are_arguments_not_constants(recipe):
  """VGG16's are 6.6 MiB."""
  assert lowered(recipe).constant_bytes < 2**10


def test_an_update_reuses_the_memory_of_the_whole_state(recipe):
  assert lowered(recipe).donated == lowered(recipe).state > 20


def test_nothing_is_computed_in_64_bits(recipe):
  assert lowered(recipe).types <= {"f32", "i32", "ui32", "i1"}


def test_a_visit_neither_calls_nor_asks_the_host(recipe):
  program = lowered(recipe)
  assert not program.custom_calls
  transfers = {"infeed", "outfeed", "send", "recv"}
  assert not transfers & set(program.operations)
