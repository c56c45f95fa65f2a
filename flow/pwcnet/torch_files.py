"""Reads the tensors of PyTorch's checkpoint files without PyTorch.

Both formats of `torch.save` are read: the zip archive (PyTorch 1.6 and later) and the
older stream of pickles. No code in a file runs, and the sizes, strides and offsets it
states are checked against the bytes it contains.
"""

import io
import math
import pickle
import struct
import zipfile
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from flow.errors import InputError
from flow.pwcnet.torch_pickles import (
  ForbiddenPickleError,
  Storage,
  TensorRecord,
  load_pickle,
)

_ZIP_MAGIC = b"PK\x03\x04"
# PyTorch's magic number is itself a pickle: protocol 2, one LONG1 of ten bytes.
_LEGACY_MAGIC = (
  b"\x80\x02\x8a\x0a" + 0x1950A86A20F9469CFC6C.to_bytes(10, "little") + b"."
)
_LEGACY_PROTOCOL = 1001
_TAR_MAGIC, _TAR_MAGIC_OFFSET = b"ustar", 257
_MAX_DIMENSIONS = 16

# Raised by pickle, zipfile and the checks below on malformed bytes.
_DAMAGE = (
  pickle.UnpicklingError,
  zipfile.BadZipFile,
  struct.error,
  ArithmeticError,
  AttributeError,
  EOFError,
  LookupError,
  MemoryError,
  RuntimeError,
  TypeError,
  ValueError,
)


class _DamagedError(Exception):
  """The file contradicts itself; the message says where."""


class _NotPyTorchError(Exception):
  """The file is something else; the message says what."""


class _Content(NamedTuple):
  """A file's state dict and the bytes that it refers to."""

  tensors: dict[str, TensorRecord]
  buffers: dict[str, bytes]  # by storage key
  byte_order: str  # "<" or ">"


def read_torch_file(path: str | Path) -> dict[str, np.ndarray]:
  """Reads the tensors that `torch.save` wrote, in either of its formats.

  The file holds a dictionary of tensors by name (a module's state dict), or a
  dictionary with that one under "state_dict", whose other entries are ignored.

  Args:
    path: the file.

  Returns:
    `{name: array}` in the file's order; the arrays are read-only.

  Raises:
    InputError: the file is missing, damaged or not PyTorch's, or needs more than
      tensors, dictionaries, lists, numbers and strings. No code in it runs.
  """
  try:
    with Path(path).open("rb") as file:
      content = _read_content(file)
    return {
      name: _to_array(name, tensor, content) for name, tensor in content.tensors.items()
    }
  except OSError as error:
    problem = f"cannot be read ({error.strerror or error}); give a PyTorch checkpoint"
  except ForbiddenPickleError as error:
    problem = (
      f"refused, and no code in it was run: it asks for {_printable(error)}, which no "
      "file of plain tensors needs; save only the model's state_dict()"
    )
  except _NotPyTorchError as error:
    problem = str(error)
  except _DamagedError as error:
    problem = f"is damaged or cut short ({error}); copy it again"
  except _DAMAGE as error:
    what = f"{type(error).__name__}: {error}"
    problem = f"is damaged or cut short ({_printable(what)}); copy it again"
  # Raised outside the handlers: the message has the cause, so no chained traceback.
  raise InputError(f"{path}: {problem}")


def _read_content(file: BinaryIO) -> _Content:
  magic = file.read(len(_LEGACY_MAGIC))
  file_size = file.seek(0, io.SEEK_END)
  if magic.startswith(_ZIP_MAGIC):
    return _read_zip(file, file_size)
  if magic == _LEGACY_MAGIC:
    file.seek(len(_LEGACY_MAGIC))
    return _read_legacy(file, file_size)
  if not magic:
    raise _NotPyTorchError("is empty; give a PyTorch checkpoint")
  file.seek(_TAR_MAGIC_OFFSET)
  if file.read(len(_TAR_MAGIC)) == _TAR_MAGIC:
    raise _NotPyTorchError("is a tar archive; unpack it and give the file inside")
  raise _NotPyTorchError(
    "is not a PyTorch file, in neither the zip nor the legacy format; "
    "give what torch.save wrote"
  )


def _read_zip(file: BinaryIO, file_size: int) -> _Content:
  """Reads `NAME/data.pkl`, and each storage from `NAME/data/KEY`."""
  with zipfile.ZipFile(file) as archive:
    entries = {info.filename: info for info in archive.infolist()}
    # PyTorch never compresses; a small compressed file could unpack to gigabytes.
    if any(e.compress_type != zipfile.ZIP_STORED for e in entries.values()):
      raise _NotPyTorchError("is a compressed zip archive; give what torch.save wrote")
    pickles = [name for name in entries if name.endswith("/data.pkl")]
    if len(pickles) != 1:
      raise _NotPyTorchError(
        "is a zip archive without a checkpoint; give what torch.save wrote"
      )
    folder = pickles[0].removesuffix("data.pkl")
    byte_order = "<"
    if f"{folder}byteorder" in entries:
      byte_order = ">" if archive.read(f"{folder}byteorder") == b"big" else "<"
    content, _ = load_pickle(io.BytesIO(archive.read(pickles[0])))
    tensors = _state_dict(content)
    buffers = {
      key: archive.read(f"{folder}data/{key}")
      for key in _needed_storages(tensors, file_size)
    }
  return _Content(tensors, buffers, byte_order)


