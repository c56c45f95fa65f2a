"""What `import flow` promises; it stands alone."""

import ast
import pathlib

import pytest

import flow
import flow.procedural
import flow.training
from tests.support.signatures import positional_settings, public_functions, undocumented

MODULES = (flow, flow.procedural, flow.training)
FUNCTIONS = {
  name: function
  for module in MODULES
  for name, function in public_functions(module).items()
}
SOURCES = sorted(pathlib.Path(flow.__file__).parent.rglob("*.py"))


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_all_names_exist_once_and_in_order(module):
  assert list(module.__all__) == sorted(set(module.__all__))
  assert all(hasattr(module, name) for name in module.__all__)


def test_the_promised_names_are_there():
  promised = {"backward_warp", "visible_mask", "estimate_video_flow", "PWCNet"}
  assert promised | {"load_pwcnet"} <= set(flow.__all__)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_arguments_after_the_arrays_are_keyword_only(name):
  assert positional_settings(FUNCTIONS[name]) == []


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_argument_is_documented(name):
  assert undocumented(FUNCTIONS[name]) == []


def imported_by(path):
  for node in ast.walk(ast.parse(path.read_text())):
    if isinstance(node, ast.Import):
      yield from (name.name for name in node.names)
    elif isinstance(node, ast.ImportFrom):
      yield node.module or ""


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_knows_nothing_of_the_rest(path):
  packages = {name.partition(".")[0] for name in imported_by(path)}
  assert not packages & {
    "dipvid_jax",
    "configs",
    "benchmarks",
    "ml_collections",
    "torch",
  }
