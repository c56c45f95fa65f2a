"""Teaches heads what the painted objects look like, in two rounds.

The first round knows the painted frames alone. Its detections say where objects are
expected in each frame; the second round sees the ground beside those places too. A
correction goes on from the heads of the call before, with fewer updates.
"""

import itertools
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from dipvid_jax.masking.propagation.head import make_predict, train_head
from dipvid_jax.masking.propagation.learnt import Learnt, Params
from dipvid_jax.masking.propagation.looks import Looks, view_features
from dipvid_jax.masking.propagation.made_up import (
  Painted,
  over_other_ground,
  over_own_ground,
)
from dipvid_jax.masking.propagation.passes import Predict, detector
from dipvid_jax.masking.propagation.tracks import expected_shapes, find_tracks
from dipvid_jax.masking.propagation.views import (
  Views,
  join_views,
  leave_room,
  make_views,
)
from dipvid_jax.networks.vgg import VGGParams

_MOST_PAINTED = 8  # frames that the head is trained on
_OWN, _OTHERS = 18, 12  # views of painted and of other frames
_MORE_OWN, _MORE_OTHERS = 26, 20  # where heads are at hand, which leaves time for more
_MADE_UP_SHARE = 0.5
_OTHERS_SHARE = 0.5
_HEADS = 3  # of the second round; what they say is averaged
_FIRST_ROUND = 0.3  # of the updates
_CONTINUED = 0.7  # of the updates, where heads are at hand
_SEEDS = 100  # of one call


def learn(
  looks: Looks,
  known: Mapping[int, np.ndarray],
  said: Mapping[int, np.ndarray],
  *,
  objects: int,
  vgg: VGGParams,
  updates: int,
  seed: int,
  on_progress: Callable[[float], None],
) -> Learnt:
  """Trains heads, or goes on with those of the looks.

  Args:
    looks: of the clip.
    known: `[h, w]` int32 labels of the painted frames.
    said: `[h, w]` int32 labels of frames with strokes, -1 where nothing is said.
    objects: K.
    vgg: from `load_vgg16(blocks=4)`.
    updates: of all heads in both rounds, where none are at hand.
    seed: of parameters, views and batches.
    on_progress: called with shares of the work, just done, which add up to 1.

  Returns:
    What was learnt. Where nothing is new it is that of the looks.
  """
  before = looks.learnt
  if before and not before.is_base_of(known, objects=objects):
    before = None
  if before and before.is_of(known, said):
    on_progress(1)
    return before
  calls = before.calls + 1 if before else 0
  if before:
    updates = max(1, round(_CONTINUED * updates))
  seed += _SEEDS * calls
  draw = np.random.default_rng(seed)
  truth = _spread(known)
  examples = [Painted(looks.frames[t], known[t]) for t in truth]
  told = [Painted(looks.frames[t], said[t]) for t in sorted(said)]
  shown = [example for example in examples if (example.labels > 0).any()]
  everything = {*range(1, objects + 1)} <= {*np.unique([one.labels for one in shown])}
  # An object that only strokes tell of is not known to be out of any ground.
  own_count, other_count = (_MORE_OWN, _MORE_OTHERS) if before else (_OWN, _OTHERS)
  numbers = _other_frames(looks, known, other_count) if everything else []

  def view(made_up: Sequence[Painted]) -> Views:
    layers = [view_features(one.frame, looks.projections, vgg) for one in made_up]
    features = tuple(np.stack(layer) for layer in zip(*layers, strict=True))
    return make_views(made_up, features, objects=objects, draw=draw)

  def train(views: Views, count: int, seed: int, start: Params | None = None) -> Params:
    return train_head(
      views,
      classes=objects + 1,
      updates=count,
      seed=seed,
      start=start,
      on_progress=lambda count: on_progress(count / updates),
    )

  features = tuple(layer[[*truth, *sorted(said)]] for layer in looks.features)
  own = make_views([*examples, *told], features, objects=objects, draw=draw)
  if shown:
    made_up = _made_up(shown, own_count - len(own.shares), objects=objects, draw=draw)
    own = join_views(own, view(made_up), share=_MADE_UP_SHARE)
  first = round(_FIRST_ROUND * updates) if numbers else updates
  start = before.heads[0] if before else None
  params = train(leave_room(own, len(numbers)), first, seed, start=start)
  if not numbers:
    return Learnt((params,), objects, known, said, calls)
  predict = make_predict([params], classes=objects + 1)
  detect = detector(looks, predict, objects=objects)
  tracks = find_tracks(looks, detect, known, said, objects=objects)
  made = []
  for number in numbers:
    ground = looks.frames[number]
    shapes = expected_shapes(tracks, number, size=ground.shape[:2])
    expected = np.any([*shapes.values()], axis=0)
    made.append(over_other_ground(shown, ground, expected, objects=objects, draw=draw))
  views = join_views(own, view(made), share=_OTHERS_SHARE)
  rest = updates - first
  heads = tuple(
    train(views, (rest + number) // _HEADS, seed + number, start=params)
    for number in range(_HEADS)
  )
  return Learnt(heads, objects, known, said, calls)


def predictor(learnt: Learnt) -> Predict:
  """What the heads say together, as `make_predict`."""
  return make_predict(learnt.heads, classes=learnt.objects + 1)


def _spread(known: Mapping[int, np.ndarray]) -> list[int]:
  """Painted frames, spread over all where there are many."""
  numbers = sorted(known)
  if len(numbers) <= _MOST_PAINTED:
    return numbers
  spread = np.linspace(0, len(numbers) - 1, _MOST_PAINTED).round().astype(int)
  return [numbers[place] for place in spread]


def _made_up(
  shown: Sequence[Painted], count: int, *, objects: int, draw: np.random.Generator
) -> list[Painted]:
  """Views of the painted frames, as many of each; at least one of each."""
  examples = itertools.islice(itertools.cycle(shown), max(count, len(shown)))
  return [over_own_ground(one, objects=objects, draw=draw) for one in examples]


def _other_frames(
  looks: Looks, known: Mapping[int, np.ndarray], count: int
) -> list[int]:
  """Frames whose ground is shown, spread over the clip."""
  others = np.setdiff1d(np.arange(len(looks.frames)), list(known))
  if not len(others):
    return []
  spread = np.linspace(0, len(others) - 1, count).round().astype(int)
  return others[spread].tolist()
