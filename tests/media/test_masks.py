"""Masks of every form, and the line that each bad one gets."""

import cv2
import numpy as np
import pytest

from dipvid_jax.errors import InputError
from dipvid_jax.media import masks
from tests.support import media_files

COUNT, HEIGHT, WIDTH = 5, 48, 64
SIZE = (HEIGHT, WIDTH)


def moving_hole(value=255):
  """`[COUNT, HEIGHT, WIDTH]` uint8: a square of `value` that moves right."""
  hole = np.zeros((COUNT, HEIGHT, WIDTH), np.uint8)
  for t in range(COUNT):
    hole[t, 16:32, 8 + 4 * t : 24 + 4 * t] = value
  return hole


HOLE = moving_hole()

# Object 1 moves; object 3 is in the lower right corner of the last frame only.
LABELS = moving_hole(1)
LABELS[-1, 40:, 56:] = 3


def read(path, **kwargs):
  kwargs = {"frame_count": COUNT, "size": SIZE, **kwargs}
  return masks.read_mask(path, **kwargs)


def write_folder(folder, values, suffix=".png"):
  folder.mkdir(exist_ok=True)
  for number, image in enumerate(values):
    media_files.write_png(folder / f"m{number}{suffix}", image)
  return folder


def write_labels(folder, labels, palette=media_files.DAVIS_PALETTE):
  folder.mkdir(exist_ok=True)
  for number, image in enumerate(labels):
    media_files.write_indexed_png(folder / f"{number:05d}.png", image, palette)
  return folder


def assert_hole(mask, expected):
  assert mask.dtype == np.uint8
  np.testing.assert_array_equal(mask, expected[..., None])


# --- forms -------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif"])
@pytest.mark.parametrize("channels", [1, 3])
def test_folder_of_images(tmp_path, suffix, channels):
  values = HOLE if channels == 1 else np.repeat(HOLE[..., None], 3, axis=3)
  assert_hole(read(write_folder(tmp_path / "m", values, suffix)), HOLE)


def test_folder_is_read_in_natural_order(tmp_path):
  for number in range(COUNT):
    media_files.write_png(
      tmp_path / f"m{3 * number}.png", HOLE[number]
    )  # m9 before m12
  assert_hole(read(tmp_path), HOLE)


def test_one_image_is_used_for_every_frame(tmp_path):
  path = media_files.write_png(tmp_path / "mask.png", HOLE[2])
  assert_hole(read(str(path)), np.repeat(HOLE[2:3], COUNT, axis=0))


def test_lossless_mask_video(tmp_path):
  path = media_files.encode(
    tmp_path / "mask.mkv", HOLE, pix_fmt="gray", source_format="gray"
  )
  assert_hole(read(path), HOLE)


@pytest.mark.parametrize(
  ("name", "codec"),
  [("m.mp4", "libx264"), ("m.avi", "mpeg4"), ("m.webm", "libvpx-vp9")],
)
def test_lossy_mask_video_has_full_contrast(tmp_path, name, codec):
  frames = np.repeat(HOLE[..., None], 3, axis=3)
  path = media_files.encode(tmp_path / name, frames, codec=codec, pix_fmt="yuv420p")
  mask = read(path)
  # Limited-range luma (16..235) comes out as grey 0..255.
  assert mask.min() < 10
  assert mask.max() > 245
  assert ((mask > 127) != (HOLE[..., None] > 127)).mean() < 0.01


def test_soft_edges_are_kept(tmp_path):
  soft = np.stack([cv2.GaussianBlur(hole, (7, 7), 0) for hole in HOLE])
  assert_hole(read(write_folder(tmp_path / "m", soft)), soft)


def test_one_bit_png_is_black_and_white(tmp_path):
  data = cv2.imencode(".png", HOLE[0], [cv2.IMWRITE_PNG_BILEVEL, 1])[1]
  (tmp_path / "bits.png").write_bytes(data.tobytes())
  assert_hole(read(tmp_path / "bits.png"), np.repeat(HOLE[:1], COUNT, axis=0))


OBJECTS = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
OBJECTS[4:20, 4:24] = (255, 0, 0)  # grey 76
OBJECTS[24:40, 8:20] = (0, 0, 128)  # grey 15
OBJECTS[10:30, 36:60] = (0, 255, 0)
IN_OBJECT = np.repeat(255 * np.uint8(OBJECTS.any(axis=-1))[None], COUNT, axis=0)


@pytest.mark.parametrize("invert", [False, True])
def test_every_colour_on_black_is_an_object(tmp_path, invert):
  path = media_files.write_png(tmp_path / "mask.png", OBJECTS)
  expected = 255 - IN_OBJECT if invert else IN_OBJECT
  assert_hole(read(path, invert=invert), expected)


