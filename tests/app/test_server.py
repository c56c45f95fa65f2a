"""The page's server without a browser: who gets in, and what its addresses do."""

import io
import socket
import sys
import time
import types
import zipfile

import cv2
import numpy as np
import pytest

pytest.importorskip("starlette", reason="pip install 'dipvid_jax[app]'")

from starlette.testclient import TestClient

from dipvid_jax.app import removal
from dipvid_jax.app import session as session_module
from dipvid_jax.app.guard import Guard
from dipvid_jax.app.routes import Routes
from dipvid_jax.app.session import Session
from dipvid_jax.cli import mask
from dipvid_jax.errors import InputError
from dipvid_jax.masking.painting import Painting, SceneLooks
from dipvid_jax.media.masks import read_mask
from tests.support.heeded_ctrl_c import heeded_ctrl_c  # noqa: F401
from tests.support.media_files import encode, moving_frames
from tests.support.no_looks import no_looks
from tests.support.waiting import wait_until

_T, _H, _W = 5, 32, 48
_PORT = 8765
_ADDRESS = f"http://127.0.0.1:{_PORT}"
_OWN = {"Origin": _ADDRESS}


@pytest.fixture
def clip(tmp_path):
  return encode(tmp_path / "clip.mkv", moving_frames(_T, _H, _W))


def connect(session, *, most_upload=2**20):
  app = Guard(
    Routes(session, most_upload=most_upload).app(),
    token="right",
    host="127.0.0.1",
    port=_PORT,
  )
  return TestClient(app, base_url=_ADDRESS, headers=_OWN)


def let_in(client):
  assert client.get("/?token=right", follow_redirects=False).status_code == 303
  return client


def wait(client, state="done"):
  until = time.monotonic() + 30
  while (job := client.get("/api/state").json()["job"])["state"] == "running":
    assert time.monotonic() < until, job
    time.sleep(0.02)
  assert job["state"] == state, job
  return job


def opened(folder, clip, **limits):
  session = Session(folder)
  session.begin_opening(clip, clip.name)
  client = let_in(connect(session, **limits))
  wait(client)
  return client


def png(labels):
  return cv2.imencode(".png", labels)[1].tobytes()


def picture(client, path):
  answer = client.get(path)
  assert answer.status_code == 200, answer.text
  data = np.frombuffer(answer.content, np.uint8)
  return cv2.imdecode(data, cv2.IMREAD_UNCHANGED)


def box(*rows_and_columns, value=1):
  labels = np.zeros((_H, _W), np.uint8)
  top, bottom, left, right = rows_and_columns
  labels[top:bottom, left:right] = value
  return labels


def refusal(answer, status=409):
  assert answer.status_code == status, answer.text
  return answer.json()["error"]


def test_only_the_own_window_gets_in(tmp_path):
  client = connect(Session(tmp_path / "out"))
  assert "token" in refusal(client.get("/api/state"), 403)
  assert "wrong" in refusal(client.get("/?token=other"), 403)
  assert "cookie" not in client.get("/?token=other").headers
  answer = client.get("/?token=right", follow_redirects=False)
  said = answer.headers["set-cookie"]
  assert "HttpOnly" in said and "SameSite=strict" in said
  assert answer.headers["location"] == "/"
  answer = client.get("/api/state")
  assert answer.status_code == 200
  assert "default-src 'self'" in answer.headers["content-security-policy"]
  for host in ("evil.org", f"evil.org:{_PORT}", "127.0.0.1:1", f"a@127.0.0.1:{_PORT}"):
    assert "host" in refusal(client.get("/api/state", headers={"Host": host}), 403)
  assert "host" in refusal(client.get("/?token=right", headers={"Host": "evil"}), 403)
  for origin in ("http://evil.org", "null", "http://127.0.0.1:1"):
    answer = client.post("/api/stop", headers={"Origin": origin})
    assert "another site" in refusal(answer, 403)
  del client.headers["Origin"]
  assert "Origin" in refusal(client.post("/api/stop"), 403)


def test_no_file_beside_the_page_is_served(tmp_path):
  client = let_in(connect(Session(tmp_path / "out")))
  assert client.get("/page/index.html").headers["content-type"].startswith("text/html")
  for name in ("../clip.py", "..%2fclip.py", "%2e%2e/clip.py", "none.js", "", "."):
    assert client.get(f"/page/{name}").status_code == 404
  assert client.get("/api/download/..%2fsession.json").status_code == 404


