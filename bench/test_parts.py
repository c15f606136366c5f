"""The parts by pytest-benchmark: `pytest bench/test_parts.py --benchmark-enable`, which can store and compare on one machine."""

from __future__ import annotations

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from bench.parts import PARTS, calibration, room


@pytest.mark.parametrize("name", PARTS)
def test_part(name: str, benchmark: BenchmarkFixture) -> None:
    benchmark.extra_info["times"] = PARTS[name].times
    with room() as where:
        benchmark(PARTS[name].ready(where))


def test_calibration(benchmark: BenchmarkFixture) -> None:
    """What `bench.parts` measures with."""
    benchmark(calibration)
