"""The temperature: found where it is known, and no answer changes."""

from __future__ import annotations

import pytest
import torch

from openautoglm.model.adapters import Classify
from openautoglm.model.config import AutoGLMConfig, with_labels
from openautoglm.train.calibrate import fit_temperature


@pytest.mark.parametrize("true", [0.5, 1.0, 3.0])
def test_the_temperature_that_drew_the_labels_is_found(true: float) -> None:
    torch.manual_seed(0)
    logits = 3 * torch.randn(4000, 5)
    labels = torch.distributions.Categorical(logits=logits / true).sample()
    assert fit_temperature(logits, labels) == pytest.approx(true, rel=0.1)


def test_scaling_the_adapter_divides_its_logits_and_keeps_its_answers() -> None:
    torch.manual_seed(0)
    adapter = Classify(8, AutoGLMConfig(**with_labels(["a", "b", "c"]))).eval()
    features = torch.randn(50, 8)
    before = adapter(features)
    adapter.scale(1 / 2.5)
    after = adapter(features)
    assert torch.allclose(after * 2.5, before, atol=1e-5)
    assert torch.equal(after.argmax(-1), before.argmax(-1))
