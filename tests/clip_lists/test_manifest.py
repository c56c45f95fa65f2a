"""Lists of clips: what they may contain, and one error line with the place if not."""

import pathlib

import pytest

from dipvid_jax.cli import inpaint, inpaint_many
from dipvid_jax.clip_lists.manifest import read_manifest
from dipvid_jax.errors import InputError

_KEYS = (
  *("video", "mask", "tfds", "video_id", "output", "seed", "dilate"),
  *("mask_object", "flow.weights"),
)


@pytest.fixture
def folder(tmp_path):
  """A folder with files that rows can name."""
  for name in ("a.mp4", "b.mp4", "m.png", "ü 1.mp4"):
    (tmp_path / name).touch()
  (tmp_path / "set").mkdir()
  return tmp_path


def read(folder, text, encoding="utf-8"):
  path = folder / "clips.csv"
  path.write_bytes(text.encode(encoding))
  return read_manifest(path, keys=_KEYS)


def test_rows_hold_settings_and_paths_beside_the_manifest(folder):
  (row,) = read(
    folder,
    "video,mask,output,config.seed,dilate,object,config\n"
    f"a.mp4,{folder}/m.png,out/a,3,,2,fast.py\n",
  )
  assert row == (
    2,
    folder / "out/a",
    "fast.py",
    {
      "video": str(folder / "a.mp4"),
      "mask": str(folder / "m.png"),
      "seed": "3",
      "mask_object": "2",
    },
  )


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_what_spreadsheets_write_is_read(folder, encoding, end):
  lines = ["output,video,mask", "", 'out , "ü 1.mp4",m.png', ",,", "o2,b.mp4,m.png", ""]
  rows = read(folder, end.join(lines), encoding)
  assert [row.line for row in rows] == [3, 5]
  assert rows[0].settings["video"] == str(folder / "ü 1.mp4")


def test_one_list_may_mix_data_sets_and_files(folder):
  rows = read(
    folder,
    "video,mask,tfds,video_id,output\n"
    "a.mp4,m.png,,,1\n,,set,bear,2\n,,davis/480p,bear,3\n",
  )
  assert [row.settings.get("tfds") for row in rows] == [
    None,
    str(folder / "set"),
    "davis/480p",
  ]


def test_a_config_in_a_folder_lies_beside_the_manifest(folder):
  (row,) = read(folder, "video,mask,output,config\na.mp4,m.png,o,mine/x.py\n")
  assert row.config == str(folder / "mine/x.py")


_HEAD = "video,mask,output\n"
_ROW = "a.mp4,m.png,o\n"


@pytest.mark.parametrize(
  ("text", "line", "said"),
  [
    ("", 1, "is empty"),
    ("\n\n", 1, "is empty"),
    (_ROW, 1, "unknown column 'a.mp4'; the first line names the columns"),
    ("video;mask;output\n", 1, "separated by commas"),
    ("video,mask,output,sed\n", 1, "unknown column 'sed'"),
    ("video,mask,output,config.sed\n", 1, "unknown column 'config.sed'"),
    ("video,mask,output,\n", 1, "unknown column ''"),
    ("video,mask,output,seed,config.seed\n", 1, "appears twice"),
    ("video,mask\n", 1, "no column output"),
    ("video,output\n", 1, "no columns video and mask, nor tfds and video_id"),
    (_HEAD, 1, "no clips follow"),
    (_HEAD + _ROW + "b.mp4,m.png\n", 3, "has 2 cells, the first line has 3"),
    (_HEAD + "\nb.mp4,m.png,o,1\n", 3, "has 4 cells, the first line has 3"),
    (_HEAD + _ROW + "b.mp4,m.png,x/../o\n", 3, "is already used in line 2"),
    (_HEAD + "a.mp4,m.png,\n", 2, "output is empty"),
    (_HEAD + "a.mp4,,o\n", 2, "mask is empty"),
    (_HEAD + "c.mp4,m.png,o\n", 2, "c.mp4: no such file"),
    (_HEAD + f"{'x' * 300},m.png,o\n", 2, "no such file"),
    (_HEAD + 'a.mp4,m.png,"o\n', 2, "is not CSV"),
    (_HEAD + 'a.mp4,m.png,"o"x\n', 2, "is not CSV"),
    ("tfds,video_id,output\nset,,o\n", 2, "video_id is empty"),
    (
      "video,mask,tfds,video_id,output\na.mp4,m.png,set,x,o\n",
      2,
      "tfds and video exclude",
    ),
    (
      "video,mask,output,flow.weights\na.mp4,m.png,o,none.pth\n",
      2,
      "none.pth: no such file",
    ),
  ],
)
def test_a_bad_manifest_is_one_error_line_with_its_place(folder, text, line, said):
  with pytest.raises(InputError) as error:
    read(folder, text)
  words = str(error.value)
  assert words.startswith(f"{folder / 'clips.csv'}, line {line}: ")
  assert said in words and "\n" not in words