@pytest.mark.parametrize(
  ("name", "codec", "form"),
  [("m.mkv", "ffv1", "bgr0"), ("m.mp4", "libx264", "yuv444p")],
)
def test_colours_of_a_mask_video_are_objects(tmp_path, name, codec, form):
  frames = np.repeat(OBJECTS[None], COUNT, axis=0)
  path = media_files.encode(tmp_path / name, frames, codec=codec, pix_fmt=form)
  mask = read(path)[..., 0] > 127
  assert (mask != (IN_OBJECT > 127)).mean() < 0.01


def test_white_on_a_colour_is_the_hole(tmp_path):
  """Without black the grey value decides."""
  image = np.where(HOLE[0][..., None] > 0, 255, (0, 0, 200)).astype(np.uint8)
  path = media_files.write_png(tmp_path / "mask.png", image)
  mask = read(path)
  np.testing.assert_array_equal(mask[0, ..., 0] > 127, HOLE[0] > 127)


def with_alpha(colours, alpha):
  return np.concatenate([colours, alpha[..., None]], axis=-1)


@pytest.mark.parametrize("invert", [False, True])
@pytest.mark.parametrize("colour", [0, 255, (200, 30, 30)])
@pytest.mark.parametrize("hidden", ["the same", "black"])
def test_an_alpha_channel_over_one_colour_is_the_mask(tmp_path, invert, colour, hidden):
  alpha = cv2.GaussianBlur(HOLE[0], (5, 5), 0)
  colours = np.full((*alpha.shape, 3), colour, np.uint8)
  if hidden == "black":
    colours[alpha == 0] = 0
  path = media_files.write_png(tmp_path / "a.png", with_alpha(colours, alpha))
  expected = np.repeat(alpha[None], COUNT, axis=0)
  assert_hole(read(path, invert=invert), 255 - expected if invert else expected)


@pytest.mark.parametrize("invert", [False, True])
def test_images_of_zero_and_one(tmp_path, invert):
  """As segmentation networks give them; some frames may be empty."""
  values = HOLE // 255
  values[2] = 0
  path = write_folder(tmp_path / "m", values)
  expected = 255 * values
  assert_hole(read(path, invert=invert), 255 - expected if invert else expected)


SOFT = np.stack([cv2.GaussianBlur(hole, (9, 9), 0) for hole in HOLE])


@pytest.mark.parametrize("threshold", [0, 60, 200, 254])
@pytest.mark.parametrize("invert", [False, True])
def test_the_threshold_of_a_soft_mask(tmp_path, threshold, invert):
  path = write_folder(tmp_path / "m", SOFT)
  marked = 255 - SOFT if invert else SOFT
  expected = np.where(marked > threshold, np.uint8(255), np.uint8(0))
  assert_hole(read(path, threshold=threshold, invert=invert), expected)


def test_invert(tmp_path):
  path = write_folder(tmp_path / "m", 255 - HOLE)
  assert_hole(read(path, invert=True), HOLE)


# --- annotations -------------------------------------------------------------


def test_any_object_of_an_annotation_is_hole(tmp_path):
  path = write_labels(tmp_path / "m", LABELS)
  assert_hole(read(path), np.where(LABELS > 0, 255, 0))


@pytest.mark.parametrize("object_id", [1, 3])
def test_one_object_of_an_annotation(tmp_path, object_id):
  path = write_labels(tmp_path / "m", LABELS)
  expected = np.where(np.equal(LABELS, object_id), 255, 0)
  assert_hole(read(path, object_id=object_id), expected)
  assert_hole(read(path, object_id=object_id, invert=True), 255 - expected)


def test_objects_may_be_saved_as_grey_values(tmp_path):
  path = write_folder(tmp_path / "m", LABELS)
  assert_hole(read(path, object_id=3), np.where(LABELS == 3, 255, 0))


def test_a_palette_with_transparency_is_an_annotation(tmp_path):
  path = media_files.write_indexed_png(
    tmp_path / "a.png", LABELS[0], media_files.DAVIS_PALETTE, transparency=[0, 255]
  )
  assert_hole(read(path), np.repeat(HOLE[:1], COUNT, axis=0))


GREY_RAMP = np.repeat(np.arange(256)[:, None], 3, axis=1)


