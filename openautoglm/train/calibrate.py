"""One number after training: the temperature that makes the probabilities mean what they say.

Label smoothing and early stopping leave a model that is unsure of what it knows, or too sure. Dividing all logits by one
temperature, fitted on the valid split, mends that and changes no answer (Guo et al. 2017, arXiv 1706.04599, §4.2). It is
folded into the last layer, so nobody downstream has to know of it.
"""

from __future__ import annotations

import torch
from torch import Tensor

from openautoglm.model.autoglm import AutoGLMModel
from openautoglm.model.encode import collate
from openautoglm.train.prepare import Split
from openautoglm.train.sampler import in_length_order

CANDIDATES = torch.logspace(-1.3, 1.3, 261, dtype=torch.float64)  # 0.05 … 20, steps of 2.3 %
BATCH = 64
FEWEST = 20  # valid documents below which there is nothing to fit


def calibrate(model: AutoGLMModel, valid: Split) -> float:
    """Fold the best temperature into ``model``'s adapter; return it (1.0 where there is too little to fit it on)."""
    if len(valid) < FEWEST:
        return 1.0
    temperature = fit_temperature(logits_of(model, valid), valid.labels)
    model.adapter.scale(1.0 / temperature)
    return temperature


def fit_temperature(logits: Tensor, labels: Tensor) -> float:
    """The candidate with the smallest negative log-likelihood; logits [D, C], labels [D]."""
    losses = [
        float(torch.nn.functional.cross_entropy(logits.double() / temperature, labels))
        for temperature in CANDIDATES
    ]
    return float(CANDIDATES[losses.index(min(losses))])


@torch.no_grad()
def logits_of(model: AutoGLMModel, split: Split) -> Tensor:
    """[D, C] in the order of the split, in fp32: what will be served."""
    model.eval()
    rows = in_length_order(split.corpus.lengths, BATCH)
    logits = torch.cat([model(**collate(split.corpus, batch)).logits for batch in rows])
    back = torch.empty_like(logits)
    back[torch.cat([torch.from_numpy(batch) for batch in rows])] = logits
    return back