def test_what_is_said_of_frames_comes_back_and_is_kept(tmp_path, clip):
  client = opened(tmp_path / "out", clip)
  before = client.get("/api/state").json()
  assert before["clip"] == {
    **{"name": "clip.mkv", "frame_count": _T, "width": _W, "height": _H},
    "frame_rate": before["clip"]["frame_rate"],
  }
  painted, strokes = box(4, 9, 10, 20), box(1, 3, 1, 3, value=255)
  coloured = np.dstack([0 * painted, 0 * painted, 2 * painted])  # red, for OpenCV
  assert client.put("/api/labels/1.png", content=png(coloured)).status_code == 204
  assert client.put("/api/strokes/3.png", content=png(strokes)).status_code == 204
  np.testing.assert_array_equal(picture(client, "/api/labels/1.png"), 2 * painted)
  np.testing.assert_array_equal(picture(client, "/api/strokes/3.png"), strokes)
  assert not picture(client, "/api/strokes/0.png").any()
  assert client.post("/api/lock/1", json={"locked": True}).status_code == 204
  assert "locked" in refusal(client.put("/api/labels/1.png", content=png(painted)))
  assert client.post("/api/settings", json={"dilation": 2}).status_code == 204
  state = client.get("/api/state").json()
  frame = state["frames"][1]
  assert frame["painted"] and frame["locked"] and frame["marked"]
  assert frame["version"] > before["frames"][1]["version"] and frame["confidence"] == 1
  assert state["objects"] == 2 and state["stale"] and state["dilation"] == 2
  assert state["frames"][3]["strokes"] and not state["frames"][3]["marked"]

  client = opened(tmp_path / "out", clip)
  again = client.get("/api/state").json()
  for number in (1, 3):
    old, new = state["frames"][number], again["frames"][number]
    assert {k: v for k, v in old.items() if k != "version"} == {
      k: v for k, v in new.items() if k != "version"
    }
  assert again["dilation"] == 2
  client.post("/api/lock/1", json={"locked": False})
  assert client.delete("/api/labels/1.png").status_code == 204
  assert not picture(client, "/api/labels/1.png").any()


@pytest.mark.parametrize(
  ("method", "path", "content", "status", "words"),
  [
    ("put", "/api/labels/0.png", b"no png", 409, "PNG of 48 x 32"),
    ("put", "/api/labels/0.png", png(np.zeros((8, 9), np.uint8)), 409, "has 9 x 8"),
    ("put", "/api/labels/0.png", png(box(0, 1, 0, 1, value=255)), 409, "1 to 254"),
    ("put", "/api/labels/0.png", png(box(0, 1, 0, 1))[:50], 409, "damaged"),
    ("put", "/api/labels/9.png", png(box(0, 1, 0, 1)), 404, "frames 0 to 4"),
    ("post", "/api/settings", b'{"dilation": 101}', 409, "0 to 100"),
    ("post", "/api/settings", b'{"dilation": true}', 409, "of type int"),
    ("post", "/api/settings", b"[", 409, "must be JSON"),
    ("post", "/api/lock/0", b'{"locked": "yes"}', 409, "of type bool"),
    ("post", "/api/propagate", b"{}", 409, "paint the object"),
    ("post", "/api/save", b"{}", 409, "no frame has a mask"),
    ("post", "/api/inpaint", b'{"config": "fast.py"}', 409, "no frame has a mask"),
    ("post", "/api/none", b"", 404, "Not Found"),
  ],
  ids=lambda value: value.replace(" ", "-") if isinstance(value, str) else "",
)
def test_bad_requests_are_one_line(
  tmp_path, clip, method, path, content, status, words
):
  client = opened(tmp_path / "out", clip)
  error = refusal(getattr(client, method)(path, content=content), status)
  assert words in error and "\n" not in error


