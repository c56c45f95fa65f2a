"""What XLA says that a run's training takes of the device."""

from jax.errors import JaxRuntimeError

from dipvid_jax.method.config import Config
from dipvid_jax.method.program import Program
from dipvid_jax.method.traced_visit import trace_visit


def training_bytes(
  program: Program, *, frame_count: int, size: tuple[int, int], config: Config
) -> int | None:
  """Compiles the first call of a run's training, and asks XLA what it takes.

  The run finds it compiled.

  Args:
    program: from `build_program` for T frames and this config.
    frame_count: T.
    size: (H, W) of the network's frames.
    config: the run's settings.

  Returns:
    Bytes of the clip, the state, the weights and all that an update computes; None
    where XLA does not say, or cannot compile.
  """
  traced = trace_visit(program, frame_count=frame_count, size=size, config=config)
  try:
    analysis = traced.lower().compile().memory_analysis()
  except JaxRuntimeError:  # its trials of algorithms may lack memory themselves
    return None
  if analysis is None:
    return None
  return (
    analysis.argument_size_in_bytes
    + analysis.output_size_in_bytes
    - analysis.alias_size_in_bytes
    + analysis.temp_size_in_bytes
    + analysis.generated_code_size_in_bytes
  )
