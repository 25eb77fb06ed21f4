"""The server of reports/: its links work in a browser, show what is there now, and end with it."""

from __future__ import annotations

import os
import shutil
import socket
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from flows.artifacts import links
from infra import servers
from openautoglm.commands import doctor

PAGES = {"report": "report.html", "chain": "chain.html", "data-docs": "data_docs/index.html"}


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setattr(servers, "ROOT", tmp_path)
    monkeypatch.setattr(servers, "SERVERS", tmp_path / ".autoglm/servers")
    monkeypatch.setattr(servers, "LOGS", tmp_path / ".autoglm/logs")
    monkeypatch.setattr(servers, "DATABASE", tmp_path / ".autoglm/prefect/prefect.db")
    monkeypatch.delenv("AUTOGLM_REPORTS_URL", raising=False)
    here = Path(__file__).parents[2] / "infra/static.py"
    (tmp_path / "infra").mkdir()
    shutil.copy(here, tmp_path / "infra")
    yield tmp_path
    servers.down()


def _write(root: Path, what: str) -> dict[str, Path]:
    paths = {name: root / "reports" / page for name, page in PAGES.items()}
    for name, path in paths.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"<p>{name} {what}</p>")
        os.utime(path, (0, 0))  # long ago, so that a browser would call it fresh for long
    return paths


def test_links_go_to_the_server_while_it_runs(checkout: Path, capsys: pytest.CaptureFixture[str]) -> None:
    url = servers.serve_reports()  # before there are any
    servers._wait("reports")
    assert links(checkout) == {}
    for what in ("old", "new"):
        paths = _write(checkout, what)
        assert links(checkout) == {name: f"{url}/{page}" for name, page in PAGES.items()}
        for name, link in links(checkout).items():
            with urllib.request.urlopen(link, timeout=5) as answer:
                assert answer.read() == paths[name].read_bytes()
                assert answer.headers["Cache-Control"] == "no-store"
    assert servers.serve_reports() == url, "it runs already"
    servers.status()
    assert f"reports  {url}" in capsys.readouterr().out
    assert doctor._reports(checkout) == url

    servers.down()
    assert "stopped reports" in capsys.readouterr().out
    assert links(checkout) == {name: path.as_uri() for name, path in paths.items()}


def test_it_takes_the_next_free_port(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as somebody:
        port = somebody.getsockname()[1]
        monkeypatch.setitem(servers.PORTS, "reports", port)
        url = servers.serve_reports()
        servers._wait("reports")
    assert int(url.rpartition(":")[2]) > port
    assert links(_write(checkout, "new")["report"].parents[1])["report"] == f"{url}/report.html"


def test_another_site_whose_name_points_here_is_told_nothing(checkout: Path) -> None:
    url = servers.serve_reports()
    servers._wait("reports")
    _write(checkout, "secret")
    asked = urllib.request.Request(f"{url}/report.html", headers={"Host": "elsewhere.example:80"})
    with pytest.raises(urllib.error.HTTPError, match="421"):
        urllib.request.urlopen(asked, timeout=5)


def test_one_that_died_is_no_fault_and_doctor_says_what_is_lost(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:1/api")
    monkeypatch.setattr(doctor.lookup, "answers", lambda url: "/api" in url)
    (checkout / ".autoglm/servers").mkdir(parents=True)
    (checkout / ".autoglm/servers/reports.json").write_text(
        '{"pid": 1, "started": 1.0, "url": "http://gone"}'
    )
    paths = _write(checkout, "here")

    assert links(checkout)["report"] == paths["report"].as_uri()
    assert doctor._server(checkout) == "http://127.0.0.1:1/api"
    assert "not served" in doctor._reports(checkout)
    assert "`autoglm up`" in doctor._reports(checkout)


def test_a_named_server_is_believed(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a container, where the browser's address is not the run's."""
    _write(checkout, "here")
    monkeypatch.setenv("AUTOGLM_REPORTS_URL", "https://reports.example/")
    assert links(checkout)["data-docs"] == "https://reports.example/data_docs/index.html"
