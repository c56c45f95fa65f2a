"""Mistakes that users make: each case writes its files and returns its flags.

A case is (name, make, words): `make(folder)` writes into a folder that holds
clip.mkv, mask.png and mask/, and returns flags that replace or extend the usual ones;
`words` must occur in the line of the error.
"""

import os
import pickle

import av
import cv2
import numpy as np

from dipvid_jax.media.images import write_images
from dipvid_jax.media.video_writing import write_video
from tests.support import media_files, torch_file_writer

FRAMES = media_files.moving_frames(7)
COUNT, HEIGHT, WIDTH = FRAMES.shape[:3]
MASK = np.zeros((HEIGHT, WIDTH), np.uint8)
MASK[12:28, 20:44] = 255


def write_usual(folder):
  media_files.encode(folder / "clip.mkv", FRAMES)
  media_files.write_png(folder / "mask.png", MASK)
  write_images(folder / "mask", masks())


def masks(count=COUNT, mask=MASK):
  return np.repeat(mask[None, ..., None], count, axis=0).repeat(3, axis=-1)


def video(name, content):
  """A case whose --video is a file with this content."""

  def make(folder):
    (folder / name).write_bytes(content)
    return {"video": folder / name}

  return make


def mask_image(image, name="bad.png"):
  """A case whose --mask is this image."""

  def make(folder):
    return {"mask": media_files.write_png(folder / name, image)}

  return make


def mask_folder(images, names=None):
  def make(folder):
    (folder / "masks").mkdir()
    for number, image in enumerate(images):
      name = names[number] if names else f"{number:05d}.png"
      media_files.write_png(folder / "masks" / name, image)
    return {"mask": folder / "masks"}

  return make


def flags(**values):
  """A case that consists of flags alone."""
  return lambda folder: values


def config_file(text):
  def make(folder):
    (folder / "own.py").write_text(text)
    return {"config": folder / "own.py"}

  return make


def own_config(*lines):
  body = "".join(f"  {line}\n" for line in lines)
  return config_file(
    "from dipvid_jax.method.recipes import load_recipe\n"
    f"def get_config():\n  config = load_recipe('vid')\n{body}  return config\n"
  )


def weights(content):
  """A case whose file is given as PWC-Net's weights."""

  def make(folder):
    path = folder / "weights.pth"
    if isinstance(content, bytes):
      path.write_bytes(content)
    else:
      content(path)
    return {"config.flow.estimator": "pwcnet", "config.flow.weights": path}

  return make


def truncated(name, codec, share=0.6):
  def make(folder):
    path = media_files.encode(folder / name, FRAMES, codec=codec, pix_fmt="yuv420p")
    media_files.cut_off(path, share)
    return {"video": path}

  return make


def few_frames(count):
  def make(folder):
    return {"video": media_files.encode(folder / "few.mkv", FRAMES[:count])}

  return make


def no_frames(folder):
  with av.open(str(folder / "none.mkv"), "w") as container:
    stream = container.add_stream("ffv1", rate=25)
    stream.height, stream.width, stream.pix_fmt = HEIGHT, WIDTH, "bgr0"
    container.start_encoding()
  return {"video": folder / "none.mkv"}


def alpha_video(folder):
  frames = np.concatenate([FRAMES, FRAMES[..., :1]], axis=-1)
  form = {"pix_fmt": "bgra", "source_format": "rgba"}
  return {"video": media_files.encode(folder / "alpha.mkv", frames, **form)}


def hdr_video(folder):
  tags = {"color_trc": 18, "colorspace": 9, "color_primaries": 9}
  path = media_files.encode(
    folder / "hdr.mkv", FRAMES, pix_fmt="yuv420p10le", tags=tags
  )
  return {"video": path}


def one_by_one(folder):
  dot = np.full((COUNT, 1, 1, 3), 90, np.uint8)
  write_images(folder / "dots", dot)
  media_files.write_png(folder / "dot.png", np.full((1, 1), 255, np.uint8))
  return {"video": folder / "dots", "mask": folder / "dot.png"}


def twenty_thousand_wide(folder):
  wide = np.tile(FRAMES[:5, :16], (1, 1, 313, 1))
  mask = np.zeros(wide.shape[1:3], np.uint8)
  mask[2:14, 2000:5000] = 255
  return {
    "video": media_files.encode(folder / "wide.mkv", wide),
    "mask": media_files.write_png(folder / "wide.png", mask),
    "config.fit": "pad",
  }


