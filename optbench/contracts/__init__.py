"""The contract tests of interfaces.py, to be run on anybody's problem, optimizer, schedule or modifier.

Each is a function that returns nothing, or raises ContractError with one sentence that says what is wrong and what mends it.
"""

from .contract import ContractError
from .optimizers import optimizer_contracts
from .problems import problem_contracts
from .training import modifier_contracts, schedule_contracts, suited

__all__ = [
    "ContractError",
    "modifier_contracts",
    "optimizer_contracts",
    "problem_contracts",
    "schedule_contracts",
    "suited",
]
