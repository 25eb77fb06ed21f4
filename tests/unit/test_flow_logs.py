"""What Prefect says of itself does not follow the one line that tells a user what is wrong."""

from __future__ import annotations

import logging

import pytest
from prefect.events.worker import EventsWorker
from prefect.logging.handlers import APILogWorker


@pytest.mark.parametrize("service", [EventsWorker, APILogWorker])
def test_that_a_service_still_sends_is_not_said_and_all_else_is(
    service: type, caplog: pytest.LogCaptureFixture
) -> None:
    import flows.steps  # noqa: F401, it sets the filters

    logger = logging.getLogger(service.__name__)
    logger.addHandler(caplog.handler)
    try:
        logger.warning("Still processing items: 1 items remaining...")
        logger.warning("cannot be sent")
    finally:
        logger.removeHandler(caplog.handler)
    assert set(caplog.messages) == {"cannot be sent"}