def empty_folder(folder):
  (folder / "empty").mkdir()
  return {"video": folder / "empty"}


def folder_of_text(folder):
  (folder / "notes").mkdir()
  (folder / "notes" / "a.txt").write_text("x")
  return {"video": folder / "notes"}


def mixed_folder(folder):
  write_images(folder / "mixed", FRAMES)
  cv2.imwrite(str(folder / "mixed" / "00000.jpg"), FRAMES[0])
  return {"video": folder / "mixed"}


def damaged_png(folder):
  write_images(folder / "frames", FRAMES)
  media_files.cut_off(folder / "frames" / "00003.png", 0.5)
  return {"video": folder / "frames"}


def sizes_differ(folder):
  write_images(folder / "frames", FRAMES)
  media_files.write_png(folder / "frames" / "00002.png", FRAMES[0, :32])
  return {"video": folder / "frames"}


def deep_png(folder):
  write_images(folder / "frames", FRAMES)
  media_files.write_png(folder / "frames" / "00001.png", np.uint16(FRAMES[0]) * 257)
  return {"video": folder / "frames"}


def text_as_png(folder):
  write_images(folder / "frames", FRAMES)
  (folder / "frames" / "00004.png").write_text("no image")
  return {"video": folder / "frames"}


def link_loop(folder):
  (folder / "a.mp4").symlink_to(folder / "b.mp4")
  (folder / "b.mp4").symlink_to(folder / "a.mp4")
  return {"video": folder / "a.mp4"}


def folder_loop(folder):
  (folder / "round").symlink_to(folder / "round")
  return {"mask": folder / "round"}


def dead_link(folder):
  (folder / "dead.mp4").symlink_to(folder / "gone.mp4")
  return {"video": folder / "dead.mp4"}


def pipe(folder):
  os.mkfifo(folder / "pipe.mp4")
  return {"video": folder / "pipe.mp4"}


def mask_video(count=COUNT, mask=MASK):
  def make(folder):
    write_video(folder / "mask.mp4", masks(count, mask), media_files.NTSC)
    return {"mask": folder / "mask.mp4"}

  return make


