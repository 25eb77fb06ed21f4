"""What the documents say of the tree holds."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import click
import pytest
from ruamel.yaml import YAML

from openautoglm import cli

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = [
    ROOT / "README.md",
    ROOT / "data/README.md",
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / "infra").rglob("*.md")),
]
FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
CALL = re.compile(r"(?<![\w./-])autoglm ([a-z]+)([^;&|\n]*)")
NO_COMMANDS = {"manifest"}  # the first line of what a signature signs, docs/serving.md
NO_OUTS = ("reports/report.html", "reports/data_docs", "reports/latency.json")


@pytest.mark.parametrize("name", ["README.md", "docs/architecture.md", "docs/adr/0002-inputs-are-pinned.md"])
def test_what_dvc_does_not_restore_is_named(name: str) -> None:
    stages = YAML(typ="safe").load(ROOT / "dvc.yaml")["stages"].values()
    outs = {path for stage in stages for path in stage["outs"]}
    assert not outs & set(NO_OUTS)
    text = (ROOT / name).read_text()
    assert all(page in text for page in NO_OUTS)


def test_every_room_has_its_layer() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    layers = next(
        contract["layers"] for contract in contracts if contract.get("containers") == ["openautoglm"]
    )
    library = ROOT / "openautoglm"
    rooms = {path.name for path in library.iterdir() if list(path.glob("*.py")) and path.is_dir()}
    modules = {path.stem for path in library.glob("*.py")} - {"__init__"}
    assert set(layers) >= rooms | modules
    assert layers[:5] == ["cli", "commands", "loop", "serve", "release"]


def calls(text: str) -> list[tuple[str, str]]:
    """(command, what follows it) for each `autoglm ...` in shell blocks, their comments, and code in a line of prose."""
    shell = [body for language, body in FENCED.findall(text) if language in ("bash", "")]
    prose = [code.replace("\n", " ") for code in re.findall(r"`([^`]+)`", FENCED.sub("", text))]
    unquoted = re.sub(r"\"[^\"\n]*\"", "TEXT", "\n".join(shell + prose))
    return [(name, rest) for name, rest in CALL.findall(unquoted) if name not in NO_COMMANDS]


def test_calls_are_found() -> None:
    text = "```bash\nA=1 autoglm run --set a=1 && autoglm why x  # or\n```\nIn `autoglm\nforget --ids` and open-autoglm."
    assert [(name, rest.split()) for name, rest in calls(text)] == [
        ("run", ["--set", "a=1"]),
        ("why", ["x", "#", "or"]),
        ("forget", ["--ids"]),
    ]


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_commands_and_options_exist(path: Path) -> None:
    group, context = cli.Commands(), click.Context(cli.group)
    for name, rest in calls(path.read_text()):
        command = group.get_command(context, name)
        assert command, f"{path.name}: there is no autoglm {name}"
        known = {"--help"} | {option for param in command.params for option in param.opts}
        unknown = set(re.findall(r"(?<!\S)\(?(--[a-z][a-z-]*)", rest)) - known
        assert not unknown, f"{path.name}: autoglm {name} has no {', '.join(sorted(unknown))}"


def test_the_readme_names_what_is_used_every_day() -> None:
    named = {name for name, _ in calls((ROOT / "README.md").read_text())}
    assert named >= {
        "run",
        "ingest",
        "watch",
        "retrain",
        "forget",
        "checkout",
        "rollback",
        "versions",
        "pull",
    }


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(path: Path) -> None:
    targets = re.findall(r"\]\((?!https?:)([^)#:\s]+)[^)\s]*\)", FENCED.sub("", path.read_text()))
    gone = [target for target in targets if not (path.parent / target).exists()]
    assert not gone, f"{path.name}: {', '.join(gone)}"
