"""What one key of a config is: its type, its range and its meaning."""

import dataclasses
import math
import types
import typing

from dipvid_jax.errors import InputError

Value = bool | int | float | str | tuple[int, ...] | None

_KINDS: dict[type, tuple[type, ...]] = {
  bool: (bool,),
  int: (int,),
  float: (float, int),
  str: (str,),
  tuple: (tuple, list),
}
_WORDS = {bool: "True or False", int: "a whole number", float: "a number", str: "text"}


@dataclasses.dataclass(frozen=True)
class Key:
  """The annotation of a config field: `levels: Annotated[int, Key("...", least=1)]`.

  Attributes:
    meaning: one or two sentences, for `--help` and the docs.
    least: the smallest value.
    most: the largest value.
    above: the value must be above this one.
    choices: the values of a key that takes words or a few numbers.
    name: the key's name in a recipe, where it is not the field's.
  """

  meaning: str
  least: float | None = None
  most: float | None = None
  above: float | None = None
  choices: tuple[str | int, ...] = ()
  name: str = ""


@dataclasses.dataclass(frozen=True)
class ConfigKey:
  """A key of a recipe and the field that it becomes.

  Attributes:
    name: in a recipe, such as `rounds` or `flow.estimator`.
    group: the attribute of `Config` that holds the field; empty for `Config` itself.
    field: the field's name.
    kind: bool, int, float, str or tuple.
    optional: whether None is a value.
    rule: range and meaning.
  """

  name: str
  group: str
  field: str
  kind: type
  optional: bool
  rule: Key

  def convert(self, value: object) -> Value:
    """Checks a value and brings it to the field's type.

    Raises:
      InputError: one line that names the key, its value and what it takes.
    """
    if value is None and self.optional:
      return None
    if not self.has_kind(value):
      raise InputError(
        f"config.{self.name}: must be of type {self.kind.__name__}, got {value!r}"
      )
    converted = tuple(value) if isinstance(value, tuple | list) else value
    if self.rule.choices or isinstance(converted, bool | str | tuple):
      self._check_choice(converted)
      return typing.cast(Value, converted)
    number = typing.cast(float, converted)
    self._check_range(number)
    return float(number) if self.kind is float else number

  def has_kind(self, value: object) -> bool:
    """Whether a value is of the key's type; a whole number also serves as a float."""
    if isinstance(value, bool):
      return self.kind is bool
    return isinstance(value, _KINDS[self.kind])

  def _check_choice(self, value: object) -> None:
    if self.rule.choices and value not in self.rule.choices:
      allowed = ", ".join(map(str, self.rule.choices))
      raise InputError(f"config.{self.name}: {value!r} is not one of {allowed}")

  def _check_range(self, value: float) -> None:
    if self._is_inside(value):
      return
    raise InputError(f"config.{self.name}: must be {self._range()}, got {value}")

  def _is_inside(self, value: float) -> bool:
    rule = self.rule
    return (
      math.isfinite(value)
      and (rule.least is None or value >= rule.least)
      and (rule.most is None or value <= rule.most)
      and (rule.above is None or value > rule.above)
    )

  def _range(self) -> str:
    rule = self.rule
    if rule.above is not None:
      return f"above {rule.above}"
    if rule.least is not None and rule.most is not None:
      return f"{rule.least} to {rule.most}"
    return "finite" if rule.least is None else f"{rule.least} or more"

  def values(self) -> str:
    """The values that the key takes, in words."""
    if self.rule.choices:
      words = ", ".join(map(str, self.rule.choices))
    elif self.kind is tuple:
      words = "whole numbers, separated by commas"
    else:
      words = _WORDS[self.kind]
      if self.kind in (int, float) and self._range() != "finite":
        words += f", {self._range()}"
    return f"{words}; or not set" if self.optional else words


def field_keys(group: str, holder: type, *, prefix: str = "") -> list[ConfigKey]:
  """The keys of a dataclass whose fields are annotated with `Key`.

  Args:
    group: the attribute of `Config` that holds the dataclass.
    holder: the dataclass.
    prefix: in front of the keys' names in a recipe.

  Returns:
    A key for each annotated field, in order.
  """
  hints = typing.get_type_hints(holder, include_extras=True)
  keys = []
  for field in dataclasses.fields(holder):
    hint = hints[field.name]
    if typing.get_origin(hint) is not typing.Annotated:
      continue
    kind, rule = typing.get_args(hint)
    optional = typing.get_origin(kind) in (types.UnionType, typing.Union)
    if optional:
      (kind,) = (part for part in typing.get_args(kind) if part is not type(None))
    origin = typing.get_origin(kind)
    if origin is typing.Literal:
      kind = str
    name = prefix + (rule.name or field.name)
    plain = tuple if origin is tuple else kind
    keys.append(ConfigKey(name, group, field.name, plain, optional, rule))
  return keys