def test_a_clip_is_taken_under_a_name_of_ours_if_it_is_one(tmp_path, clip):
  client = let_in(connect(Session(tmp_path / "out"), most_upload=50_000))
  hostile = "../../a\\..\\evil\x07.mkv"
  files = {"file": (hostile, clip.read_bytes())}
  assert client.post("/api/clip", files=files).status_code == 200
  wait(client)
  assert client.get("/api/state").json()["clip"]["name"].startswith("evil")
  stored = [p.name for p in (tmp_path / "out/page/upload").iterdir()]
  assert stored == ["clip.mkv"]
  assert not list(tmp_path.glob("*evil*"))
  answer = client.post("/api/clip", files={"file": ("x.mp4", b"0" * 70_000)})
  assert "larger than" in refusal(answer, 413)
  assert "no file" in refusal(client.post("/api/clip", files={"other": ("x", b"1")}))
  client.put("/api/labels/0.png", content=png(box(1, 5, 1, 5)))
  assert "another" in refusal(client.post("/api/clip", files=files))
  other = let_in(connect(Session(tmp_path / "other")))
  other.post("/api/clip", files={"file": ("x.png", b"words")})
  assert "clip.mp4" in wait(other, "failed")["message"]


def test_masks_are_proposed_stopped_and_written(tmp_path, clip, monkeypatch):
  client = opened(tmp_path / "out", clip)
  client.put("/api/labels/1.png", content=png(box(4, 9, 10, 20)))
  release, given_looks = [], []

  def propagate(frames, painted, scenes, *, looks, strokes, on_progress):
    given_looks.append(set(looks))
    labels = np.zeros(frames.shape[:3], np.uint8)
    for number in range(len(frames)):
      labels[number, 4:9, 10 + number : 20 + number] = 1
    if len(given_looks) == 2:  # said while it works: it does not know of it
      client.put("/api/strokes/0.png", content=png(box(0, 1, 0, 1, value=255)))
    while not release:
      on_progress(0)
      time.sleep(0.01)
    for number, image in painted.items():
      labels[number] = image
    confidence = {number: 0.5 for number in range(len(frames))} | {1: 1.0}
    scene = SceneLooks(scenes[0], no_looks(frames[scenes[0]]))
    return Painting(labels, confidence, 4, (), {0: scene})

  monkeypatch.setattr(session_module, "propagate_scenes", propagate)
  assert client.post("/api/propagate", json={}).status_code == 202
  assert "still at work" in refusal(client.post("/api/propagate", json={}))
  client.post("/api/stop", json={})
  wait(client, "stopped")
  release.append(True)
  client.post("/api/propagate", json={})
  wait(client)
  state = client.get("/api/state").json()
  assert state["next_to_paint"] == 4 and state["stale"]
  assert [frame["confidence"] for frame in state["frames"]] == [0.5, 1, 0.5, 0.5, 0.5]
  np.testing.assert_array_equal(picture(client, "/api/labels/3.png"), box(4, 9, 13, 23))
  client.put("/api/strokes/3.png", content=png(box(4, 9, 13, 15, value=255)))
  np.testing.assert_array_equal(picture(client, "/api/labels/3.png"), box(4, 9, 15, 23))

  client = opened(tmp_path / "out", clip)  # it is still there after a new start
  np.testing.assert_array_equal(picture(client, "/api/labels/3.png"), box(4, 9, 15, 23))
  client.post("/api/propagate", json={})
  wait(client)
  assert given_looks == [set(), set(), {0}]
  assert not client.get("/api/state").json()["stale"]
  client.post("/api/settings", json={"dilation": 1})
  answer = client.get("/api/download/masks.zip")
  with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
    assert len(archive.namelist()) == _T
  masks = read_mask(tmp_path / "out/masks", frame_count=_T, size=(_H, _W))[..., 0] > 0
  cross = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
  np.testing.assert_array_equal(masks[3], cv2.dilate(box(4, 9, 15, 23), cross) > 0)
  assert client.get("/api/download/mask.mp4").status_code == 200
  assert client.get("/api/download/result.mp4").status_code == 404


_STAND_IN = """#!/bin/sh
echo "$@" >> {log}
mkdir -p {out}/frames
cp {frame} {out}/frames/00000.png
if [ -f {wait} ]; then
  trap 'echo interrupted; exit 130' INT
  while :; do sleep 0.05; done
fi
if [ -f {bad} ]; then echo 'inpaint: no'; exit 2; fi
if [ -f {none} ]; then exit 0; fi
touch {out}/inpainted.mp4
echo 'done: it'
"""


