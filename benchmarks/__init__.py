"""asv benchmarks and `python -m benchmarks.speed`. One thread and the memory allocator set as in the suite's own workers."""

from optbench.executors.worker import tune

tune(1)