@pytest.mark.parametrize(
  ("encoding", "line", "said"), [("utf-16", 1, "UTF-16"), ("latin-1", 3, "not UTF-8")]
)
def test_other_encodings_are_named(folder, encoding, line, said):
  with pytest.raises(InputError, match=rf"clips\.csv, line {line}: .*{said}"):
    read(folder, f"{_HEAD}{_ROW}ü.mp4,m.png,p\n", encoding)


def test_a_file_of_zeros_is_a_bad_manifest(folder):
  with pytest.raises(InputError, match=r"clips\.csv, line "):
    read(folder, "\0\0\0\n")


def run(folder, text, *flags):
  (folder / "clips.csv").write_text(text)
  return inpaint.main(["--manifest", str(folder / "clips.csv"), *flags])


@pytest.mark.parametrize(
  ("text", "flags", "said"),
  [
    (_HEAD, ("--video", "x"), "--manifest and --video exclude each other"),
    (_HEAD, ("--video-id", "x"), "--manifest and --video-id exclude each other"),
    (_HEAD, ("--overwrite",), "remove the outputs"),
    (_HEAD + _ROW, ("--line", "1"), "in lines 2 to 2"),
    (_HEAD, ("--gpus-per-clip", "0.5"), "--gpus-per-clip: is of tasks; add --ray"),
    (_HEAD, ("--cpus-per-clip", "2"), "--cpus-per-clip: is of tasks; add --ray"),
    (_HEAD, ("--config", "none.py"), "none.py"),
    (_HEAD, ("--config.sed=1",), "sed"),
    (_HEAD, ("stray",), "stray"),
    (f"config,{_HEAD}none.py,{_ROW}", (), "clips.csv, line 2: --config none.py"),
    (f"seed,{_HEAD}1,{_ROW}-1,b.mp4,m.png,p", (), "clips.csv, line 3: config.seed"),
    (f"seed,{_HEAD}many,{_ROW}", (), "clips.csv, line 2: "),
    (f"size,{_HEAD}12,{_ROW}", (), "clips.csv, line 2: size: '12' is not height x"),
    (f"config.levels,{_HEAD}9,{_ROW}", (), "clips.csv, line 2: config.levels"),
  ],
)
def test_nothing_runs_unless_the_whole_list_is_valid(
  folder, capsys, monkeypatch, text, flags, said
):
  monkeypatch.setattr(inpaint_many, "settle", None)
  assert run(folder, text, *flags) == 2
  error = capsys.readouterr().err
  assert error.startswith("inpaint: ") and error.count("\n") == 1
  assert said in error
  assert not (folder / "o").exists()


def test_a_missing_manifest_is_named(tmp_path, capsys):
  assert inpaint.main(["--manifest", str(tmp_path / "none.csv")]) == 2
  assert "none.csv: cannot be read (No such file" in capsys.readouterr().err


def test_a_row_wins_over_the_command(folder):
  path = folder / "clips.csv"
  path.write_text(f"seed,config,size,{_HEAD}7,flow.py,192x768,{_ROW},,,b.mp4,m.png,p\n")
  words = ["--manifest", str(path), "--seed", "3", "--dilate", "2"]
  arguments = inpaint.make_parser().parse_args(words)
  jobs = inpaint_many.read_jobs(
    arguments,
    given={"seed": 3, "dilate": 2},
    overrides=["--config.seed=5", "--config.rounds=1"],
  )
  keys = ("seed", "dilate", "rounds", "carry", "size")
  held = [(job.line, *(job.config.values()[key] for key in keys)) for job in jobs]
  assert held == [(2, 7, 2, 1, False, (192, 768)), (3, 3, 2, 1, True, (192, 384))]
  assert [pathlib.Path(job.config.output.folder).name for job in jobs] == ["o", "p"]