@pytest.mark.parametrize(
  ("indices", "palette"),
  [
    (HOLE[0] // 255, [[0, 0, 0], [255, 255, 255]]),  # black and white
    (1 - HOLE[0] // 255, [[255, 255, 255], [0, 0, 0]]),  # the same, white first
    (HOLE[0], GREY_RAMP),  # a grey image saved with a palette
    (HOLE[0] // 255, GREY_RAMP),  # object numbers saved with a ramp for palette
    (HOLE[0] // 255, [[0, 0, 0], [100, 100, 100]]),
  ],
)
def test_palettes_of_greys(tmp_path, indices, palette):
  path = media_files.write_indexed_png(tmp_path / "a.png", indices, palette)
  assert_hole(read(path), np.repeat(HOLE[:1], COUNT, axis=0))


# --- errors ------------------------------------------------------------------


def rgba_mask(folder):
  colours = media_files.moving_frames(COUNT, HEIGHT, WIDTH)
  return write_folder(folder / "m", map(with_alpha, colours, HOLE))


def half_transparent(folder):
  """Alpha is the same everywhere, so it marks nothing."""
  half = np.full_like(HOLE[0], 99)
  return media_files.write_png(folder / "m.png", with_alpha(OBJECTS, half))


def grey_video(folder, values, name="m.mkv"):
  return media_files.encode(folder / name, values, pix_fmt="gray", source_format="gray")


def cut_off_video(folder):
  return media_files.cut_off(grey_video(folder, HOLE), 0.6)


def text(folder):
  (folder / "m.mp4").write_text("not a mask\n" * 50)
  return folder / "m.mp4"


def empty_folder(folder):
  (folder / "m").mkdir()
  return folder / "m"


def images_of_two_sizes(folder):
  path = write_folder(folder / "m", HOLE)
  media_files.write_png(path / "m3.png", HOLE[3, :40])
  return path


BLACK, WHITE = np.zeros_like(HOLE), np.full_like(HOLE, 255)

# name: (what makes it, arguments, the words of the line, the file it begins with)
BAD_MASKS = {
  "missing": (lambda d: d / "m", {}, "No such file", "m"),
  "text": (text, {}, "not a video", "m.mp4"),
  "empty folder": (empty_folder, {}, "no images", "m"),
  "cut off": (cut_off_video, {}, "cut off", "m.mkv"),
  "too few images": (
    lambda d: write_folder(d / "m", HOLE[:3]),
    {},
    "3 masks for a video of 5 frames; give one mask for each frame",
    "m",
  ),
  "too many images": (
    lambda d: write_folder(d / "m", HOLE),
    {"frame_count": 4},
    "5 masks for a video of 4 frames",
    "m",
  ),
  "folder of one": (
    lambda d: write_folder(d / "m", HOLE[:1]),
    {},
    "1 mask for a video of 5 frames; .* give the image file itself",
    "m",
  ),
  "too short video": (
    lambda d: grey_video(d, HOLE[:4]),
    {},
    "4 masks for a video of 5 frames",
    "m.mkv",
  ),
  "too long video": (
    lambda d: grey_video(d, HOLE),
    {"frame_count": 1},
    "5 masks for a video of 1 frame;",
    "m.mkv",
  ),
  "size of images": (
    lambda d: write_folder(d / "m", HOLE),
    {"size": (480, 640)},
    r"mask is 48x64, the video is 480x640 \(height x width\); make them",
    "m/m0.png",
  ),
  "size of one image": (
    images_of_two_sizes,
    {},
    "mask is 40x64, the video is 48x64",
    "m/m3.png",
  ),
  "size of video": (
    lambda d: grey_video(d, HOLE),
    {"size": (64, 48)},
    "mask is 48x64, the video is 64x48",
    "m.mkv",
  ),
  "black": (
    lambda d: write_folder(d / "m", BLACK),
    {},
    "no hole: every frame is black; the hole must be white",
    "m",
  ),
  "black video": (lambda d: grey_video(d, BLACK), {}, "no hole", "m.mkv"),
  "black annotation": (lambda d: write_labels(d / "m", BLACK), {}, "no hole", "m"),
  "two objects": (
    lambda d: write_folder(d / "m", HOLE // 255 * 2),
    {},
    r"no hole: values only up to 2; expected 255 in the hole .*--object",
    "m",
  ),
  "grey of a colour": (
    lambda d: write_folder(d / "m", HOLE // 255 * 127),
    {},
    "values only up to 127; expected 255 in the hole, or a --mask-threshold below 127$",
    "m",
  ),
  "white": (
    lambda d: write_folder(d / "m", WHITE),
    {},
    "covers the whole of every frame, .* add --invert-mask",
    "m",
  ),
  "white image": (
    lambda d: media_files.write_png(d / "m.png", WHITE[0]),
    {},
    "covers the whole of every frame",
    "m.png",
  ),
  "black, inverted": (
    lambda d: write_folder(d / "m", BLACK),
    {"invert": True},
    "covers the whole of every frame, .* leave out --invert-mask",
    "m",
  ),
  "white, inverted": (
    lambda d: write_folder(d / "m", WHITE),
    {"invert": True},
    "no hole: .* leave out --invert-mask",
    "m",
  ),
  "alpha": (
    rgba_mask,
    {},
    "alpha channel and colours, .* grey file, 255 in the hole",
    "m/m0.png",
  ),
  "alpha that marks nothing": (half_transparent, {}, "alpha channel and", "m.png"),
  "threshold too high": (
    lambda d: write_folder(d / "m", HOLE // 255 * 200),
    {"threshold": 210},
    "only up to 200; .* --mask-threshold below 200$",
    "m",
  ),
  "threshold too low": (
    lambda d: write_folder(d / "m", np.maximum(HOLE, 5)),
    {"threshold": 2},
    "whole of every frame, .* or raise --mask-threshold$",
    "m",
  ),
  "16 bits": (
    lambda d: write_folder(d / "m", HOLE.astype(np.uint16) * 257),
    {},
    "uint16.* 8 bits",
    "m/m0.png",
  ),
  "absent object": (
    lambda d: write_labels(d / "m", LABELS),
    {"object_id": 2},
    "no frame holds object 2; there are 1, 3",
    "m",
  ),
  "no objects": (
    lambda d: write_labels(d / "m", BLACK),
    {"object_id": 2},
    "no frame holds object 2; there are no objects",
    "m",
  ),
  "object of a mask": (
    lambda d: write_folder(d / "m", HOLE),
    {"object_id": 1},
    "grey values up to 255, not object numbers; leave out --object",
    "m/m0.png",
  ),
  "object of colours": (
    lambda d: write_folder(d / "m", np.repeat(HOLE[..., None], 3, axis=3)),
    {"object_id": 1},
    "holds colours, not object numbers",
    "m/m0.png",
  ),
  "object of a video": (
    lambda d: grey_video(d, HOLE),
    {"object_id": 1},
    "is a video; --object 1 needs images",
    "m.mkv",
  ),
}


@pytest.mark.parametrize("case", BAD_MASKS)
def test_bad_mask_gets_one_clear_line(tmp_path, case, capfd):
  make, arguments, words, name = BAD_MASKS[case]
  path = make(tmp_path)
  with pytest.raises(InputError, match=words) as error:
    read(path, **arguments)
  media_files.assert_one_line(error, tmp_path / name)
  assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("object_id", [0, -1, 256])
def test_impossible_object_numbers(tmp_path, object_id):
  path = write_labels(tmp_path / "m", LABELS)
  with pytest.raises(InputError, match=f"--object {object_id}: .* 1 to 255"):
    read(path, object_id=object_id)


def test_some_frames_may_have_no_hole(tmp_path):
  values = BLACK.copy()
  values[3] = 255
  assert_hole(read(write_folder(tmp_path / "m", values)), values)


# --- dilation ----------------------------------------------------------------


def dilate_slowly(mask, pixels):
  """Every hole pixel reaches `pixels` up, down, left and right, written as loops."""
  grown = mask.copy()
  for t, y, x, _ in np.argwhere(mask):
    grown[t, max(0, y - pixels) : y + pixels + 1, x] = 255
    grown[t, y, max(0, x - pixels) : x + pixels + 1] = 255
  return grown


@pytest.mark.parametrize("pixels", [0, 1, 3, 40])
def test_dilation_is_a_cross(pixels):
  random = np.random.default_rng(pixels).random((3, 20, 30, 1))
  mask = np.where(random > 0.98, np.uint8(255), np.uint8(0))
  np.testing.assert_array_equal(masks.dilate(mask, pixels), dilate_slowly(mask, pixels))


def test_dilation_of_one_pixel():
  mask = np.zeros((1, 5, 5, 1), np.float32)
  mask[0, 2, 2] = 1
  grown = masks.dilate(mask, 1)
  assert grown.dtype == np.float32
  assert grown[0, ..., 0].tolist() == [
    [0, 0, 0, 0, 0],
    [0, 0, 1, 0, 0],
    [0, 1, 1, 1, 0],
    [0, 0, 1, 0, 0],
    [0, 0, 0, 0, 0],
  ]


def test_dilation_grows_and_keeps_frames_apart():
  mask = HOLE[..., None].copy()
  mask[1] = 0
  small, large = masks.dilate(mask, 2), masks.dilate(mask, 5)
  assert (small >= mask).all()
  assert (large >= small).all()
  assert not large[1].any()


@pytest.mark.parametrize(
  ("mask", "pixels", "words"),
  [(HOLE[..., None], -1, "negative"), (HOLE, 1, r"\[T, H, W, 1\]")],
)
def test_dilation_checks_its_arguments(mask, pixels, words):
  with pytest.raises(ValueError, match=words):
    masks.dilate(mask, pixels)
