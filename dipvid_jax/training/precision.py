"""The precision of float32 products and convolutions, which a GPU may lower.

NVIDIA GPUs from Ampere on multiply float32 as TensorFloat-32, 10 bits of mantissa
instead of 23, unless they are asked for more. A CPU gives the same bits either way.
"""

import contextlib
import functools
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import jax

PRECISIONS = ("default", "highest")
"""Two of the values of `jax_default_matmul_precision`."""

_Arguments = ParamSpec("_Arguments")
_Result = TypeVar("_Result")


def precision_scope(precision: str) -> contextlib.AbstractContextManager[None]:
  """What is traced within has a precision where it does not state its own.

  Args:
    precision: of `PRECISIONS`; `default` leaves JAX's setting as it is.

  Returns:
    A context manager.
  """
  if precision == "default":
    return contextlib.nullcontext()
  return jax.default_matmul_precision(precision)


def at_precision(
  function: Callable[_Arguments, _Result], precision: str
) -> Callable[_Arguments, _Result]:
  """Makes a function that is traced at a precision, its gradients as well.

  Args:
    function: to be traced, before `jit`.
    precision: see `precision_scope`.

  Returns:
    The function.
  """

  @functools.wraps(function)
  def traced(*args: _Arguments.args, **kwargs: _Arguments.kwargs) -> _Result:
    with precision_scope(precision):
      return function(*args, **kwargs)

  return traced


def effective_precision(precision: str) -> str:
  """The precision that is used, for a report.

  Args:
    precision: see `precision_scope`.

  Returns:
    `precision`, or where that leaves JAX's setting, the setting.
  """
  # JAX adds its options' attributes at run time.
  setting = jax.config.jax_default_matmul_precision  # type: ignore[attr-defined]
  return precision if precision != "default" else str(setting or "default")
