"""A real Ray cluster on this machine: what dies begins again and ends with equal bytes.

`DIPVID_KILLS=10 pytest tests/clip_lists/test_on_ray.py -s` kills at as many moments.
"""

import contextlib
import csv
import os
import signal
import time
from pathlib import Path

import numpy as np
import pytest

from dipvid_jax.cli import inpaint
from dipvid_jax.clip_lists.inpaint_many import inpaint_many
from dipvid_jax.clip_lists.job import Job
from dipvid_jax.clip_lists.on_ray import step as step_module
from dipvid_jax.clip_lists.on_ray.step import Step, Surroundings, own_version, take_step
from dipvid_jax.method.recipes import load_config
from tests.support.clip_list import (
  COMMAND,
  SMALL,
  starting,
  write_clips,
  write_manifest,
)
from tests.support.run_results import assert_equal_runs
from tests.support.waiting import wait_until

KILLS = int(os.environ.get("DIPVID_KILLS", "1"))
_LENGTHS = {"a": 6, "long": 14}
_WHOLE = bool(os.environ.get("DIPVID_KILLS"))  # each time with both clips
_FLAGS = (*SMALL, "--config.rounds=12", "--window=8", "--overlap=2")


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
  """A short clip and one of two windows."""
  folder = tmp_path_factory.mktemp("clips")
  write_clips(folder, _LENGTHS)
  return folder


@pytest.fixture(scope="module")
def undisturbed(clips, tmp_path_factory):
  """The list's results from one process with one thread."""
  folder = tmp_path_factory.mktemp("undisturbed")
  manifest = write_manifest(clips, folder, list(_LENGTHS))
  with starting() as start:
    process = start(COMMAND, "--manifest", manifest, *_FLAGS, NPROC="1")
    said = process.communicate(timeout=300)
    assert process.returncode == 0, said
  return folder


# JAX warns of the fork with which a node is started; nothing of JAX runs there.
pytestmark = pytest.mark.filterwarnings(
  "ignore:.*_at_fork:pytest.PytestUnraisableExceptionWarning",
  "ignore:os.fork:RuntimeWarning",
)


@pytest.fixture(scope="module")
def cluster():
  """A head that takes no clips, and a node that takes two at a time."""
  cluster_utils = pytest.importorskip(
    "ray.cluster_utils", reason="Ray is not installed: pip install dipvid_jax[ray]"
  )
  settings = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # on 127.0.0.1 alone
    "RAY_gcs_rpc_server_reconnect_timeout_s": "10",
    "RAY_worker_niceness": "0",  # 15 by default: behind everything else here
  }
  with pytest.MonkeyPatch.context() as patch:
    for name, value in settings.items():
      patch.setenv(name, value)
    started = cluster_utils.Cluster(
      initialize_head=True,
      head_node_args=_node(num_cpus=0) | {"include_dashboard": False},
    )
    started.add_node(**_node(num_cpus=2))
    yield started
    started.shutdown()


def _node(*, num_cpus):
  return {
    "num_cpus": num_cpus,
    "node_ip_address": "127.0.0.1",
    "object_store_memory": 80_000_000,
  }


@pytest.fixture
def start():
  with starting() as start:
    yield start


def send(start, cluster, manifest, *flags):
  """Starts the command that works on the list."""
  return start(
    COMMAND,
    *("--manifest", manifest, "--ray", cluster.address, "--cpus-per-clip", "1"),
    *_FLAGS,
    *flags,
    PYTHONUNBUFFERED="1",
  )


def end(process, *, code=0):
  """Waits for a command; returns what it has said."""
  said = process.communicate(timeout=300)
  assert process.returncode == code, said
  return said[0]


def workers():
  """The processes that take steps, by what they take."""
  found = {}
  for place in Path("/proc").glob("[0-9]*"):
    with contextlib.suppress(OSError):
      words = (place / "cmdline").read_bytes().split(b"\0")[0].decode()
      if words.startswith("ray::line "):
        found[int(place.name)] = words
  return found


def has_begun(folder):
  """Whether there is a checkpoint of any clip that is not done."""
  return lambda: any(
    not (folder / name / "full.mp4").exists()
    for name in {path.relative_to(folder).parts[0] for path in checkpoints(folder)}
  )


def checkpoints(folder):
  """The checkpoints below a folder, whose other folders may go at any moment."""
  walk = os.walk(folder)  # a folder that has gone in between is passed over
  return [
    Path(at, name)
    for at, names, _ in walk
    if "checkpoints" in Path(at).parts
    for name in names
    if name.isdigit()
  ]


