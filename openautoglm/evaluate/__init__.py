"""The exam: what a checkpoint scores, against its parent, its ablation and two cheap baselines, and the gates' verdict."""

from openautoglm.evaluate.evaluation import Evaluation
from openautoglm.evaluate.gate import Gate

__all__ = ["Evaluation", "Gate"]
