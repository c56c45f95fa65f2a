"""A list of clips in this process, one after the other."""

import time
from collections.abc import Callable, Iterator, Sequence

from dipvid_jax.clip_lists.attempt import attempt
from dipvid_jax.clip_lists.job import Job, Outcome
from dipvid_jax.terminal import say

_PAUSE = 5.0  # seconds between looks at clips that other commands are writing


def work_one_by_one(
  jobs: Sequence[Job],
  *,
  try_clip: Callable[[Job], Outcome] = attempt,
  sleep: Callable[[float], None] = time.sleep,
) -> Iterator[tuple[int, Outcome]]:
  """Attempts every clip; those that another command writes come last.

  It waits for that command, and makes the clip's results itself if it ends without
  them.

  Args:
    jobs: the list.
    try_clip: attempts one clip.
    sleep: waits for a number of seconds.

  Yields:
    A clip's index and its outcome, done or failed, as soon as it is settled.

  Raises:
    JaxRuntimeError: the device has stopped working.
  """
  left = list(range(len(jobs)))
  told = False
  while left:
    busy = []
    for index in left:
      outcome = try_clip(jobs[index])
      if outcome.state == "running":
        busy.append(index)
      else:
        yield index, outcome
    if busy and len(busy) == len(left):
      if not told:
        many = "clips" if len(busy) > 1 else "clip"
        say(f"waiting for {len(busy)} {many} that other commands are writing")
        told = True
      sleep(_PAUSE)
    left = busy
