"""The habits that every public function keeps."""

import inspect
import re
import types

# Types of positional arguments: data, and what is built from data.
_SETTINGS = ("bool", "int", "float", "str", "Callable", "Sequence[int]", "tuple[int")


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
