"""An alpha channel that hides nothing is none; one that does is refused."""

import numpy as np
import PIL.Image
import pytest

from dipvid_jax.errors import InputError
from dipvid_jax.media import decoding
from dipvid_jax.media.masks import read_mask
from dipvid_jax.media.video_reading import read_video
from tests.support import media_files

FRAMES = media_files.moving_frames()
OPAQUE = np.concatenate([FRAMES, np.full_like(FRAMES[..., :1], 255)], axis=-1)

# name, codec, pixel format, largest mean error of what is read
KINDS = [
  ("clip.mov", "qtrle", "argb", 0),
  ("clip.mov", "png", "rgba", 0),
  ("clip.mkv", "ffv1", "bgra", 0),
  ("clip.mkv", "ffv1", "yuva420p", 3),
  ("clip.mov", "prores_ks", "yuva444p10le", 2),
  ("clip.webm", "libvpx-vp9", "yuva420p", 6),
]


def write(folder, kind, frames):
  name, codec, pix_fmt, _ = kind
  return media_files.encode(
    folder / name, frames, codec=codec, pix_fmt=pix_fmt, source_format="rgba"
  )


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: "-".join(kind[1:3]))
def test_an_opaque_video_is_read(tmp_path, kind):
  video = read_video(write(tmp_path, kind, OPAQUE))
  assert video.frames.shape == FRAMES.shape
  assert np.abs(video.frames.astype(int) - FRAMES).mean() <= kind[3]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: "-".join(kind[1:3]))
def test_one_see_through_frame_is_refused(tmp_path, kind):
  frames = OPAQUE.copy()
  frames[-1, 10:30, 10:30, 3] = 100
  path = write(tmp_path, kind, frames)
  with pytest.raises(InputError, match=r"alpha channel; write it without") as error:
    read_video(path)
  media_files.assert_one_line(error, path)


def test_alpha_that_cannot_be_looked_at_is_refused(tmp_path, monkeypatch):
  monkeypatch.setattr(decoding, "_ALPHA_DECODERS", {"vp9": "none"})
  path = write(tmp_path, KINDS[5], OPAQUE)
  with pytest.raises(InputError, match="alpha channel"):
    read_video(path)


def test_a_gif_is_read(tmp_path):
  path = media_files.encode(tmp_path / "clip.gif", FRAMES, codec="gif", pix_fmt="rgb8")
  frames = read_video(path).frames
  assert frames.shape == FRAMES.shape
  assert np.abs(frames.astype(int) - FRAMES).mean() < 40  # 256 colours


def test_a_gif_with_transparency_is_refused(tmp_path):
  pictures = [PIL.Image.fromarray(frame).quantize(16) for frame in FRAMES]
  path = tmp_path / "clip.gif"
  pictures[0].save(
    path, save_all=True, append_images=pictures[1:], transparency=3, disposal=2
  )
  with pytest.raises(InputError, match="alpha channel") as error:
    read_video(path)
  media_files.assert_one_line(error, path)


@pytest.mark.parametrize("suffix", [".png", ".tif", ".webp"])
def test_a_folder_of_opaque_images_is_read(tmp_path, suffix):
  for number, frame in enumerate(OPAQUE):
    media_files.write_png(tmp_path / f"{number}{suffix}", frame)
  frames = read_video(tmp_path).frames
  assert np.abs(frames.astype(int) - FRAMES).mean() < (4 if suffix == ".webp" else 1e-9)


def test_a_palette_whose_colours_in_use_are_opaque_is_read(tmp_path):
  indices = np.arange(48 * 64).reshape(48, 64) % 3
  path = tmp_path / "0.png"
  media_files.write_indexed_png(
    path, indices, media_files.DAVIS_PALETTE, transparency=[255, 255, 255, 0]
  )
  frames = read_video(tmp_path).frames
  np.testing.assert_array_equal(frames[0], np.array(media_files.DAVIS_PALETTE)[indices])


def test_an_opaque_mask_is_read(tmp_path):
  mask = np.zeros((48, 64, 4), np.uint8)
  mask[..., 3], mask[10:20, 10:20] = 255, 255
  media_files.write_png(tmp_path / "mask.png", mask)
  masks = read_mask(tmp_path / "mask.png", frame_count=2, size=(48, 64))
  np.testing.assert_array_equal(masks[1, ..., 0], mask[..., 0])
