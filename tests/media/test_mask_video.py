"""Masks as a video: read back without loss, at any size, at the clip's times."""

import fractions

import av
import numpy as np
import pytest

from dipvid_jax.media.mask_video import write_mask_video
from dipvid_jax.media.masks import read_mask
from dipvid_jax.types import Timestamps
from tests.support.media_files import MILLI, NTSC


@pytest.mark.parametrize("size", [(24, 32), (23, 31)])
def test_every_pixel_reads_back(tmp_path, size):
  noise = np.random.default_rng(0).random((5, *size)) > 0.5
  masks = noise.astype(np.uint8) * 255
  write_mask_video(tmp_path / "mask.mp4", masks, NTSC)
  read = read_mask(tmp_path / "mask.mp4", frame_count=5, size=size)
  assert (read[..., 0] == masks).all()


def test_frames_are_shown_when_those_of_the_clip_are(tmp_path):
  masks = np.full((3, 16, 16), 255, np.uint8)
  times = Timestamps(np.array([0, 40, 120, 130]), MILLI)
  aspect = fractions.Fraction(3, 2)
  write_mask_video(
    tmp_path / "m.mp4", masks, NTSC, timestamps=times, pixel_aspect=aspect
  )
  with av.open(str(tmp_path / "m.mp4")) as container:
    stream = container.streams.video[0]
    assert stream.sample_aspect_ratio == aspect
    shown = [float(frame.pts * frame.time_base) for frame in container.decode(video=0)]
  assert shown == [0, 0.04, 0.12]
