"""Signatures and docstrings of the public functions of `dipvid_jax.evaluation`."""

import pytest

from dipvid_jax import evaluation
from tests.support.signatures import positional_settings, public_functions, undocumented

FUNCTIONS = public_functions(evaluation)


def test_all_names_exist_once():
  assert len(evaluation.__all__) == len({*evaluation.__all__})
  assert all(hasattr(evaluation, name) for name in evaluation.__all__)
  assert {"evaluate_clip", "summarise"} <= FUNCTIONS.keys()


@pytest.mark.parametrize("name", FUNCTIONS)
def test_arguments_after_the_arrays_are_keyword_only(name):
  assert positional_settings(FUNCTIONS[name]) == []


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_argument_is_documented(name):
  assert undocumented(FUNCTIONS[name]) == []
