"""Unpickles the content of PyTorch's checkpoints, and nothing else.

A pickle is a program, so it must pass two gates. Before it runs, its opcodes and the
globals it names are checked: only those that dictionaries of tensors need are allowed.
While it runs, those names resolve to inert records, never to imported objects.
"""

import io
import pickle
import pickletools
import warnings
from typing import Any, BinaryIO, NamedTuple

_MAX_PICKLE_BYTES = 16 * 2**20  # pickles only describe tensors, so they are small

_DTYPES = {
  "FloatStorage": "f4",
  "DoubleStorage": "f8",
  "HalfStorage": "f2",
  "LongStorage": "i8",
  "IntStorage": "i4",
  "ShortStorage": "i2",
  "CharStorage": "i1",
  "ByteStorage": "u1",
  "BoolStorage": "?",
}

# What torch.save writes for dictionaries, lists, tensors, numbers and strings
# (BINSTRING and similar: in Python 2).
# fmt: off
_OPCODES = frozenset({
  "PROTO", "STOP", "MARK", "GLOBAL", "REDUCE", "BUILD", "BINPERSID",
  "BINPUT", "LONG_BINPUT", "BINGET", "LONG_BINGET",
  "NONE", "NEWTRUE", "NEWFALSE", "BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT",
  "BINUNICODE", "BINSTRING", "SHORT_BINSTRING",
  "EMPTY_TUPLE", "TUPLE", "TUPLE1", "TUPLE2", "TUPLE3",
  "EMPTY_LIST", "APPEND", "APPENDS", "EMPTY_DICT", "SETITEM", "SETITEMS",
})
# fmt: on


class ForbiddenPickleError(pickle.UnpicklingError):
  """The pickle uses something that no file of plain tensors needs."""


class Storage(NamedTuple):
  """A storage that a pickle refers to; its bytes are elsewhere in the file.

  Attributes:
    key: its name in the file.
    dtype: NumPy's type string, without the byte order.
    size: number of values, at least 0.
  """

  key: str
  dtype: str
  size: int


class TensorRecord(NamedTuple):
  """A tensor as a pickle describes it, **unchecked**; offset and strides in values."""

  storage: Any
  offset: Any
  shape: Any
  strides: Any


class _StorageType(NamedTuple):
  """Stands for `torch.FloatStorage` and the other storage types."""

  dtype: str


class _Dict(dict):
  """Stands for `collections.OrderedDict`; drops attributes that a pickle sets."""

  __slots__ = ()

  def __setstate__(self, state: Any) -> None:
    """Ignores `_metadata`, which state dicts have."""


# Objects without attributes, not functions: a pickle's BUILD sets attributes, and some
# attributes of a function matter.
class _RebuildTensor:
  """Stands for `torch._utils._rebuild_tensor` and `_rebuild_tensor_v2`."""

  __slots__ = ()

  def __call__(
    self, storage: Any, offset: Any, shape: Any, strides: Any, *_unused: Any
  ) -> TensorRecord:
    return TensorRecord(storage, offset, shape, strides)


class _RebuildParameter:
  """Stands for `torch._utils._rebuild_parameter`."""

  __slots__ = ()

  def __call__(self, tensor: Any, *_unused: Any) -> Any:
    return tensor


_GLOBALS: dict[tuple[str, str], Any] = {
  ("collections", "OrderedDict"): _Dict,
  ("torch._utils", "_rebuild_tensor"): _RebuildTensor(),
  ("torch._utils", "_rebuild_tensor_v2"): _RebuildTensor(),
  ("torch._utils", "_rebuild_parameter"): _RebuildParameter(),
  **{("torch", name): _StorageType(dtype) for name, dtype in _DTYPES.items()},
}


def load_pickle(file: BinaryIO) -> tuple[Any, dict[str, Storage]]:
  """Loads the pickle at the file's position, and moves the position to its end.

  Args:
    file: a seekable binary file.

  Returns:
    `(content, storages)`: dictionaries, lists, tuples, numbers, strings and
    `TensorRecord`s, and every storage that the pickle names, by key.

  Raises:
    ForbiddenPickleError: it uses something else; none of it has run.
    Exception: malformed pickles raise whatever `pickle` raises.
  """
  start = file.tell()
  data = file.read(_MAX_PICKLE_BYTES)
  end = 0
  with warnings.catch_warnings():
    # pickletools decodes escapes in names and warns about bad ones; the unpickler, and
    # so the second gate, takes names literally.
    warnings.simplefilter("ignore")
    for opcode, argument, position in pickletools.genops(data):
      _check_opcode(opcode.name, argument, len(data))
      end = (position or 0) + 1
  file.seek(start + end)
  unpickler = _Unpickler(io.BytesIO(data[:end]), encoding="utf-8")
  return unpickler.load(), unpickler.storages


def _check_opcode(name: str, argument: Any, limit: int) -> None:
  """The first gate, before anything runs."""
  if name == "GLOBAL":
    module, _, attribute = argument.partition(" ")
    _look_up(module, attribute)
  elif name not in _OPCODES:
    raise ForbiddenPickleError(f"pickle's {name}")
  elif name == "LONG_BINPUT" and argument > limit:
    # The unpickler would allocate this many entries.
    raise pickle.UnpicklingError(f"memo entry {argument}")


def _look_up(module: str, name: str) -> Any:
  if (module, name) not in _GLOBALS:
    raise ForbiddenPickleError(f"{module}.{name}")
  return _GLOBALS[module, name]


class _Unpickler(pickle.Unpickler):
  """The second gate: whatever the opcodes do, they can only reach inert records."""

  def __init__(self, file: BinaryIO, **options: Any) -> None:
    super().__init__(file, **options)
    self.storages: dict[str, Storage] = {}

  def find_class(self, module: str, name: str) -> Any:
    return _look_up(module, name)

  def persistent_load(self, pid: Any) -> Storage:
    # ("storage", type, key, device, size), and in the legacy format a sixth field for
    # a storage that is part of another; PyTorch writes None.
    kind, storage_type, key, _device, size, *part_of = pid
    if kind != "storage" or not isinstance(storage_type, _StorageType):
      raise pickle.UnpicklingError("a reference to something other than a storage")
    if not isinstance(key, str) or type(size) is not int or size < 0 or any(part_of):
      raise pickle.UnpicklingError("a storage without its own key or size")
    storage = Storage(key, storage_type.dtype, size)
    if self.storages.setdefault(key, storage) != storage:
      raise pickle.UnpicklingError(f"two descriptions of storage {key!a}")
    return storage
