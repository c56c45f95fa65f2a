"""PyTorch's file formats: what is read, what is refused, and that nothing runs."""

import io
import pickle
import struct
import tarfile
import zipfile
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest

from flow.errors import InputError
from flow.pwcnet.torch_files import read_torch_file
from flow.pwcnet.torch_pickles import ForbiddenPickleError, _Unpickler
from tests.support import torch_file_writer as writer
from tests.support.torch_file_writer import Build, Call, Global, OldString, Raw

FORMATS = ("zip", "legacy")
WEIGHT = np.arange(6, dtype=np.float32).reshape(2, 3)
WEIGHT_BYTES = WEIGHT.tobytes()


def refusal(path) -> str:
  """Reads a file that must be refused; returns the one line."""
  with pytest.raises(InputError) as caught:
    read_torch_file(path)
  line = str(caught.value)
  assert line.startswith(f"{path}: ")
  assert line.isprintable() and len(line) < len(str(path)) + 250
  return line.removeprefix(f"{path}: ")


def refusal_of(tmp_path, file_format, content, storages=None) -> str:
  path = tmp_path / "file.pt"
  storages = {"0": WEIGHT_BYTES} if storages is None else storages
  writer.WRITERS[file_format](path, content, storages)
  return refusal(path)


# What must be read


@pytest.mark.parametrize("wrapped", [False, True])
@pytest.mark.parametrize("file_format", FORMATS)
def test_reads_a_state_dict(tmp_path, file_format, wrapped):
  state = writer.ordered_dict({"b": writer.tensor("0", WEIGHT)})
  content = {"epoch": 3, "best": 0.5, "state_dict": state} if wrapped else state
  writer.WRITERS[file_format](tmp_path / "file.pt", content, {"0": WEIGHT_BYTES})
  tensors = read_torch_file(str(tmp_path / "file.pt"))
  assert list(tensors) == ["b"]
  np.testing.assert_array_equal(tensors["b"], WEIGHT)
  assert tensors["b"].dtype == np.float32 and not tensors["b"].flags.writeable


@pytest.mark.parametrize("file_format", FORMATS)
def test_reads_only_the_state_dict(tmp_path, file_format):
  # The optimizer's storage comes first and has to be skipped.
  content = {
    "optimizer": [writer.tensor("0", np.ones(2, np.float32))],
    "state_dict": {"w": writer.tensor("1", WEIGHT)},
  }
  storages = {"0": bytes(8), "1": WEIGHT_BYTES}
  writer.WRITERS[file_format](tmp_path / "file.pt", content, storages)
  tensors = read_torch_file(tmp_path / "file.pt")
  np.testing.assert_array_equal(tensors["w"], WEIGHT)


@pytest.mark.parametrize("dtype", writer.STORAGE_TYPES)
def test_reads_every_type(tmp_path, dtype):
  array = np.array([0, 1, 1, 0], dtype)
  writer.write_zip(
    tmp_path / "f.pt", {"x": writer.tensor("0", array)}, {"0": array.tobytes()}
  )
  tensors = read_torch_file(tmp_path / "f.pt")
  assert tensors["x"].dtype == array.dtype
  np.testing.assert_array_equal(tensors["x"], array)


@pytest.mark.parametrize("file_format", FORMATS)
def test_reads_parts_of_a_storage(tmp_path, file_format):
  whole = writer.storage("0", "f4", 6)

  def part(offset, shape, strides):
    # As PyTorch before 0.4 wrote it: no more than these four arguments.
    function = Global("torch._utils", "_rebuild_tensor")
    return Call(function, (whole, offset, shape, strides))

  content = {
    "transposed": part(0, (3, 2), (1, 3)),
    "row": part(3, (3,), (1,)),
    "column": part(1, (2, 1), (3, 1)),
    "scalar": part(5, (), ()),
    "empty": part(6, (0, 3), (3, 1)),
  }
  writer.WRITERS[file_format](tmp_path / "file.pt", content, {"0": WEIGHT_BYTES})
  tensors = read_torch_file(tmp_path / "file.pt")
  np.testing.assert_array_equal(tensors["transposed"], WEIGHT.T)
  np.testing.assert_array_equal(tensors["row"], WEIGHT[1])
  np.testing.assert_array_equal(tensors["column"], WEIGHT[:, 1:2])
  np.testing.assert_array_equal(tensors["scalar"], WEIGHT[1, 2])
  assert tensors["empty"].shape == (0, 3)


