"""What the continual loop remembers between runs: which batch is where, and who may train."""

from openautoglm.loop.lease import Lease, LeaseLost, hold
from openautoglm.loop.ledger import Batch, Ledger

__all__ = ["Batch", "Lease", "LeaseLost", "Ledger", "hold"]
