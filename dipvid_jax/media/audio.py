"""Copies the input's sound into the result without re-encoding it."""

import contextlib
import fractions
import heapq
import io
import itertools
import pathlib
from collections.abc import Iterable, Iterator, Sequence

import av
from av.container import InputContainer
from av.stream import Stream

from dipvid_jax.media import sources
from dipvid_jax.storage import atomic

# Codecs that players accept in an MP4. Any other would have to be re-encoded.
_CODECS = frozenset({"aac", "ac3", "alac", "eac3", "flac", "mp2", "mp3", "opus"})
_TRIED = 32  # packets of a track that are copied to see whether it can be


def add_audio(video: pathlib.Path, source: pathlib.Path) -> str:
  """Copies a file's sound into a written video without re-encoding anything.

  The sound keeps its time relative to the first frame. Tracks that cannot be copied
  are left out one by one. If the copy fails, the video stays as it is: a silent result
  is better than none.

  Args:
    video: an MP4 without sound, which is replaced.
    source: the file from which the video's frames come.

  Returns:
    One line that says what was left out and why; empty if everything was copied.
  """
  try:
    with _open(source) as given:
      beside = [s for s in given.streams if s is not _pictures(given)]
      obstacles = {stream.index: _obstacle(source, stream) for stream in beside}
      kept = [s for s in given.streams.audio if not obstacles[s.index]]
      if kept:
        _copy(video, given, kept)
      others = list(filter(None, obstacles.values()))
  except (av.FFmpegError, OSError, ValueError) as error:
    reason = sources.os_reason(error)
    return f"{source}: its sound cannot be copied ({reason}); the result has none"
  return f"{source}: left out of the result: {', '.join(others)}" if others else ""


def _pictures(given: InputContainer) -> av.VideoStream:
  """The stream that the frames come from."""
  for stream in given.streams.video:
    if not _is_cover(stream):
      return stream
  raise ValueError("it holds no video")


def _is_cover(stream: Stream) -> bool:
  cover = av.stream.Disposition.attached_pic
  return isinstance(stream, av.VideoStream) and bool(stream.disposition & cover)


def _obstacle(source: pathlib.Path, stream: Stream) -> str:
  """Why a stream stays out of the result; empty if it is sound that can be copied."""
  track = f"track {stream.index + 1}"
  if not isinstance(stream, av.AudioStream):
    return f"{track} ({'cover picture' if _is_cover(stream) else stream.type})"
  if stream.codec_context is None:
    return f"sound of {track} (its codec is unknown to FFmpeg)"
  name = stream.codec_context.codec.canonical_name
  if name not in _CODECS:
    return f"sound of {track} ({name}, which an MP4 cannot hold)"
  reason = _try_copy(source, stream.index)
  return f"sound of {track} ({reason})" if reason else ""


def _try_copy(source: pathlib.Path, index: int) -> str:
  """Copies the beginning of a track into memory; returns why that fails, or nothing."""
  try:
    with _open(source) as given, av.open(io.BytesIO(), "w", format="mp4") as trial:
      stream = given.streams[index]
      target = trial.add_stream_from_template(stream)
      for _, packet in itertools.islice(_moved(given.demux(stream), by=0), _TRIED):
        packet.stream = target
        trial.mux(packet)
  except (av.FFmpegError, ValueError) as error:
    return sources.os_reason(error)
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
  pictures = _pictures(given)
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
