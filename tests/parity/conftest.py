"""What the parity tests share."""

import numpy as np
import pytest


@pytest.fixture
def compare(request):
  """Compares two arrays and records how far apart they are.

  The difference is the largest one, relative to the largest magnitude expected.
  `pytest -vv tests/parity` lists the records.
  """

  def check(name: str, actual, expected, limit: float) -> None:
    actual, expected = np.asarray(actual), np.asarray(expected)
    assert actual.shape == expected.shape, name
    assert np.isfinite(actual).all(), name
    largest = np.abs(expected).max()
    assert largest > 0, f"{name}: nothing to compare"
    difference = float(np.abs(actual - expected).max() / largest)
    request.node.user_properties.append(("difference", difference))
    assert difference <= limit, f"{name}: {difference:.2e} > {limit:.0e}"

  return check


def pytest_terminal_summary(terminalreporter):
  """Prints the largest difference that each test saw, if asked to be verbose."""
  if terminalreporter.verbosity < 1:
    return
  terminalreporter.section("largest relative differences")
  for report in terminalreporter.getreports("passed"):
    differences = [
      value for key, value in report.user_properties if key == "difference"
    ]
    if differences and report.when == "call":
      line = f"{max(differences):8.1e}  ({len(differences):2d} arrays)  {report.nodeid}"
      terminalreporter.write_line(line)
