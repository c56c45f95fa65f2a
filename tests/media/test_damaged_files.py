"""Files damaged at random: arrays or one line, soon, and within a GiB of memory.

`DIPVID_FUZZ=300` tries that many in place of a few; their figures are printed with -s.
"""

import json
import os
import pathlib
import subprocess
import sys

import pytest

from tests.support.damaged_files import write_damaged

COUNT = int(os.environ.get("DIPVID_FUZZ", "30"))
ROOT = pathlib.Path(__file__).parents[2]


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory):
  """What became of each input, with the kind of its file."""
  folder = tmp_path_factory.mktemp("damaged") / "inputs"
  kinds = write_damaged(folder, COUNT)
  command = [sys.executable, "-m", "tests.support.limited_reader", folder, str(COUNT)]
  done = subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
  told = [json.loads(line) for line in done.stdout.splitlines()]
  assert len(told) == COUNT
  return [
    {"input": i, "kind": k} | o
    for i, (k, o) in enumerate(zip(kinds, told, strict=True))
  ]


@pytest.mark.parametrize("content", ["video", "mask"])
def test_a_damaged_file_gives_arrays_or_one_line(outcomes, content):
  others = [o for o in outcomes if o[content] not in ("arrays", "line")]
  assert not others
  arrays = sum(o[content] == "arrays" for o in outcomes)
  print(f"\n{content}: arrays of {arrays}, one line of {COUNT - arrays}")


@pytest.mark.parametrize(("measure", "most"), [("seconds", 5), ("mebibytes", 1024)])
def test_a_damaged_file_takes_little(outcomes, measure, most):
  worst = max(outcomes, key=lambda outcome: outcome[measure])
  print(f"\nmost {measure}: {worst[measure]:.2f}, {worst['kind']}")
  assert worst[measure] < most, worst
