"""The measurements of the project in one run: medians and ratios.

python -m tests.bench              all of tests/bench/bench_*.py but delta, which trains its models first
python -m tests.bench graph door   only these
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path

HERE = Path(__file__).parent
LONG = ("delta",)  # half an hour; make bench-delta


def main(names: list[str]) -> int:
    """Each module's ``run()`` gives {name: number}, nested at will; a name with "ratio" in it is printed as one."""
    known = sorted(path.stem.removeprefix("bench_") for path in HERE.glob("bench_*.py"))
    if unknown := sorted(set(names) - set(known)):
        print(f"no such bench: {', '.join(unknown)}; there are {', '.join(known)}", file=sys.stderr)
        return 2
    failed = False
    for name in names or [name for name in known if name not in LONG]:
        start = time.perf_counter()
        try:
            lines = list(table(import_module(f"tests.bench.bench_{name}").run()))
        except Exception as error:  # one that breaks does not hide the others
            failed, lines = True, [f"  failed: {type(error).__name__}: {error}"]
        print(f"\n{name} ({time.perf_counter() - start:.0f} s)", *lines, sep="\n", flush=True)
    return int(failed)


def table(found: Mapping[str, object], indent: str = "  ") -> Iterator[str]:
    for name, value in found.items():
        if isinstance(value, Mapping):
            yield f"{indent}{name}"
            yield from table(value, f"{indent}  ")
        elif isinstance(value, int | float) and not isinstance(value, bool):
            yield f"{indent}{name.replace('_', ' '):<44} {value:>12,.4g}{' x' if 'ratio' in name else ''}"
        else:
            yield f"{indent}{name.replace('_', ' '):<44} {value!s:>12}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
