"""Ours and its peers, each as two functions of files. One process for each measurement: CPU seconds and peak memory.

python -m tests.bench.delta_codecs    which of them are here, and how to get the others
"""

from __future__ import annotations

import importlib.util
import json
import os
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Pack = Callable[[Path, Path, Path], int]  # base, new, where to → bytes that travel
Unpack = Callable[[Path, Path, Path], None]  # base, packed, where to
EXTRA = "pip install 'openautoglm[bench]'"


@dataclass(frozen=True)
class Codec:
    """``needs``: a module or a program; ``slow``: seconds a link, so it sits out the chains."""

    name: str
    pack: Pack
    unpack: Unpack
    needs: str
    get: str = EXTRA
    slow: bool = False

    @property
    def missing(self) -> str | None:
        found = importlib.util.find_spec(self.needs) or shutil.which(self.needs)
        return None if found else f"{self.needs} is not installed: {self.get}"


def _ours_pack(base: Path, new: Path, out: Path) -> int:
    from openautoglm.release.delta import diff

    return diff(base, new, out, threads=1).size


def _ours_unpack(base: Path, packed: Path, out: Path) -> None:
    from openautoglm.release.delta import apply

    apply(base, packed, out, threads=1)


def _zstd_pack(base: Path, new: Path, out: Path) -> int:
    import zstandard

    return out.write_bytes(zstandard.ZstdCompressor(level=3).compress(new.read_bytes()))


def _zstd_unpack(base: Path, packed: Path, out: Path) -> None:
    import zstandard

    out.write_bytes(zstandard.ZstdDecompressor().decompress(packed.read_bytes()))


def _xor_pack(base: Path, new: Path, out: Path) -> int:
    """slime's and SkyRL's disk delta: XOR and zstd-1, tensor by tensor. The header travels as it is."""
    import numpy as np
    import zstandard

    old, fresh = base.read_bytes(), new.read_bytes()
    assert old[: _start(old)] == fresh[: _start(fresh)], "a baseline for models of one shape"
    parts = [fresh[: _start(fresh)]]
    for begin, end in _ranges(fresh):
        if old[begin:end] == fresh[begin:end]:
            parts.append(bytes(4))
            continue
        xor = np.frombuffer(old[begin:end], np.uint8) ^ np.frombuffer(fresh[begin:end], np.uint8)
        packed = zstandard.ZstdCompressor(level=1).compress(xor.tobytes())
        parts += [len(packed).to_bytes(4, "little"), packed]
    return out.write_bytes(b"".join(parts))


def _xor_unpack(base: Path, packed: Path, out: Path) -> None:
    import numpy as np
    import zstandard

    old, data = base.read_bytes(), packed.read_bytes()
    place = _start(data)
    parts = [data[:place]]
    for begin, end in _ranges(data):
        size = int.from_bytes(data[place : place + 4], "little")
        frame, place = data[place + 4 : place + 4 + size], place + 4 + size
        before = np.frombuffer(old[begin:end], np.uint8)
        xor = zstandard.ZstdDecompressor().decompress(frame) if size else bytes(end - begin)
        parts.append((before ^ np.frombuffer(xor, np.uint8)).tobytes())
    out.write_bytes(b"".join(parts))


def _start(data: bytes) -> int:
    return 8 + int.from_bytes(data[:8], "little")


def _ranges(data: bytes) -> Iterator[tuple[int, int]]:
    """[begin, end) of each tensor of a safetensors file, in order."""
    header = json.loads(data[8 : _start(data)])
    found = sorted(fields["data_offsets"] for name, fields in header.items() if name != "__metadata__")
    return ((_start(data) + begin, _start(data) + end) for begin, end in found)


def _zipnn(new: Path) -> Any:
    from zipnn import ZipNN

    dtype = "float32" if new.name.endswith("fp32") else "bfloat16"
    return ZipNN(bytearray_dtype=dtype, delta_compressed_type="byte", is_streaming=True, threads=1)


def _zipnn_pack(base: Path, new: Path, out: Path) -> int:
    return out.write_bytes(_zipnn(new).compress(new.read_bytes(), delta_second_data=base.read_bytes()))


def _zipnn_unpack(base: Path, packed: Path, out: Path) -> None:
    found = _zipnn(base).decompress(packed.read_bytes(), delta_second_data=base.read_bytes())
    out.write_bytes(found)


def _z4ai_pack(base: Path, new: Path, out: Path) -> int:
    from z4ai import model_delta

    return int(model_delta.compress_file(str(new), str(base), str(out), threads=1)["stored"])


def _z4ai_unpack(base: Path, packed: Path, out: Path) -> None:
    from z4ai import model_delta

    model_delta.decompress_file(str(packed), str(base), str(out))