def assert_same_results(folder, undisturbed, names, *, marks=0):
  """Checks every result; `marks` that a killed command left are swept a day later."""
  for name in names:
    found, expected = folder / name, undisturbed / name
    assert_equal_runs(found, expected)
    videos = ["inpainted.mp4", "full.mp4"]
    flow = [str(p.relative_to(expected)) for p in expected.rglob("flow/**/*.npy")]
    assert flow
    for file in videos + flow:
      assert (found / file).read_bytes() == (expected / file).read_bytes(), file
    assert not (found / "windows").exists()
    assert len(list(found.glob(".sent-*"))) <= marks


def trials(folder, clips, few, *, others=()):
  """Lists, each with the moment of a kill in seconds after the first checkpoint.

  Yields:
    The list's folder, its file, the names of its clips but `others`, and a function
    that waits until a command's kill is due.
  """
  generator = np.random.default_rng(len(str(folder)))
  names = list(_LENGTHS) if _WHOLE else few
  for number, moment in enumerate([0.0, *generator.uniform(0, 3, KILLS)][:KILLS]):
    place = folder / str(number)
    place.mkdir()

    def wait(command, place=place, moment=moment):
      wait_until(has_begun(place), command)
      time.sleep(moment)

    yield place, write_manifest(clips, place, [*others, *names]), names, wait


def test_a_killed_worker_costs_what_follows_its_last_checkpoint(
  clips, undisturbed, cluster, start, tmp_path
):
  """A list with a bad clip, and one whose windows are tasks."""
  lists = trials(tmp_path, clips, ["long"], others=["words"])
  for folder, manifest, names, wait in lists:
    summary = folder / "summary.csv"
    command = send(start, cluster, manifest, "--summary", summary)
    wait(command)
    for process in list(workers())[:1]:
      with contextlib.suppress(ProcessLookupError):
        os.kill(process, signal.SIGKILL)
    said = end(command, code=1)
    count = len(names)
    table = said[said.index(f"{count + 1} clips: ") :].splitlines()
    assert table[0] == f"{count + 1} clips: {count} done, 1 failed"
    assert table[1].startswith("line 2  failed")
    assert "node " in table[1] and "words.mp4: " in table[1]
    assert_same_results(folder, undisturbed, names)
    with summary.open(newline="") as file:
      states = [row["state"] for row in csv.DictReader(file)]
    assert states == ["failed"] + count * ["done"]


def test_a_killed_node_costs_what_follows_the_last_checkpoints(
  clips, undisturbed, cluster, start, tmp_path
):
  """Two commands with one list: each clip is made once."""
  for folder, manifest, names, wait in trials(tmp_path, clips, ["a"]):
    commands = [send(start, cluster, manifest) for _ in range(2)]
    wait(commands[0])
    lost = [node for node in cluster.list_all_nodes() if node != cluster.head_node]
    cluster.remove_node(lost[0], allow_graceful=False)
    cluster.add_node(**_node(num_cpus=2))
    for command in commands:
      assert f"{len(names)} done" in end(command)
    assert_same_results(folder, undisturbed, names)


def test_after_a_killed_command_the_same_command_continues(
  clips, undisturbed, cluster, start, tmp_path
):
  for folder, manifest, names, wait in trials(tmp_path, clips, ["a"]):
    command = send(start, cluster, manifest)
    wait(command)
    command.kill()
    command.communicate()
    wait_until(lambda: not workers(), seconds=20)
    assert f"{len(names)} done" in end(send(start, cluster, manifest))
    assert_same_results(folder, undisturbed, names, marks=2)


def test_when_the_head_dies_the_command_ends_and_no_worker_goes_on(
  clips, cluster, start, tmp_path
):
  """The last test of this cluster."""
  manifest = write_manifest(clips, tmp_path, ["a"])
  command = send(start, cluster, manifest, "--config.rounds=2000")
  wait_until(has_begun(tmp_path), command)
  running = set(workers())
  assert running
  began = time.monotonic()
  cluster.head_node.kill_gcs_server()
  _, error = command.communicate(timeout=60)
  assert command.returncode == 1
  assert time.monotonic() - began < 30
  assert "head has not answered for" in error
  assert "the same command continues" in error
  wait_until(lambda: not running & set(workers()), seconds=30)


