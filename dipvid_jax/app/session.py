"""What the page works on: a clip, what was said of it, masks, and a job.

Everything is kept in files of `page/` in the output folder, so that the command can be
ended and started again at any moment.
"""

import hashlib
import json
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from dipvid_jax.app.clip import OpenClip, open_clip
from dipvid_jax.app.edits import Edits
from dipvid_jax.app.job import Job
from dipvid_jax.app.kept_looks import KeptLooks
from dipvid_jax.app.proposal import Proposal, read_proposal, write_proposal
from dipvid_jax.app.removal import remove
from dipvid_jax.errors import InputError
from dipvid_jax.masking.mask_folder import MaskFolder
from dipvid_jax.masking.painting import painting_work, propagate_scenes
from dipvid_jax.media.images import frame_path
from dipvid_jax.media.masks import dilate
from dipvid_jax.runs.folder import RunFolder
from dipvid_jax.storage import atomic

MOST_DILATION = 100
MOST_OBJECTS = 254


class Session:
  """A clip and its masks, as the page edits them."""

  def __init__(self, folder: Path):
    """Continues what a folder holds, or begins.

    Args:
      folder: the output folder, that of the masks.
    """
    self.folder = folder
    self.own = folder / "page"
    self.result_folder = folder / "result"
    self.masks = MaskFolder(folder)
    self.clip: OpenClip | None = None
    self.job: Job | None = None
    self._kept = _read_settings(self.own / "session.json")
    self._edits = Edits(self.own)
    self._proposal = Proposal.empty()
    self._looks = KeptLooks(self.own / "looks")
    self._versions: dict[int, int] = {}
    self._began = int(time.time())  # later than every version of an earlier server
    self._changes = 0  # edits since the start
    self._begins_removal = False
    self._lock = threading.RLock()

  # The clip

  def begin_opening(self, path: Path, name: str) -> None:
    """Opens a clip in a job.

    Raises:
      InputError: another clip's masks are in the folder, or a job is at work.
    """
    self._check_idle()
    held = self._kept.get("clip")
    mine = str(path.absolute())
    if held not in (None, mine) and (self._edits.truth or self._edits.strokes):
      raise InputError(
        f"{self.folder} holds masks of {held}; start bin/mask --serve with another"
        " --output"
      )

    def work(job: Job) -> str:
      clip = open_clip(path, name, on_progress=job.advance)
      with self._lock:
        self._check_edits(clip)
        self._proposal = read_proposal(self.own, clip)
        self._looks.read(clip)
        self._versions = {}
        self.clip = clip
        self._keep(clip=mine, name=name)
      return f"{name}: {len(clip.video.frames)} frames"

    self.job = Job("open", work)

  def check_free_for_another(self) -> None:
    """Checks that a clip may be sent: it must not replace one that is worked on.

    Raises:
      InputError: something was said of the clip that is open, or a job is at work.
    """
    self._check_idle()
    if self._kept.get("clip") and (self._edits.truth or self._edits.strokes):
      raise InputError(
        f"{self.folder} holds masks of {self._kept.get('name')}; start bin/mask --serve"
        " with another --output for another clip"
      )

  @property
  def kept_clip(self) -> tuple[Path, str] | None:
    """The clip that was open when the command ended."""
    path = self._kept.get("clip")
    return (Path(path), self._kept.get("name", Path(path).name)) if path else None

  def _check_edits(self, clip: OpenClip) -> None:
    """What is kept must fit the clip, whose file may have changed."""
    count, size = len(clip.video.frames), clip.size
    for images in (self._edits.truth, self._edits.strokes):
      for number, image in images.items():
        if number >= count or image.shape != size:
          raise InputError(
            f"{self.own}: frame {number} was painted at another size or length of the"
            " clip; name another --output"
          )

  def require_clip(self) -> OpenClip:
    """The open clip.

    Raises:
      InputError: there is none.
    """
    if self.clip is None:
      raise InputError("no clip is open")
    return self.clip

  # Edits

  def labels(self, number: int) -> np.ndarray:
    """The masks of a frame as they stand, `[H, W]` uint8."""
    with self._lock:
      truth = self._edits.truth.get(number)
      if truth is not None:
        return truth
      labels = self._proposal.frame(number, self.require_clip().size)
      strokes = self._edits.signed_strokes().get(number)
      if strokes is not None:
        labels = np.where(strokes == 0, labels, np.maximum(strokes, 0))
      return labels.astype(np.uint8)

  def strokes(self, number: int) -> np.ndarray:
    """The strokes of a frame, `[H, W]` uint8."""
    nothing = np.zeros(self.require_clip().size, np.uint8)
    return self._edits.strokes.get(number, nothing)

  def edit(self, number: int, change: Callable[[Edits], None]) -> None:
    """Changes what is said of a frame.

    Args:
      number: the frame.
      change: is given the edits.

    Raises:
      InputError: as `change`.
    """
    with self._lock:
      change(self._edits)
      self._changes += 1
      self._versions[number] = self.version(number) + 1
      self._keep(stale=True)

  def lock(self, number: int, locked: bool) -> None:
    """Locks a frame as it stands, or lets it change again."""
    with self._lock:
      if locked:
        labels = self.labels(number)
        self.edit(number, lambda edits: edits.lock(number, labels))
        return
      if number in self._edits.locked:
        self._proposal.put(number, self._edits.locked[number])
      self.edit(number, lambda edits: edits.unlock(number))

  def version(self, number: int) -> int:
    """Rises with every change of a frame's labels or strokes."""
    return self._versions.get(number, self._began)

  # Masks

  def begin_propagation(self) -> None:
    """Proposes masks of all frames in a job.

    Raises:
      InputError: nothing is painted, or a job is at work.
    """
    self._check_idle()
    clip = self.require_clip()
    with self._lock:
      truth, strokes = dict(self._edits.truth), self._edits.signed_strokes()
      changes = self._changes
    looks = dict(self._looks.by_scene)
    total = painting_work(truth, clip.scenes, looks, strokes=strokes)
    if not total:
      raise InputError("paint the object in a frame first")

    def work(job: Job) -> str:
      painting = propagate_scenes(
        clip.video.frames,
        truth,
        clip.scenes,
        looks=looks,
        strokes=strokes,
        on_progress=job.advance,
      )
      self._looks.keep(clip, painting.looks)
      with self._lock:
        self._proposal = Proposal.of(painting)
        write_proposal(self.own, self._proposal)
        numbers = range(len(clip.video.frames))
        self._versions = {number: self.version(number) + 1 for number in numbers}
        self._keep(stale=self._changes != changes)
      return "masks of all frames are proposed; look through them"

    self.job = Job("propagate", work, total=total)

  def save(self) -> Path:
    """Writes the masks as `bin/mask` does; returns their folder.

    Raises:
      InputError: no frame has a mask, or the folder holds other files.
    """
    clip = self.require_clip()
    grown = int(self._kept.get("dilation", 0))
    count = len(clip.video.frames)
    masks = np.stack([self.labels(number) for number in range(count)])
    masks = np.where(masks > 0, np.uint8(255), np.uint8(0))
    if not masks.any():
      raise InputError("no frame has a mask yet; paint one")
    masks = dilate(masks[..., None], grown)[..., 0]
    self.masks.check(overwrite=True, inputs={"--video": clip.path})
    self.masks.write(masks, clip.video, overwrite=True)
    return self.masks.masks

  def set_dilation(self, pixels: int) -> None:
    """Sets by how much masks grow when they are written.

    Raises:
      InputError: it is out of range.
    """
    if not 0 <= pixels <= MOST_DILATION:
      raise InputError(f"dilation must be 0 to {MOST_DILATION} pixels, got {pixels}")
    with self._lock:
      self._keep(dilation=pixels)

  # The removal

  def begin_removal(self, config: str) -> None:
    """Writes the masks and runs the removal in a job.

    Raises:
      InputError: as `save`, or a job is at work.
    """
    with self._lock:
      self._check_idle()
      self._begins_removal = True  # until its job is there: writing masks takes time
    try:
      self._begin_removal(self.require_clip(), config)
    finally:
      self._begins_removal = False

  def _begin_removal(self, clip: OpenClip, config: str) -> None:
    masks = self.save()
    digest = hashlib.blake2b(digest_size=16)
    for number in range(len(clip.video.frames)):
      digest.update(frame_path(masks, number).read_bytes())
    made_of = f"{config} {digest.hexdigest()}"
    resume = self._kept.get("begun") == made_of and self._holds_run()
    with self._lock:
      self._keep(begun=made_of, finished="")

    def work(job: Job) -> str:
      line = remove(
        job,
        config=config,
        video=clip.path,
        masks=masks,
        output=self.result_folder,
        resume=resume,
      )
      with self._lock:
        self._keep(finished=made_of)
      return line

    self.job = Job("inpaint", work, total=len(clip.video.frames))

  def _holds_run(self) -> bool:
    """A removal that was stopped early enough has left nothing to continue."""
    return RunFolder(self.result_folder).holds_run()

  @property
  def has_result(self) -> bool:
    """Whether the last removal was finished."""
    video = self.result_folder / "inpainted.mp4"
    return bool(self._kept.get("finished")) and video.is_file()

  # For the page

  def describe(self) -> dict[str, Any]:
    """The state as the page reads it."""
    with self._lock:
      clip = self.clip
      job = self.job.describe() if self.job else None
      if clip is None:
        return {"clip": None, "frames": [], "job": job, **self._summary()}
      count, height, width = clip.video.frames.shape[:3]
      shown = {"name": clip.name, "frame_count": count, "width": width}
      shown |= {"height": height, "frame_rate": float(clip.video.frame_rate)}
      frames = [self._describe_frame(number) for number in range(count)]
      return {"clip": shown, "frames": frames, "job": job, **self._summary()}

  def _summary(self) -> dict[str, Any]:
    given = (*self._edits.truth.values(), *self._edits.signed_strokes().values())
    objects = max((int(image.max()) for image in given), default=0)
    next_to_paint = self._proposal.next_to_paint
    version = 0
    if self.has_result:
      video = self.result_folder / "inpainted.mp4"
      version = video.stat().st_mtime_ns // 1_000_000
    return {
      "objects": objects,
      "next_to_paint": None if next_to_paint in self._edits.truth else next_to_paint,
      "dilation": int(self._kept.get("dilation", 0)),
      "stale": bool(self._kept.get("stale", False)),
      "result": {"version": version} if version else None,
    }

  def _describe_frame(self, number: int) -> dict[str, Any]:
    truth = self._edits.truth.get(number)
    has_strokes = number in self._edits.strokes
    if truth is not None:
      marked = bool(truth.any())
    else:
      marked = number in self._proposal.marked or (
        has_strokes and bool(self.labels(number).any())
      )
    known = truth is not None
    return {
      "painted": number in self._edits.painted,
      "locked": number in self._edits.locked,
      "strokes": has_strokes,
      "marked": marked,
      "confidence": 1.0 if known else self._proposal.confidence.get(number),
      "version": self.version(number),
    }

  def close(self) -> None:
    """Ends the job; a removal can be continued later."""
    if self.job and self.job.state == "running":
      self.job.stop()
      self.job.wait(60)

  def _check_idle(self) -> None:
    if self._begins_removal:
      raise InputError("still at work (inpaint); stop it first")
    if self.job and self.job.state == "running":
      raise InputError(f"still at work ({self.job.kind}); stop it first")

  def _keep(self, **values: Any) -> None:
    self._kept |= values
    self.own.mkdir(parents=True, exist_ok=True)
    with atomic.replacing(self.own / "session.json") as partial:
      partial.write_text(json.dumps(self._kept, indent=1))


def _read_settings(path: Path) -> dict[str, Any]:
  if not path.is_file():
    return {}
  try:
    kept: Mapping[str, Any] = json.loads(path.read_text())
    return dict(kept)
  except (ValueError, TypeError) as error:
    raise InputError(f"{path}: is damaged; name another --output") from error
