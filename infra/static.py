"""A folder of pages on 127.0.0.1, for links from Prefect's pages: a browser follows no file:// from there.

    python infra/static.py reports 4201        or, in a container: python infra/static.py reports 4201 0.0.0.0

As `python -m http.server`, but no browser keeps a page: that one names no lifetime, and Chromium then showed a report of
ten days ago without asking, after another had taken its place.
"""

from __future__ import annotations

import sys
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

HOST = "127.0.0.1"


class Pages(SimpleHTTPRequestHandler):
    def send_head(self) -> Any:
        # a page of another site may have its name point here: what it asks for is not ours to tell
        asked = (self.headers.get("Host") or "").rpartition(":")[0]
        if self.server.server_address[0] == HOST and asked not in (HOST, "localhost"):
            self.send_error(421, "Misdirected Request")
            return None
        return super().send_head()

    def end_headers(self) -> None:
        self.send_header("Cache-Control", "no-store")
        super().end_headers()


def serve(folder: str, port: str, host: str = HOST) -> None:
    """Until it is ended. The folder is looked up with each request, so it may go and come again."""
    with ThreadingHTTPServer((host, int(port)), partial(Pages, directory=folder)) as server:
        server.serve_forever()


if __name__ == "__main__":
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__)
    serve(*sys.argv[1:])