def test_clips_that_no_node_has_the_memory_for_are_not_tried_for_ever(
  clips, start, tmp_path
):
  """Ray's own limit is set so low that it kills whatever begins."""
  pytest.importorskip("ray", reason="Ray is not installed: pip install dipvid_jax[ray]")
  manifest = write_manifest(clips, tmp_path, ["a"])
  command = start(
    COMMAND,
    *("--manifest", manifest, "--ray", "local", "--cpus-per-clip", "1", *_FLAGS),
    RAY_memory_usage_threshold="0.0001",
    RAY_memory_monitor_refresh_ms="50",
  )
  said = end(command, code=1)
  assert "failed: its node ran out of memory; use a smaller --size" in said
  assert "3 attempts left no new checkpoint" in said


def test_an_address_where_nothing_answers_is_one_line(clips, tmp_path, capsys):
  pytest.importorskip("ray", reason="Ray is not installed: pip install dipvid_jax[ray]")
  manifest = write_manifest(clips, tmp_path, ["a"])
  began = time.monotonic()
  flags = ("--manifest", str(manifest), *_FLAGS, "--ray")
  assert inpaint.main([*flags, "127.0.0.1:1"]) == 2
  assert time.monotonic() - began < 10
  assert "--ray 127.0.0.1:1: nothing answers there" in capsys.readouterr().err
  assert inpaint.main([*flags, "cluster"]) == 2
  assert "is neither local, auto nor HOST:PORT" in capsys.readouterr().err
  assert not (tmp_path / "a").exists()


def test_without_ray_it_is_one_line(clips, tmp_path, capsys, monkeypatch):
  monkeypatch.setitem(__import__("sys").modules, "ray", None)
  manifest = write_manifest(clips, tmp_path, ["a"])
  assert inpaint.main(["--manifest", str(manifest), "--ray", "local"]) == 2
  said = capsys.readouterr()
  assert said.err.endswith("install dipvid_jax[ray], or leave out --ray\n")
  assert said.err.count("\n") == 1


@pytest.mark.parametrize("name", ["s3://bucket/a.mp4", "https://x.org/a.mp4"])
def test_addresses_are_no_paths(name, tmp_path, capsys):
  flags = ["--mask", "m.png", "--output", str(tmp_path / "out")]
  assert inpaint.main(["--video", name, *flags]) == 2
  assert "is an address, not a file or folder" in capsys.readouterr().err
  assert inpaint.main(["--video", "v.mp4", "--mask", "m.png", "--output", name]) == 2
  assert "--output" in capsys.readouterr().err


@pytest.fixture
def misfit(tmp_path, monkeypatch):
  """What a step comes to on a node that the command's surroundings do not suit."""
  monkeypatch.setattr(step_module, "_end_with_parent", lambda: None)
  monkeypatch.setattr(step_module, "_take", lambda step: pytest.fail("it is taken"))
  config = load_config("fast", video="v", mask="m", output=str(tmp_path / "out"))

  def misfit(mark, version):
    surroundings = Surroundings(mark, version, cpus=1, gpus=0)
    outcome = take_step(Step(Job(config)), surroundings)
    assert outcome.state == "failed" and outcome.note.startswith("node ")
    return outcome.note

  return misfit


def test_a_node_that_does_not_share_the_folder_is_named(misfit, tmp_path):
  assert "mount the shared folder" in misfit(tmp_path / "none", own_version())


def test_a_node_with_another_version_is_named(misfit, tmp_path):
  (tmp_path / "mark").touch()
  assert "has dipvid_jax" in misfit(tmp_path / "mark", "9.9")


def test_the_library_works_on_this_machine(clips, undisturbed, tmp_path):
  pytest.importorskip("ray", reason="Ray is not installed: pip install dipvid_jax[ray]")
  values = dict(word.removeprefix("--config.").split("=") for word in SMALL)
  size = tuple(map(int, values.pop("size").split(",")))
  values = {key: __import__("ast").literal_eval(value) for key, value in values.items()}
  config = load_config(
    "fast",
    video=str(clips / "a.mp4"),
    mask=str(clips / "a-mask.mp4"),
    output=str(tmp_path / "a"),
    seed=1,  # as the list has it
    size=size,
    rounds=12,
    **values,
  )
  outcomes = inpaint_many([config], ray="local", cpus_per_clip=1)
  assert [outcome.state for outcome in outcomes] == ["done"]
  assert_equal_runs(tmp_path / "a", undisturbed / "a")
