"""Networks over trials, and what the problems that learn have in common."""

from .learning import Learning
from .network import Network

__all__ = ["Learning", "Network"]
