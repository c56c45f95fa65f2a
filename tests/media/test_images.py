"""Reading and writing images and folders of them, and the errors of bad ones."""

import struct
import zlib

import cv2
import numpy as np
import PIL.Image
import pytest

from dipvid_jax.errors import InputError
from dipvid_jax.media import images, video_reading
from tests.support import media_files

FRAMES = media_files.moving_frames()


def mean_error(frames, expected):
  return np.abs(frames.astype(np.float64) - expected).mean()


def test_folder_is_read_in_natural_order(tmp_path):
  for number in (10, 9, 1, 2, 100):
    media_files.write_png(
      tmp_path / f"frame{number}.png", np.full((4, 4), number, np.uint8)
    )
  video = video_reading.read_video(tmp_path)
  assert video.frames[:, 0, 0, 0].tolist() == [1, 2, 9, 10, 100]
  assert video.frame_rate == 24
  assert video_reading.read_video(tmp_path, folder_frame_rate=30).frame_rate == 30


def test_stray_files_are_skipped(tmp_path):
  images.write_images(tmp_path, FRAMES)
  (tmp_path / "Thumbs.db").write_bytes(b"\0")
  (tmp_path / "notes.txt").write_text("frames of the clip")
  (tmp_path / ".00009.png").write_bytes(b"hidden")
  (tmp_path / "._00000.png").write_bytes(b"macOS")
  (tmp_path / "masks.png").mkdir()
  np.testing.assert_array_equal(video_reading.read_video(tmp_path).frames, FRAMES)


@pytest.mark.parametrize("suffix", [".png", ".PNG", ".bmp", ".tif", ".tiff", ".webp"])
def test_lossless_image_kinds(tmp_path, suffix):
  data = cv2.imencode(
    suffix.lower(),
    cv2.cvtColor(FRAMES[0], cv2.COLOR_RGB2BGR),
    [cv2.IMWRITE_WEBP_QUALITY, 101],
  )[1]
  (tmp_path / f"a{suffix}").write_bytes(data.tobytes())
  np.testing.assert_array_equal(video_reading.read_video(tmp_path).frames[0], FRAMES[0])


def test_jpeg_grey_and_palette_images_become_rgb(tmp_path):
  media_files.write_png(tmp_path / "0.jpg", FRAMES[0])
  media_files.write_png(tmp_path / "1.jpeg", FRAMES[1, ..., 0])
  indices = np.arange(48 * 64).reshape(48, 64) % 4
  media_files.write_indexed_png(tmp_path / "2.png", indices, media_files.DAVIS_PALETTE)
  frames = video_reading.read_video(tmp_path).frames
  assert mean_error(frames[0], FRAMES[0]) < 3
  assert mean_error(frames[1], FRAMES[1, ..., :1]) < 3
  np.testing.assert_array_equal(frames[2], np.array(media_files.DAVIS_PALETTE)[indices])


def insert_exif(path, entries):
  """Inserts an EXIF block that declares one entry into a JPEG."""
  tiff = b"II*\0\x08\0\0\0" + struct.pack("<H", 1) + entries
  block = b"Exif\0\0" + tiff
  data = path.read_bytes()
  marker = b"\xff\xe1" + struct.pack(">H", len(block) + 2) + block
  path.write_bytes(data[:2] + marker + data[2:])


def test_a_jpeg_is_turned_upright(tmp_path):
  path = media_files.write_png(tmp_path / "0.jpg", FRAMES[0])
  plain = images.read_image(path)
  # Orientation 6: turn right by 90 degrees.
  insert_exif(path, struct.pack("<HHIHHI", 0x112, 3, 1, 6, 0, 0))
  np.testing.assert_array_equal(images.read_image(path), np.rot90(plain, -1))


def test_damaged_metadata_of_a_jpeg_are_ignored(tmp_path, capfd):
  path = media_files.write_png(tmp_path / "0.jpg", FRAMES[0])
  plain = images.read_image(path)
  insert_exif(path, b"cut off")
  np.testing.assert_array_equal(images.read_image(path), plain)
  assert capfd.readouterr() == ("", "")


def test_pillows_limit_of_pixels_does_not_apply(tmp_path, monkeypatch):
  monkeypatch.setattr(PIL.Image, "MAX_IMAGE_PIXELS", 10)
  indices = np.ones((13, 21), np.uint8)
  path = tmp_path / "0.png"
  media_files.write_indexed_png(path, indices, media_files.DAVIS_PALETTE)
  assert images.read_indexed_png(path).indices.shape == (13, 21)
  for name in ("1.png", "2.jpg"):
    path = media_files.write_png(tmp_path / name, FRAMES[0])
    assert images.read_image(path).shape == FRAMES[0].shape