def test_the_removal_is_run_stopped_and_continued(tmp_path, clip, monkeypatch):
  out = tmp_path / "out"
  paths = {name: tmp_path / name for name in ("log", "wait", "bad", "none", "frame")}
  paths["frame"].write_bytes(png(np.full((_H, _W, 3), 77, np.uint8)))
  command = tmp_path / "python"
  command.write_text(_STAND_IN.format(out=out / "result", **paths))
  command.chmod(0o755)
  monkeypatch.setattr(removal, "sys", types.SimpleNamespace(executable=str(command)))
  client = opened(out, clip)
  client.put("/api/labels/1.png", content=png(box(4, 9, 10, 20)))
  run = {"config": "fast.py"}
  assert "not one of" in refusal_of_job(client, {"config": "../../evil.py"})
  paths["wait"].touch()
  assert client.post("/api/inpaint", json=run).status_code == 202
  wait_until(lambda: client.get("/api/state").json()["job"]["done"] > 0, seconds=20)
  client.post("/api/stop", json={})
  wait(client, "stopped")
  assert client.get("/api/state").json()["result"] is None
  assert client.get("/api/result/0.jpg").status_code == 404
  client.post("/api/inpaint", json=run)  # it was stopped before there was a run
  wait_until(lambda: len(paths["log"].read_text().splitlines()) == 2, seconds=20)
  (out / "result/config.json").write_text("{}")
  client.post("/api/stop", json={})
  wait(client, "stopped")
  paths["wait"].unlink()
  client.post("/api/inpaint", json=run)
  assert wait(client)["message"] == "done: it"
  ends = [line.split()[-1] for line in paths["log"].read_text().splitlines()]
  assert ends == ["--overwrite", "--overwrite", "--resume"]
  assert client.get("/api/state").json()["result"]["version"] > 0
  assert abs(int(picture(client, "/api/result/0.jpg")[0, 0, 0]) - 77) < 3
  assert client.get("/api/download/result.mp4").status_code == 200
  (out / "result/inpainted.mp4").unlink()
  paths["none"].touch()
  client.post("/api/inpaint", json=run)
  assert wait(client, "failed")["message"] == "it ended without a result"
  paths["bad"].touch()
  client.post("/api/inpaint", json=run)
  assert wait(client, "failed")["message"] == "inpaint: no"


def test_one_removal_begins_at_a_time(tmp_path, clip, monkeypatch):
  client = opened(tmp_path / "out", clip)
  client.put("/api/labels/1.png", content=png(box(4, 9, 10, 20)))
  refused = []

  def save(session):
    with pytest.raises(InputError, match="still at work"):
      session.begin_removal("fast.py")
    refused.append(True)
    raise InputError("enough")

  monkeypatch.setattr(Session, "save", save)
  answer = client.post("/api/inpaint", json={"config": "fast.py"})
  assert "enough" in refusal(answer) and refused


def refusal_of_job(client, value):
  client.post("/api/inpaint", json=value)
  return wait(client, "failed")["message"]


def test_wrong_flags_are_one_line(tmp_path, clip, capsys, monkeypatch):
  output = ("--serve", "--output", str(tmp_path / "out"))

  def refuse(*flags):
    assert mask.main([*output, *flags]) == 2
    said = capsys.readouterr().err
    assert said.startswith("mask: ") and said.count("\n") == 1
    return said

  with socket.socket() as taken:
    taken.bind(("127.0.0.1", 0))
    taken.listen()
    assert "choose another" in refuse("--port", str(taken.getsockname()[1]))
  assert "on the page" in refuse("--box", "1,1,2,2")
  assert "on the page" in refuse("--dilate", "2")
  assert "65535" in refuse("--port", "70000")
  assert "at least 1" in refuse("--max-upload", "0")
  (tmp_path / "out/masks").mkdir(parents=True)
  (tmp_path / "out/masks/mine.png").touch()
  assert "in the way" in refuse("--video", str(clip))
  monkeypatch.setitem(sys.modules, "uvicorn", None)
  monkeypatch.setattr(
    "dipvid_jax.cli.serve_masks.importlib.util.find_spec", lambda name: None
  )
  assert "dipvid_jax[app]" in refuse()
  assert mask.main(["--output", str(tmp_path / "o")]) == 2
  assert "--video is missing" in capsys.readouterr().err
