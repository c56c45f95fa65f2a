"""Copies the input's sound into the result without re-encoding it."""

import contextlib
import fractions
import heapq
import pathlib
from collections.abc import Iterable, Iterator, Sequence

import av
from av.container import InputContainer

from dipvid_jax.media import sources
from dipvid_jax.storage import atomic

# Codecs that players accept in an MP4. Any other would have to be re-encoded.
_CODECS = frozenset({"aac", "ac3", "alac", "eac3", "flac", "mp2", "mp3", "opus"})


def add_audio(video: pathlib.Path, source: pathlib.Path) -> str:
  """Copies a file's sound into a written video without re-encoding anything.

  The sound keeps its time relative to the first frame. If the copy fails, the video
  stays as it is: a silent result is better than none.

  Args:
    video: an MP4 without sound, which is replaced.
    source: the file from which the video's frames come.

  Returns:
    One line that says what was left out and why; empty if everything was copied.
  """
  try:
    with _open(source) as given:
      kept = [s for s in given.streams.audio if _codec(s) in _CODECS]
      others = {_codec(s) for s in given.streams.audio if s not in kept}
      if kept:
        _copy(video, given, kept)
  except (av.FFmpegError, OSError, ValueError) as error:
    reason = sources.os_reason(error)
    return f"{source}: its sound cannot be copied ({reason}); the result has none"
  if others:
    names = ", ".join(sorted(others))
    return f"{source}: an MP4 cannot hold its sound ({names}); left out"
  return ""


def _open(path: pathlib.Path) -> InputContainer:
  return av.open(
    sources.ffmpeg_url(path),
    container_options={"protocol_whitelist": "file"},
    metadata_errors="replace",
  )


def _copy(
  video: pathlib.Path, given: InputContainer, kept: Sequence[av.AudioStream]
) -> None:
  pictures = given.streams.video[0]
  first_frame = (pictures.start_time or 0) * (pictures.time_base or 0)
  with contextlib.ExitStack() as files:
    partial = files.enter_context(atomic.replacing(video))
    silent = files.enter_context(_open(video))
    both = files.enter_context(
      av.open(
        sources.ffmpeg_url(partial),
        "w",
        format="mp4",
        options={"movflags": "+faststart"},
      )
    )
    targets = {s: both.add_stream_from_template(s) for s in (*silent.streams, *kept)}
    for source, target in targets.items():
      target.metadata.update(source.metadata)
    packets = (_moved(silent.demux(), by=0), _moved(given.demux(kept), by=-first_frame))
    for _, packet in heapq.merge(*packets, key=lambda pair: pair[0]):
      packet.stream = targets[packet.stream]
      both.mux(packet)


def _moved(
  packets: Iterable[av.Packet], *, by: fractions.Fraction | int
) -> Iterator[tuple[fractions.Fraction, av.Packet]]:
  """Packets moved in time by a number of seconds, each after its new time."""
  for packet in packets:
    if not packet.size:
      continue  # an empty packet ends the stream
    times = (packet.pts, packet.dts)
    start = next((ticks for ticks in reversed(times) if ticks is not None), None)
    if start is None:
      raise ValueError("it has no timestamps")
    later = round(by / packet.time_base)
    packet.pts, packet.dts = ((start if t is None else t) + later for t in times)
    yield packet.dts * packet.time_base, packet


def _codec(stream: av.AudioStream) -> str:
  return stream.codec_context.codec.canonical_name