def test_reads_what_python_2_wrote(tmp_path):
  kind, storage_type, _, _, size = writer.storage("0", "f4", 6).pid
  reference = writer.Persistent(
    (OldString(kind), storage_type, OldString("0"), OldString("cuda:0"), size, None)
  )
  function = Global("torch._utils", "_rebuild_tensor")
  weight = Call(function, (reference, 0, (2, 3), (3, 1)))
  content = Call(Global("collections", "OrderedDict"), ([[OldString("w"), weight]],))
  writer.write_legacy(
    tmp_path / "f.pt", content, {"0": WEIGHT_BYTES}, keys=[OldString("0")]
  )
  np.testing.assert_array_equal(read_torch_file(tmp_path / "f.pt")["w"], WEIGHT)


def test_reads_big_endian_values(tmp_path):
  with zipfile.ZipFile(tmp_path / "file.pt", "w") as archive:
    content = writer.to_pickle({"w": writer.tensor("0", WEIGHT)})
    archive.writestr("a/data.pkl", content)
    archive.writestr("a/byteorder", "big")
    archive.writestr("a/data/0", WEIGHT.astype(">f4").tobytes())
  np.testing.assert_array_equal(read_torch_file(tmp_path / "file.pt")["w"], WEIGHT)


# Parity with PyTorch itself


def torch_contents(torch):
  torch.manual_seed(0)
  base = torch.randn(5, 4)
  linear = torch.nn.Linear(4, 3)
  return OrderedDict(
    plain=base,
    strided=base[1:4, ::2],
    transposed=base.t(),
    scalar=torch.tensor(2.5),
    empty=torch.zeros(0, 3),
    parameter=linear.weight,
    state=linear.state_dict()["bias"],
    channels_last=torch.randn(2, 3, 4, 5).to(memory_format=torch.channels_last),
    **{
      str(dtype): torch.tensor([0, 1, 5]).to(dtype)
      for dtype in (torch.float64, torch.float16, torch.int64, torch.uint8, torch.bool)
    },
  )


@pytest.mark.parametrize("zip_format", [True, False])
def test_reads_what_pytorch_writes(tmp_path, zip_format):
  torch = pytest.importorskip("torch")
  contents = torch_contents(torch)
  path = tmp_path / "file.pt"
  torch.save(contents, path, _use_new_zipfile_serialization=zip_format)
  tensors = read_torch_file(path)
  assert list(tensors) == list(contents)
  for name, expected in contents.items():
    array = expected.detach().numpy()
    assert tensors[name].dtype == array.dtype and tensors[name].shape == array.shape
    np.testing.assert_array_equal(tensors[name], array)


@pytest.mark.parametrize("file_format", FORMATS)
def test_pytorch_reads_what_these_tests_write(tmp_path, file_format):
  # Otherwise the tests without PyTorch would prove nothing about its files.
  torch = pytest.importorskip("torch")
  writer.write_arrays(tmp_path / "file.pt", {"w": WEIGHT}, file_format)
  state = torch.load(tmp_path / "file.pt", weights_only=True)
  np.testing.assert_array_equal(state["w"].numpy(), WEIGHT)


# Hostile pickles


def payloads(marker) -> dict[str, Raw | Call]:
  """Ways to a shell for whoever unpickles them; each creates the file `marker`."""
  command = f"touch {marker}"
  text = writer.encode(command)
  system = Global("os", "system")
  expression = f"__import__('os').system('{command}')"
  name_on_stack = writer.encode("os") + writer.encode("system") + pickle.STACK_GLOBAL
  return {
    "os.system": Call(system, (command,)),
    "posix.system": Call(Global("posix", "system"), (command,)),
    "eval": Call(Global("builtins", "eval"), (expression,)),
    "eval of Python 2": Call(Global("__builtin__", "eval"), (expression,)),
    "stack global": Call(Raw(name_on_stack), (command,)),
    "inst": Raw(pickle.MARK + text + pickle.INST + b"os\nsystem\n"),
    "obj": Raw(pickle.MARK + writer.encode(system) + text + pickle.OBJ),
  }


PAYLOADS = tuple(payloads(Path("marker")))


@pytest.mark.parametrize("name", PAYLOADS)
@pytest.mark.parametrize("file_format", FORMATS)
def test_refuses_hostile_pickles_without_running_them(tmp_path, file_format, name):
  marker = tmp_path / "marker"
  payload = payloads(marker)[name]
  for content in (payload, {"w": payload}, {"state_dict": {}, "other": payload}):
    assert "no code in it was run" in refusal_of(tmp_path, file_format, content)
    assert not marker.exists()


