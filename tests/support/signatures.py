"""The habits that every public function keeps."""

import inspect
import re
import sys
import types

import dipvid_jax
import flow

# Types of positional arguments: data, and what is built from data.
_SETTINGS = ("bool", "int", "float", "str", "Callable", "Sequence[int]", "tuple[int")

_OF_EVERY_FLAX_MODULE = ("parent", "name")


def public_functions(module: types.ModuleType) -> dict[str, types.FunctionType]:
  """The functions among a module's public names."""
  names = {name: getattr(module, name) for name in module.__all__}
  return {name: value for name, value in names.items() if inspect.isfunction(value)}


def parameters_of(function) -> list[inspect.Parameter]:
  """Parameters with their annotations as written."""
  return list(inspect.signature(function).parameters.values())


def positional_settings(function) -> list[str]:
  """Parameters after the first that are settings and yet positional."""
  return [
    parameter.name
    for parameter in parameters_of(function)[1:]
    if parameter.kind is not inspect.Parameter.KEYWORD_ONLY
    and (
      parameter.default is not inspect.Parameter.empty
      or _is_setting(parameter.annotation)
    )
  ]


def _is_setting(annotation) -> bool:
  text = annotation.__name__ if isinstance(annotation, type) else str(annotation)
  text = text.replace("collections.abc.", "").replace("typing.", "")
  return text.startswith(_SETTINGS)


def undocumented(function) -> list[str]:
  """What a docstring lacks: parameters in Args, a Returns section, annotations."""
  text = inspect.getdoc(function) or ""
  signature = inspect.signature(function)
  if len(signature.parameters) == 1 and "\n" not in text:
    return [] if text else ["docstring"]
  arguments = text.partition("Args:")[2].partition("Returns:")[0]
  lacking = [
    name
    for name in signature.parameters
    if not re.search(rf"^ +([\w, ]+, )?{name}(, [\w, ]+)?: ", arguments, re.MULTILINE)
  ]
  if signature.return_annotation is inspect.Signature.empty:
    lacking.append("return annotation")
  if signature.return_annotation is not None and "Returns:" not in text:
    lacking.append("Returns:")
  return lacking


def surface(module: types.ModuleType) -> list[str]:
  """A line for each public name: a function's parameters, a class's fields.

  Defaults are shown, annotations are not.
  """
  return [
    f"{module.__name__}.{name}{_shape(getattr(module, name))}"
    for name in module.__all__
  ]


def _shape(value: object) -> str:
  if inspect.isfunction(value):
    return f"({', '.join(_parameters(value))})"
  if fields := getattr(value, "__match_args__", None) or getattr(
    value, "_fields", None
  ):
    own = [name for name in fields if name not in _OF_EVERY_FLAX_MODULE]
    return f": {', '.join(own)}"
  if inspect.isclass(value):
    methods = [
      f"{name}({', '.join(_parameters(method))})"
      for name, method in vars(value).items()
      if inspect.isfunction(method)
      and method.__qualname__.startswith(value.__name__)
      and (name in ("__init__", "__call__") or name[0] != "_")
    ]
    return f": {'; '.join(methods)}" if methods else ""
  return ""


def _parameters(function) -> list[str]:
  words, starred = [], False
  for parameter in parameters_of(function):
    if parameter.name == "self":
      continue
    if parameter.kind is inspect.Parameter.KEYWORD_ONLY and not starred:
      words.append("*")
      starred = True
    name = "**" * (parameter.kind is inspect.Parameter.VAR_KEYWORD) + parameter.name
    has_default = parameter.default is not inspect.Parameter.empty
    default = getattr(parameter.default, "__name__", repr(parameter.default))
    words.append(f"{name}={default}" if has_default else name)
  return words


def promised() -> str:
  """The public surface of both packages, as `tests/public_surface.txt` holds it."""
  lines = [line for module in (dipvid_jax, flow) for line in surface(module)]
  return "\n".join(lines) + "\n"


if __name__ == "__main__":
  sys.stdout.write(promised())
