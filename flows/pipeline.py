"""From raw texts to a published release.

python -m flows.pipeline        or: autoglm run, or from Prefect's UI after `make up`
"""

from __future__ import annotations

import sys

from prefect import flow

from flows.artifacts import gate
from flows.begin import begin
from flows.steps import step

ingest = step("ingest", retries=3)
validate = step("validate")
graph = step("graph")
train = step("train", hours=24)
evaluate = step("evaluate")
export = step("export")
publish = step("publish", retries=3)


@flow(name="pipeline", log_prints=True, persist_result=False)
def pipeline(keep_parent: bool = False) -> str:
    """Bring every stage up to date and publish what passes the gate.

    Args:
        keep_parent: train on from `train.parent` as it stands in params.yaml, also when the inbox changed.

    Returns:
        The id of the release that the candidate became.

    Raises:
        NotPublished: a gate said no.
    """
    begin(keep_parent)
    corpus = ingest()
    clean = validate(corpus)
    graphs = graph(clean)
    checkpoint = train(clean, graphs)
    exam = evaluate(graphs, checkpoint)
    model = export(checkpoint)
    release = publish(model, exam)
    return gate([corpus, clean, graphs, checkpoint, exam, model, release])


if __name__ == "__main__":
    from flows.begin import run_from_shell

    sys.exit(run_from_shell(pipeline, sys.argv[1:]))