def labels(folder):
  path = folder / "labels.png"
  media_files.write_indexed_png(path, MASK // 255, media_files.DAVIS_PALETTE)
  return {"mask": path, "object": 3}


def output_is_a_file(folder):
  (folder / "out").write_text("mine")
  return {}


def output_below_a_file(folder):
  return {"output": folder / "clip.mkv" / "out"}


def output_of_another_run(folder):
  (folder / "out").mkdir()
  (folder / "out" / "inpainted.mp4").write_text("mine")
  return {}


def project_layout(**flags):
  """A case whose frames and masks lie where the run would write."""

  def make(folder):
    write_images(folder / "project" / "frames", FRAMES)
    write_images(folder / "project" / "masks", masks())
    return {
      "video": folder / "project" / "frames",
      "mask": folder / "project" / "masks",
      "output": folder / "project",
      **flags,
    }

  return make


def frames_as_output(folder):
  write_images(folder / "frames", FRAMES)
  return {"video": folder / "frames", "output": folder / "frames"}


def damaged_config(folder):
  (folder / "out").mkdir()
  (folder / "out" / "config.json").write_text("{ cut off")
  return {"resume": None}


class Hostile:
  """Creates a file when it is unpickled without precautions."""

  def __init__(self, path):
    self.path = path

  def __reduce__(self):
    return open, (str(self.path), "w")


def hostile_pickle(folder):
  path = folder / "weights.pth"
  path.write_bytes(pickle.dumps(Hostile(folder / "harm"), protocol=2))
  return {"config.flow.estimator": "pwcnet", "config.flow.weights": path}


def other_network(path):
  tensors = {"features.0.weight": np.zeros((8, 3, 3, 3), np.float32)}
  torch_file_writer.write_arrays(path, tensors, "zip")


GREY = np.where(MASK > 0, np.uint8(100), np.uint8(0))
RGBA = np.dstack([FRAMES[0], MASK])

BAD = [
  ("missing video", flags(video="none.mp4"), ("none.mp4", "No such file")),
  ("zero bytes", video("zero.mp4", b""), ("zero.mp4", "0 bytes")),
  ("text renamed", video("text.mp4", b"no video\n" * 99), ("text.mp4", "not a video")),
  ("random bytes", video("noise.mkv", bytes(range(256)) * 20), ("noise.mkv",)),
  ("playlist", video("l.mp4", b"#EXTM3U\n#EXTINF:1,\nhttp://[::1]/a.ts\n"), ("l.mp4",)),
  ("cut mp4", truncated("a.mp4", "libx264"), ("a.mp4", "cut off")),
  ("cut mkv", truncated("a.mkv", "libx264"), ("a.mkv", "cut off")),
  ("cut webm", truncated("a.webm", "libvpx-vp9"), ("a.webm", "cut off")),
  ("cut avi", truncated("a.avi", "mpeg4"), ("a.avi", "cut off")),
  ("no frames", no_frames, ("none.mkv", "no frames")),
  ("one frame", few_frames(1), ("1 frame", "needs 5")),
  ("four frames", few_frames(4), ("4 frames", "needs 5")),
  ("alpha", alpha_video, ("alpha.mkv", "alpha channel")),
  ("HDR", hdr_video, ("hdr.mkv", "HDR video (HLG)")),
  ("1x1", one_by_one, ("dot.png", "whole of every frame")),
  ("too wide for a video", twenty_thousand_wide, ("wide.mkv", "16,384", "16x20032")),
  ("an image as video", lambda f: {"video": f / "mask.png"}, ("mask.png", "one image")),
  ("long name", flags(video="x" * 300 + ".mp4"), ("too long",)),
  ("null byte", flags(video="a\0b.mp4"), ("null",)),
  ("link loop", link_loop, ("a.mp4", "symbolic links")),
  ("dead link", dead_link, ("dead.mp4", "No such file")),
  ("pipe", pipe, ("pipe.mp4", "neither a file nor a folder")),
  ("device", flags(video="/dev/zero"), ("/dev/zero", "neither a file nor a folder")),
  ("kernel's file", flags(video="/proc/self/mem"), ("/proc/self/mem",)),
  ("empty folder", empty_folder, ("empty", "no images")),
  ("folder of text", folder_of_text, ("notes", "no images")),
  ("two of one name", mixed_folder, ("00000.jpg", "00000.png")),
  ("damaged frame", damaged_png, ("00003.png", "damaged")),
  ("frames differ", sizes_differ, ("00002.png", "32x64", "48x64")),
  ("16-bit frame", deep_png, ("00001.png", "8 bits")),
  ("text as frame", text_as_png, ("00004.png", "not one")),
  ("missing mask", flags(mask="none.png"), ("none.png", "No such file")),
  ("mask folder loop", folder_loop, ("round", "symbolic links")),
  ("mask of other size", mask_image(MASK[::2, ::2]), ("bad.png", "24x32", "48x64")),
  ("mask video, other size", mask_video(mask=MASK[:32]), ("mask.mp4", "32x64")),
  ("too few masks", mask_folder([MASK] * 5), ("masks", "5 masks", "7 frames")),
  ("too many masks", mask_video(9), ("mask.mp4", "9 masks", "7 frames")),
  ("folder of one mask", mask_folder([MASK]), ("masks", "image file itself")),
  ("black mask", mask_image(MASK * 0), ("bad.png", "every frame is black")),
  ("white mask", mask_image(MASK * 0 + 255), ("bad.png", "--invert-mask")),
  (
    "inverted to nothing",
    lambda f: {**mask_image(MASK * 0 + 255)(f), "invert-mask": None},
    ("bad.png", "leave out --invert-mask"),
  ),
  ("soft grey", mask_image(GREY), ("bad.png", "only up to 100", "255")),
  ("object numbers as mask", mask_image(MASK // 85), ("only up to 3", "--object")),
  ("mask with alpha", mask_image(RGBA), ("bad.png", "alpha channel")),
  (
    "object not there",
    labels,
    ("labels.png", "no frame holds object 3", "there are 1"),
  ),
  ("object of a grey mask", flags(object=1), ("mask.png", "not object numbers")),
  ("object of a video", lambda f: {**mask_video()(f), "object": 1}, ("--object 1",)),
  ("object 0", flags(object=0), ("config.mask_object", "1 to 255")),
  (
    "dilated over all",
    lambda f: {**mask_image(255 - MASK)(f), "dilate": 30},
    ("leaves nothing to learn", "smaller --dilate"),
  ),
  (
    "hole outside the crop",
    flags(**{"config.fit": "crop", "config.size": "12,36"}),
    ('fit="crop"', 'fit="pad"'),
  ),
  (
    "hole too small",
    lambda f: {
      **mask_image(np.pad([[np.uint8(255)]], ((9, 38), (9, 54))))(f),
      "config.size": "12,16",
    },
    ("no hole is left", "--dilate"),
  ),
  ("output is a file", output_is_a_file, ("out", "is a file")),
  ("output below a file", output_below_a_file, ("out", "Not a directory")),
  ("long output name", flags(output="x" * 300), ("--output", "too long")),
  ("null byte in the output", flags(output="a\0b"), ("--output", "null")),
  ("null byte in the mask", flags(mask="a\0b.png"), ("null",)),
  ("long config name", flags(config="x" * 300 + ".py"), ("--config", "too long")),
  ("null byte in the config", flags(config="./a\0b.py"), ("no such config",)),
  ("output in the kernel", flags(output="/proc/none"), ("/proc/none", "cannot be")),
  ("another's output", output_of_another_run, ("inpainted.mp4", "no run wrote")),
  ("project layout", project_layout(), ("project/frames", "--video")),
  (
    "project layout, overwritten",
    project_layout(overwrite=None),
    ("project/frames", "--video"),
  ),
  ("output in the frames' folder", frames_as_output, ("frames", "folder of --video")),
  ("nothing to resume", flags(resume=None), ("no run to resume",)),
  ("damaged config.json", damaged_config, ("config.json", "cannot be read")),
  (
    "resume and overwrite",
    flags(resume=None, overwrite=None),
    ("--resume", "--overwrite"),
  ),
  ("no such config", flags(config="none.py"), ("none.py", "fast.py")),
  ("empty config name", flags(config=""), ("no such config",)),
  ("config: syntax", config_file("def get_config(:\n"), ("own.py", "SyntaxError")),
  ("config: no function", config_file("x = 1\n"), ("own.py", "get_config()")),
  ("config: fails", own_config("1 / 0"), ("own.py", "division by zero")),
  ("config: a dict", config_file("def get_config():\n  return {}\n"), ("ConfigDict",)),
  ("config: typo", own_config("config.roundz = 3"), ("own.py", "roundz")),
  ("config: another type", own_config("config.rounds = 'many'"), ("rounds", "many")),
  (
    "config: keys missing",
    config_file(
      "import ml_collections\ndef get_config():\n  return ml_collections.ConfigDict()\n"
    ),
    ("own.py", "missing key", "batch_size", " more; begin with"),
  ),
  (
    "config: type hidden",
    config_file(
      "import ml_collections\nfrom dipvid_jax.method.recipes import load_recipe\n"
      "def get_config():\n  kept = load_recipe('vid').to_dict()\n"
      "  return ml_collections.ConfigDict({**kept, 'size': 'big'})\n"
    ),
    ("own.py", "size", "tuple", "big"),
  ),
  ("unknown key", flags(**{"config.roundz": 1}), ("roundz",)),
  ("word for a number", flags(**{"config.rounds": "many"}), ("rounds", "many")),
  ("not a yes or no", flags(**{"config.carry": "maybe"}), ("carry", "maybe")),
  ("not a number", flags(**{"config.learning_rate": "nan"}), ("learning_rate", "nan")),
  ("size of one side", flags(**{"config.size": "48"}), ("config.size", "(48,)")),
  ("size of words", flags(**{"config.size": "a,b"}), ("config.size", "a,b")),
  ("size too small", flags(size="8x64"), ("8x64", "at least 12")),
  ("size of no kind", flags(size="big"), ("--size", "'big'", "192x384")),
  ("too many levels", flags(**{"config.levels": 5}), ("levels=5", "or use levels=3")),
  ("too large a seed", flags(seed=2**40), ("config.seed", "4294967295")),
  ("too wide a feather", flags(**{"config.feather": 5000}), ("feather", "5000")),
  ("unknown flag", flags(nonsense=1), ("nonsense",)),
  ("flag without value", flags(seed=None), ("--seed", "expected one argument")),
  ("weights missing", flags(**{"config.flow.estimator": "pwcnet"}), ("flow.weights",)),
  ("weights empty", weights(b""), ("weights.pth", "empty")),
  ("weights of text", weights(b"no weights"), ("weights.pth", "PyTorch")),
  ("weights of another network", weights(other_network), ("weights.pth", "PWC-Net")),
  ("hostile pickle", hostile_pickle, ("weights.pth",)),
]
