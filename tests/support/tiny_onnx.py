"""A stand-in for a text detector: an ONNX file that marks what is near white.

It has the shapes of a DBNet: a picture `[1, 3, h, w]`, ImageNet-normalised BGR, gives a
map of probabilities `[1, 1, h, w]`. The file is written field by field.
"""

import struct

import numpy as np


def write_white_detector(path, *, reach=5):
  """Writes a network whose probability is high within `reach` px of near white."""
  weight = np.full((1, 3, 1, 1), 4, np.float32)
  bias = np.array([-20], np.float32)  # white has 28, light grey 10
  kernel = 2 * reach + 1
  graph = (
    _node("Conv", ["x", "w", "b"], "c", kernel_shape=[1, 1])
    + _node(
      "MaxPool", ["c"], "m", kernel_shape=[kernel] * 2, pads=[reach] * 4, strides=[1, 1]
    )
    + _node("Sigmoid", ["m"], "y")
    + _text(2, "near_white")
    + _bytes(5, _tensor("w", weight))
    + _bytes(5, _tensor("b", bias))
    + _bytes(11, _value("x", (1, 3, "h", "w")))
    + _bytes(12, _value("y", (1, 1, "h", "w")))
  )
  model = _number(1, 8) + _bytes(8, _text(1, "") + _number(2, 13)) + _bytes(7, graph)
  path.write_bytes(model)
  return path


def _varint(value):
  data = b""
  while value > 127:
    data += bytes([value & 127 | 128])
    value >>= 7
  return data + bytes([value])


def _number(field, value):
  return _varint(field << 3) + _varint(value)


def _bytes(field, data):
  return _varint(field << 3 | 2) + _varint(len(data)) + data


def _text(field, text):
  return _bytes(field, text.encode())


def _node(kind, inputs, output, **attributes):
  node = b"".join(_text(1, name) for name in inputs) + _text(2, output)
  node += _text(3, output) + _text(4, kind)
  for name, numbers in attributes.items():
    values = b"".join(_number(8, number) for number in numbers)
    node += _bytes(5, _text(1, name) + values + _number(20, 7))
  return _bytes(1, node)


def _tensor(name, array):
  dims = b"".join(_number(1, side) for side in array.shape)
  data = struct.pack(f"<{array.size}f", *array.ravel())
  return dims + _number(2, 1) + _text(8, name) + _bytes(9, data)


def _value(name, sides):
  dims = b"".join(
    _bytes(1, _number(1, side) if isinstance(side, int) else _text(2, side))
    for side in sides
  )
  return _text(1, name) + _bytes(2, _bytes(1, _number(1, 1) + _bytes(2, dims)))
