"""The order of things: what runs after what, and what happens then."""

import tasks  # noqa: F401  the quiet environment, before Prefect reads it
from flows.server import connect

connect()
