"""asv benchmarks and `python -m benchmarks.speed`. One thread, as the suite's own workers have."""

import torch

torch.set_num_threads(1)
torch.set_flush_denormal(True)