@pytest.mark.parametrize("place", ["version", "system", "keys"])
def test_refuses_hostile_pickles_around_the_legacy_content(tmp_path, place):
  marker = tmp_path / "marker"
  content = {"w": writer.tensor("0", WEIGHT)}
  hostile = {place: payloads(marker)["os.system"]}
  writer.write_legacy(tmp_path / "f.pt", content, {"0": WEIGHT_BYTES}, **hostile)
  assert "asks for os.system" in refusal(tmp_path / "f.pt")
  assert not marker.exists()


@pytest.mark.parametrize("name", PAYLOADS)
def test_the_hostile_pickles_are_live(tmp_path, name):
  # Without this the tests above could pass on pickles that do nothing.
  marker = tmp_path / "marker"
  pickle.loads(writer.to_pickle(payloads(marker)[name]))
  assert marker.exists()


@pytest.mark.parametrize("name", PAYLOADS)
def test_the_unpickler_alone_refuses_them_too(tmp_path, name):
  # The second gate, in case the first one ever reads a pickle in another way.
  marker = tmp_path / "marker"
  data = writer.to_pickle(payloads(marker)[name])
  with pytest.raises(ForbiddenPickleError):
    _Unpickler(io.BytesIO(data)).load()
  assert not marker.exists()


@pytest.mark.parametrize("file_format", FORMATS)
def test_a_pickle_cannot_change_the_reader(tmp_path, file_format):
  targets = (
    Global("torch._utils", "_rebuild_tensor_v2"),
    Global("torch._utils", "_rebuild_parameter"),
    Global("collections", "OrderedDict"),
    Global("torch", "FloatStorage"),
  )
  states = ({"dtype": "O"}, (None, {"__call__": 1, "__class__": 1, "dtype": "O"}))
  for target in targets:
    for state in states:
      line = refusal_of(tmp_path, file_format, {"w": Build(target, state)})
      assert "damaged" in line
  writer.write_arrays(tmp_path / "good.pt", {"w": WEIGHT}, file_format)
  np.testing.assert_array_equal(read_torch_file(tmp_path / "good.pt")["w"], WEIGHT)


def test_attributes_that_a_pickle_sets_are_dropped(tmp_path):
  state = Build(writer.ordered_dict({"w": writer.tensor("0", WEIGHT)}), {"items": 1})
  writer.write_zip(tmp_path / "f.pt", state, {"0": WEIGHT_BYTES})
  np.testing.assert_array_equal(read_torch_file(tmp_path / "f.pt")["w"], WEIGHT)


@pytest.mark.parametrize("module", [r"c\x6fllections", r"collections\d", r"\x"])
def test_refuses_names_with_escapes(tmp_path, module):
  # pickletools decodes them, the unpickler does not: only the plain name will do.
  content = Call(Global(module, "OrderedDict"), ())
  refusal_of(tmp_path, "zip", content)


def test_refuses_a_huge_memo(tmp_path):
  bomb = Raw(pickle.NONE + pickle.LONG_BINPUT + struct.pack("<I", 2**31 - 1))
  assert "memo entry" in refusal_of(tmp_path, "zip", {"w": bomb})


def test_a_name_cannot_write_to_the_terminal(tmp_path):
  for content in ({"\x1b[2J\n": 1}, {"w": Global("\x1b[2J", "evil")}):
    assert "\\x1b[2J" in refusal_of(tmp_path, "zip", content)


# Sizes, strides and offsets that lie


def lying_tensor(offset=0, shape=(2, 3), strides=(3, 1), size=6, reference=None):
  reference = reference or writer.storage("0", "f4", size)
  return Call(writer.REBUILD_TENSOR, (reference, offset, shape, strides, False, None))


