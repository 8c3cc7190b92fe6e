"""Networks over all trials at once: any torch.nn.Module, its parameters one row a trial."""

from .network import Network

__all__ = ["Network"]
