import doctest

import pytest

from optbench import memory
from optbench.errors import UsageError
from optbench.memory import budget, free_bytes, parse


def test_the_example_in_the_docs_is_true():
    assert doctest.testmod(memory).failed == 0


@pytest.mark.parametrize(
    ("size", "number"), [(5, 5), ("2GB", 2 * 10**9), ("1.5 GiB", 3 * 2**29), ("300kb", 300_000), ("7MiB", 7 * 2**20)]
)
def test_sizes_are_read_with_their_units(size, number):
    assert parse(size) == number


@pytest.mark.parametrize("size", ["much", "2 XB", -1, 0, "", True, "1e9GB2"])
def test_what_is_no_size_is_refused_in_one_line(size):
    with pytest.raises(UsageError, match="memory must be a size such as 2GB or null"):
        parse(size)


def test_half_of_what_is_free_is_shared_by_the_workers(monkeypatch):
    monkeypatch.setattr("optbench.memory.free_bytes", lambda device: 16_000)
    assert budget(None, "cpu", 1) == 8_000
    assert budget(None, "cpu", 4) == 2_000
    assert budget("6000", "cpu", 3) == 2_000


def test_free_memory_is_what_the_kernel_says():
    with open("/proc/meminfo") as file:
        available = next(int(line.split()[1]) * 1024 for line in file if line.startswith("MemAvailable"))
    assert free_bytes("cpu") == pytest.approx(available, rel=0.2)