def _xet_pack(base: Path, new: Path, out: Path) -> int:
    """Into a store on disk that has the base: what the store grew by."""
    import hf_xet

    store = f"local://{out.resolve()}.store"
    shutil.rmtree(f"{out.resolve()}.store", ignore_errors=True)
    _xet_upload(base, store)
    before = _xet_size(out)
    clock.restart()  # the base is there already
    info = _xet_upload(new, store)
    out.write_text(json.dumps([info.hash, info.file_size]))
    assert hf_xet
    return _xet_size(out) - before


def _xet_upload(path: Path, store: str) -> Any:
    import hf_xet

    return hf_xet.upload_files([str(path)], store, None, None, None, "model")[0]


def _xet_size(out: Path) -> int:
    blobs = Path(f"{out.resolve()}.store").rglob("xorbs/default.*")
    return sum(path.stat().st_size for path in blobs if path.suffix != ".tagset")


def _xet_unpack(base: Path, packed: Path, out: Path) -> None:
    import hf_xet

    digest, size = json.loads(packed.read_text())
    wanted = hf_xet.PyXetDownloadInfo(str(out.resolve()), digest, size)
    hf_xet.download_files([wanted], f"local://{packed.resolve()}.store", None, None, None)


def _tool(*command: object) -> None:
    subprocess.run([str(part) for part in command], check=True, capture_output=True)


def _patch_pack(base: Path, new: Path, out: Path) -> int:
    _tool("zstd", "-3", "-T1", "--long=27", "-qf", f"--patch-from={base}", new, "-o", out)
    return out.stat().st_size


def _patch_unpack(base: Path, packed: Path, out: Path) -> None:
    _tool("zstd", "-d", "--long=27", "-qf", f"--patch-from={base}", packed, "-o", out)


def _xdelta_pack(base: Path, new: Path, out: Path) -> int:
    _tool("xdelta3", "-e", "-f", "-9", "-B", base.stat().st_size, "-s", base, new, out)
    return out.stat().st_size


def _xdelta_unpack(base: Path, packed: Path, out: Path) -> None:
    _tool("xdelta3", "-d", "-f", "-B", base.stat().st_size, "-s", base, packed, out)


OURS = "ours"
CODECS = (
    Codec(OURS, _ours_pack, _ours_unpack, "pcodec"),
    Codec("z4ai model_delta", _z4ai_pack, _z4ai_unpack, "z4ai"),
    Codec("ZipNN delta", _zipnn_pack, _zipnn_unpack, "zipnn"),
    Codec("xor + zstd-1", _xor_pack, _xor_unpack, "zstandard"),
    Codec("hf-xet, local", _xet_pack, _xet_unpack, "hf_xet", slow=True),
    Codec("zstd --patch-from", _patch_pack, _patch_unpack, "zstd", "apt install zstd", slow=True),
    Codec("xdelta3 -9", _xdelta_pack, _xdelta_unpack, "xdelta3", "apt install xdelta3", slow=True),
    Codec("zstd -3, no base", _zstd_pack, _zstd_unpack, "zstandard", slow=True),
)


class Clock:
    """CPU seconds of this process and its children: a busy machine does not count, nor does a second thread help."""

    def restart(self) -> None:
        self.start = self.now()

    @property
    def seconds(self) -> float:
        return self.now() - self.start

    @staticmethod
    def now() -> float:
        times = os.times()
        return time.process_time() + times.children_user + times.children_system


clock = Clock()


def work(name: str, step: str, rounds: int, patience: float, links: list[list[str]]) -> dict[str, Any]:
    """``links``: base, new or packed, where to. Rounds end early when they took ``patience`` seconds together."""
    codec = next(codec for codec in CODECS if codec.name == name)
    if importlib.util.find_spec(codec.needs):
        importlib.import_module("openautoglm.release.delta" if name == OURS else codec.needs)
    seconds: list[float] = []
    sizes: list[int] = []
    while len(seconds) < rounds and sum(seconds) < patience:
        total, sizes = 0.0, []
        for base, source, out in links:
            clock.restart()
            size = getattr(codec, step)(Path(base), Path(source), Path(out))
            total += clock.seconds
            sizes.append(size or 0)
        seconds.append(total)
    return {"seconds": seconds, "sizes": sizes, "peak": _peak()}


def _peak() -> int:
    """MB of this process or the largest of its children; VmHWM, because ru_maxrss begins with the parent's."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    status = Path("/proc/self/status")
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    if status.is_file():
        own = int(status.read_text().split("VmHWM:")[1].split()[0])
    return max(own, children) // 1000


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(json.dumps(work(**json.loads(sys.argv[1]))))
    else:
        for one in CODECS:
            print(f"{one.name:<20} {one.missing or 'here'}")
