"""Writes files as `torch.save` does, without PyTorch: honest ones and hostile ones.

A value is encoded opcode by opcode (pickle protocol 2), so that a test can say
exactly what a file holds, also what PyTorch would never write.
"""

import io
import pickle
import struct
import zipfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

STORAGE_TYPES = {
  "f4": "FloatStorage",
  "f8": "DoubleStorage",
  "f2": "HalfStorage",
  "i8": "LongStorage",
  "i4": "IntStorage",
  "i2": "ShortStorage",
  "i1": "CharStorage",
  "u1": "ByteStorage",
  "b1": "BoolStorage",
}
MAGIC = 0x1950A86A20F9469CFC6C


class Global(NamedTuple):
  """The object `module.name`."""

  module: str
  name: str


class Call(NamedTuple):
  """The result of `function(*args)`."""

  function: Any
  args: Any


class Build(NamedTuple):
  """`target` after `state` has been set on it."""

  target: Any
  state: Any


class Persistent(NamedTuple):
  """What the reader's `persistent_load(pid)` gives."""

  pid: Any


class Raw(NamedTuple):
  """Opcodes as they are; they must leave one value on the stack."""

  opcodes: bytes


class OldString(NamedTuple):
  """A string as Python 2 wrote it."""

  text: str


REBUILD_TENSOR = Global("torch._utils", "_rebuild_tensor_v2")
ORDERED_DICT = Call(Global("collections", "OrderedDict"), ())
SYSTEM = {
  "protocol_version": 1001,
  "little_endian": True,
  "type_sizes": {"short": 2, "int": 4, "long": 4},
}


def encode(value: Any) -> bytes:
  """Pickles a value, without PROTO and STOP."""
  special = _encode_special(value)
  if special is not None:
    return special
  if isinstance(value, dict):
    return _encode_items(pickle.EMPTY_DICT, value)
  if isinstance(value, (tuple, list)):
    items = b"".join(encode(item) for item in value)
    if isinstance(value, tuple):
      return pickle.MARK + items + pickle.TUPLE
    return pickle.EMPTY_LIST + pickle.MARK + items + pickle.APPENDS
  if isinstance(value, str):
    text = value.encode()
    return pickle.BINUNICODE + struct.pack("<I", len(text)) + text
  # None, numbers: Python's own encoding without its PROTO and STOP.
  return pickle.dumps(value, protocol=2)[2:-1]


def _encode_special(value: Any) -> bytes | None:
  match value:
    case Raw(opcodes):
      return opcodes
    case Global(module, name):
      return pickle.GLOBAL + f"{module}\n{name}\n".encode()
    case Call(function, args):
      return encode(function) + encode(args) + pickle.REDUCE
    case Build(target, state):
      return encode(target) + encode(state) + pickle.BUILD
    case Persistent(pid):
      return encode(pid) + pickle.BINPERSID
    case OldString(text):
      return pickle.SHORT_BINSTRING + bytes([len(text)]) + text.encode()
  return None


def _encode_items(empty: bytes, items: dict) -> bytes:
  pairs = b"".join(encode(key) + encode(value) for key, value in items.items())
  return empty + pickle.MARK + pairs + pickle.SETITEMS


def ordered_dict(items: dict) -> Raw:
  """A `collections.OrderedDict` with `_metadata`, as `Module.state_dict()` gives."""
  filled = _encode_items(encode(ORDERED_DICT), items)
  return Raw(encode(Build(Raw(filled), {"_metadata": ORDERED_DICT})))


def to_pickle(value: Any) -> bytes:
  """A whole pickle of protocol 2."""
  return pickle.PROTO + b"\x02" + encode(value) + pickle.STOP


def storage(key: str, dtype: str, size: Any, *part_of: Any) -> Persistent:
  """A reference to the storage `key` of `size` values.

  `part_of` is the legacy format's last field, None for a storage of its own; the
  zip format has no such field.
  """
  storage_type = Global("torch", STORAGE_TYPES[dtype])
  return Persistent(("storage", storage_type, key, "cpu", size, *part_of))


def tensor(key: str, array: np.ndarray, *part_of: Any) -> Call:
  """A tensor that fills the storage `key`."""
  strides = tuple(stride // array.itemsize for stride in array.strides)
  reference = storage(key, array.dtype.str[1:], array.size, *part_of)
  return Call(REBUILD_TENSOR, (reference, 0, array.shape, strides, False, ORDERED_DICT))


def write_zip(path: Path, content: Any, storages: dict[str, bytes]) -> None:
  """Writes the zip format."""
  with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
    archive.writestr("archive/data.pkl", to_pickle(content))
    archive.writestr("archive/byteorder", "little")
    for key, data in storages.items():
      archive.writestr(f"archive/data/{key}", data)
    archive.writestr("archive/version", "3\n")


def write_legacy(
  path: Path,
  content: Any,
  storages: dict[str, bytes],
  *,
  itemsize: int = 4,
  version: Any = 1001,
  system: Any = SYSTEM,
  keys: Any = None,
) -> None:
  """Writes the legacy format; every storage has values of `itemsize` bytes."""
  file = io.BytesIO()
  for value in (
    MAGIC,
    version,
    system,
    content,
    list(storages) if keys is None else keys,
  ):
    file.write(to_pickle(value))
  for data in storages.values():
    file.write(struct.pack("<q", len(data) // itemsize) + data)
  path.write_bytes(file.getvalue())


WRITERS = {"zip": write_zip, "legacy": write_legacy}


def write_arrays(path: Path, arrays: dict[str, np.ndarray], file_format: str) -> None:
  """Writes 4-byte arrays by name as a state dict in the "zip" or "legacy" format."""
  tensors, storages = {}, {}
  part_of = (None,) if file_format == "legacy" else ()
  for index, (name, array) in enumerate(arrays.items()):
    tensors[name] = tensor(str(index), np.ascontiguousarray(array), *part_of)
    storages[str(index)] = array.tobytes()
  WRITERS[file_format](path, ordered_dict(tensors), storages)
