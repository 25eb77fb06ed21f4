"""Toy: a release is a file, its id the hash of the model."""

from pathlib import Path

from openautoglm.files import fingerprint, load_json, save_json
from openautoglm.params import Params
from openautoglm.release import ReleaseStore


def publish(params: Params, root: Path = Path()) -> dict[str, object]:
    model = load_json(root / "models/onnx/model.json")
    gates = load_json(root / "reports/evaluation.json")["gates"]
    store = ReleaseStore(str(root / params.publish.store))
    published = all(gate["passed"] for gate in gates)
    release = store.publish(fingerprint([model, params.train.parent])) if published else None
    save_json(root / "models/release/manifest.json", {"model": model})
    facts = {
        "published": published,
        "gates": gates,
        "parent": params.train.parent,
        "full_bytes": 100,
        "delta_bytes": 10,
    }
    save_json(
        root / "models/release.json",
        facts | ({"id": release.id, "version": release.version} if release else {}),
    )
    return {"published": published}