def test_a_header_of_impossible_size_is_damage(tmp_path, capfd):
  path = tmp_path / "0.png"
  indices = np.ones((13, 21), np.uint8)
  media_files.write_indexed_png(path, indices, media_files.DAVIS_PALETTE)
  data = bytearray(path.read_bytes())
  data[16:24] = struct.pack(">II", 2**30, 2**30)
  data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
  path.write_bytes(data)
  with pytest.raises(InputError, match="damaged") as error:
    images.read_indexed_png(path)
  media_files.assert_one_line(error, path)
  assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_indexed_png_gives_its_numbers(tmp_path, bits):
  count = min(2**bits, 200)
  indices = np.random.default_rng(bits).integers(0, count, (13, 21))
  palette = np.random.default_rng(9).integers(0, 256, (count, 3))
  path = media_files.write_indexed_png(tmp_path / "a.png", indices, palette, bits=bits)
  image = images.read_indexed_png(path)
  assert image is not None
  np.testing.assert_array_equal(image.indices, indices)
  np.testing.assert_array_equal(image.palette[:count], palette)
  assert images.read_indexed_png(media_files.write_png(path, FRAMES[0])) is None


def png(folder, name, image):
  media_files.write_png(folder / name, image)


def rgba(alpha):
  return np.dstack([FRAMES[0], np.full(FRAMES.shape[1:3], alpha, np.uint8)])


def see_through_palette(folder):
  indices = np.ones(FRAMES.shape[1:3], np.uint8)
  media_files.write_indexed_png(
    folder / "7.png", indices, media_files.DAVIS_PALETTE, transparency=[0, 100]
  )


def cut_image(suffix, share=0.9):
  def make(folder):
    png(folder, f"7{suffix}", FRAMES[0])
    media_files.cut_off(folder / f"7{suffix}", share)

  return make


def break_png(byte):
  """Makes a PNG with one wrong byte, counted from the end."""

  def make(folder):
    png(folder, "7.png", FRAMES[0])
    data = bytearray((folder / "7.png").read_bytes())
    data[-byte] ^= 255
    (folder / "7.png").write_bytes(data)

  return make


# name: (what makes a bad image beside the frames 0.png and 1.png, the file that the
# line names, the words of the line)
BAD_IMAGES = {
  "other size": (lambda d: png(d, "7.png", FRAMES[0, :40]), "7.png", "40x64.* 48x64"),
  "alpha": (lambda d: png(d, "7.png", rgba(100)), "7.png", "alpha channel"),
  "alpha webp": (lambda d: png(d, "7.webp", rgba(100)), "7.webp", "alpha channel"),
  "alpha palette": (see_through_palette, "7.png", "alpha channel"),
  "16 bits": (
    lambda d: png(d, "7.png", FRAMES[0].astype(np.uint16) * 257),
    "7.png",
    "uint16.* 8 bits",
  ),
  "float": (
    lambda d: png(d, "7.tif", FRAMES[0].astype(np.float32)),
    "7.tif",
    "float32.* 8 bits",
  ),
  "empty file": (lambda d: (d / "7.png").touch(), "7.png", "empty .0 bytes"),
  "text": (lambda d: (d / "7.png").write_text("x" * 99), "7.png", "damaged or not"),
  "cut png": (cut_image(".png"), "7.png", "damaged"),
  "cut jpg": (cut_image(".jpg"), "7.jpg", "damaged"),
  "jpg header": (cut_image(".jpg", 0.2), "7.jpg", "damaged"),
  "cut bmp": (cut_image(".bmp"), "7.bmp", "damaged"),
  "cut webp": (cut_image(".webp"), "7.webp", "damaged"),
  "cut tif": (cut_image(".tif"), "7.tif", "damaged"),
  "broken png": (break_png(1000), "7.png", "damaged"),
  "broken checksum": (break_png(13), "7.png", "damaged"),
  "broken end": (break_png(1), "7.png", "damaged"),
  "header only": (
    lambda d: (d / "7.png").write_bytes(b"\x89PNG\r\n\x1a\n"),
    "7.png",
    "damaged",
  ),
  "dangling link": (
    lambda d: (d / "7.png").symlink_to(d / "gone.png"),
    "7.png",
    "No such file",
  ),
  "link loop": (
    lambda d: (d / "7.png").symlink_to(d / "7.png"),
    "7.png",
    "symbolic links",
  ),
  "twins": (lambda d: png(d, "1.jpg", FRAMES[0]), "", "both 1.jpg and 1.png"),
}


@pytest.mark.parametrize("case", BAD_IMAGES)
def test_bad_image_gets_one_clear_line(tmp_path, case, capfd):
  make, name, words = BAD_IMAGES[case]
  png(tmp_path, "0.png", FRAMES[0])
  png(tmp_path, "1.png", FRAMES[1])
  make(tmp_path)
  with pytest.raises(InputError, match=words) as error:
    video_reading.read_video(tmp_path)
  media_files.assert_one_line(error, tmp_path / name)
  assert capfd.readouterr() == ("", "")


def test_a_folder_without_images(tmp_path):
  (tmp_path / "clip.mp4").touch()
  (tmp_path / "frames").mkdir()
  with pytest.raises(InputError, match="no images") as error:
    video_reading.read_video(tmp_path)
  media_files.assert_one_line(error, tmp_path)