@pytest.mark.parametrize(
  "lie",
  [
    {"offset": 1},
    {"offset": -1},
    {"offset": 2**62},
    {"offset": 0.0},
    {"offset": True},
    {"shape": (2, 4)},
    {"shape": (2**62, 2**62)},
    {"shape": (-2, -3)},
    {"shape": (2, 3, 1)},
    {"shape": [2, 3]},
    {"shape": 6},
    {"shape": (2, "3")},
    {"strides": (4, 1)},
    {"strides": (-3, 1)},
    {"strides": (2**61, 1)},
    {"shape": (1000, 1000), "strides": (0, 0)},
    {"shape": (1,) * 17, "strides": (1,) * 17},
    {"size": 7},
    {"size": 5},
    {"size": -6},
    {"size": 2**40},
    {"size": 6.0},
    {"reference": "no storage"},
    {"reference": writer.Persistent("storage")},
    {"reference": writer.Persistent(("module", Global("torch", "FloatStorage")))},
    {"reference": writer.Persistent(("storage", "FloatStorage", "0", "cpu", 6))},
    {"reference": writer.storage("1", "f4", 6)},
  ],
  ids=str,
)
@pytest.mark.parametrize("file_format", FORMATS)
def test_refuses_lies_about_a_tensor(tmp_path, file_format, lie):
  line = refusal_of(tmp_path, file_format, {"w": lying_tensor(**lie)})
  assert "is damaged or cut short" in line


@pytest.mark.parametrize("file_format", FORMATS)
def test_refuses_two_descriptions_of_one_storage(tmp_path, file_format):
  content = {
    "a": writer.tensor("0", WEIGHT),
    "b": lying_tensor(shape=(3,), strides=(1,), size=3),
  }
  assert "two descriptions" in refusal_of(tmp_path, file_format, content)


# Files that are something else, or not whole


@pytest.mark.parametrize(
  ("data", "words"),
  [
    (b"", "is empty"),
    (b"garbage" * 100, "is not a PyTorch file"),
    (pickle.dumps({"w": 1}), "is not a PyTorch file"),
    (b"PK\x03\x04" + bytes(100), "is damaged or cut short"),
    (writer.to_pickle(writer.MAGIC), "is damaged or cut short"),
  ],
)
def test_refuses_other_files(tmp_path, data, words):
  (tmp_path / "file").write_bytes(data)
  assert words in refusal(tmp_path / "file")


def test_refuses_what_cannot_be_opened(tmp_path):
  assert "No such file" in refusal(tmp_path / "nothing.pt")
  assert "directory" in refusal(tmp_path)


def test_refuses_a_tar_archive(tmp_path):
  (tmp_path / "member").write_bytes(b"content")
  with tarfile.open(tmp_path / "file.tar", "w") as archive:
    archive.add(tmp_path / "member", "member")
  assert "unpack it" in refusal(tmp_path / "file.tar")


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_refuses_other_zip_archives(tmp_path, compression):
  with zipfile.ZipFile(tmp_path / "file.zip", "w", compression) as archive:
    archive.writestr("readme.txt", "text " * 100)
  assert "zip archive" in refusal(tmp_path / "file.zip")


def test_refuses_an_unknown_legacy_version(tmp_path):
  writer.write_legacy(tmp_path / "file.pt", {}, {}, version=1002)
  assert "unknown version" in refusal(tmp_path / "file.pt")


@pytest.mark.parametrize("content", [[1, 2], 3, {"w": 3}, {1: None}, {"state_dict": 1}])
@pytest.mark.parametrize("file_format", FORMATS)
def test_refuses_what_is_no_dictionary_of_tensors(tmp_path, file_format, content):
  assert "save the model's state_dict()" in refusal_of(tmp_path, file_format, content)


@pytest.mark.parametrize("file_format", FORMATS)
def test_every_truncation_is_refused(tmp_path, file_format):
  path = tmp_path / "file.pt"
  writer.write_arrays(path, {"a": WEIGHT, "b": WEIGHT + 1}, file_format)
  data = path.read_bytes()
  for length in range(0, len(data), 7):
    path.write_bytes(data[:length])
    refusal(path)


@pytest.mark.parametrize("file_format", FORMATS)
def test_changed_bytes_are_refused_or_harmless(tmp_path, file_format):
  path = tmp_path / "file.pt"
  writer.write_arrays(path, {"a": WEIGHT, "b": WEIGHT + 1}, file_format)
  data = path.read_bytes()
  random = np.random.default_rng(0)
  for _ in range(400):
    changed = bytearray(data)
    for position in random.integers(0, len(data), random.integers(1, 4)):
      changed[position] = random.integers(256)
    path.write_bytes(changed)
    try:
      tensors = read_torch_file(path)
    except InputError as error:
      assert str(error).startswith(f"{path}: ") and str(error).isprintable()
    else:
      assert all(isinstance(array, np.ndarray) for array in tensors.values())