def _read_legacy(file: BinaryIO, file_size: int) -> _Content:
  """Reads the four pickles after the magic number, then the storages.

  The pickles are the format's version, the writer's system, the content, and the
  storages' keys, in the order in which their sizes (int64) and values follow.
  """
  version, _ = load_pickle(file)
  if version != _LEGACY_PROTOCOL:
    raise _NotPyTorchError(
      "is in an unknown version of PyTorch's legacy format; save it again"
    )
  system, _ = load_pickle(file)
  byte_order = "<" if system["little_endian"] else ">"
  content, storages = load_pickle(file)
  keys, _ = load_pickle(file)

  tensors = _state_dict(content)
  needed = _needed_storages(tensors, file_size)
  buffers: dict[str, bytes] = {}
  for key in keys:
    (size,) = struct.unpack(f"{byte_order}q", file.read(8))
    if size != storages[key].size:
      raise _DamagedError(
        f"storage {_printable(key)} has {size} values, not {storages[key].size}"
      )
    length = _byte_length(storages[key])
    if key in needed:
      buffers[key] = file.read(length)
    else:
      file.seek(length, io.SEEK_CUR)
  return _Content(tensors, buffers, byte_order)


def _state_dict(content: Any) -> dict[str, TensorRecord]:
  """Finds the dictionary of tensors in a checkpoint's content."""
  if isinstance(content, dict) and "state_dict" in content:
    content = content["state_dict"]
  if not isinstance(content, dict):
    raise _NotPyTorchError(
      f"holds a {type(content).__name__} where a dictionary of tensors is needed; "
      "save the model's state_dict()"
    )
  for name, tensor in content.items():
    if not isinstance(name, str) or not isinstance(tensor, TensorRecord):
      raise _NotPyTorchError(
        f"holds a {type(tensor).__name__} under {_printable(name)} among its tensors; "
        "save the model's state_dict()"
      )
  return content


def _needed_storages(
  tensors: dict[str, TensorRecord], file_size: int
) -> dict[str, Storage]:
  """Collects the storages of tensors; checks that they fit the size of the file."""
  needed = {}
  for name, tensor in tensors.items():
    if not isinstance(tensor.storage, Storage):
      raise _DamagedError(f"{_printable(name)} has no storage")
    needed[tensor.storage.key] = tensor.storage
  if sum(_byte_length(storage) for storage in needed.values()) > file_size:
    raise _DamagedError("its tensors are larger than the file")
  return needed


def _to_array(name: str, tensor: TensorRecord, content: _Content) -> np.ndarray:
  """Views a storage's bytes as the described tensor, after checking it."""
  storage, offset, shape, strides = tensor
  buffer = content.buffers.get(storage.key, b"")
  if len(buffer) != _byte_length(storage):
    raise _DamagedError(
      f"{_printable(name)} has {len(buffer)} bytes, not {_byte_length(storage)}"
    )
  dimensions = (shape, strides)
  if (
    not all(isinstance(values, tuple) for values in dimensions)
    or not all(_is_count(value) for value in (offset, *shape, *strides))
    or len(shape) != len(strides)
    or len(shape) > _MAX_DIMENSIONS
  ):
    raise _DamagedError(f"{_printable(name)} has no valid shape")
  last = sum((n - 1) * stride for n, stride in zip(shape, strides, strict=True))
  values = math.prod(shape)
  # A tensor larger than its storage repeats values: no checkpoint needs that, and a
  # few bytes could claim any amount of memory.
  if values > storage.size or (values and offset + last >= storage.size):
    raise _DamagedError(f"{_printable(name)} reaches beyond its storage")
  dtype = np.dtype(content.byte_order + storage.dtype)
  byte_strides = [stride * dtype.itemsize for stride in strides]
  return np.ndarray(shape, dtype, buffer, offset * dtype.itemsize, byte_strides)


def _byte_length(storage: Storage) -> int:
  return storage.size * np.dtype(storage.dtype).itemsize


def _is_count(value: Any) -> bool:
  return type(value) is int and value >= 0


def _printable(value: object) -> str:
  """Part of a file as short ASCII, without control codes for the terminal."""
  text = ascii(str(value))[1:-1]
  return text if len(text) <= 100 else f"{text[:97]}..."
