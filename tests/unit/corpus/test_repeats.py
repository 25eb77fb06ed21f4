from __future__ import annotations

from toy_rows import Row, entry, good, judged, reasons

from openautoglm.corpus.document import content_id
from openautoglm.params import ValidateParams


def test_a_repeated_id_keeps_the_row_that_came_first(params: ValidateParams) -> None:
    rows = good(200) + good(100, "0002-b", "e")
    rows[250] |= {"doc_id": "d3", "text": "quite another text"}
    verdict = judged(rows, params)
    assert verdict.ok
    assert verdict.clean.column("doc_id").count("d3") == 1
    assert "quite another text" not in verdict.clean.column("text")


def without_id(text: str, label: str, split: str = "train", batch: str = "0001-a") -> Row:
    """A row as ingest writes it where the source has no ids."""
    return {
        "doc_id": content_id(text),
        "text": text,
        "label": label,
        "split": split,
        "batch": batch,
        "fault": None,
    }


def test_repeated_rows_without_ids_are_one_and_count_for_nothing(params: ValidateParams) -> None:
    again = [without_id("thanks a lot", "refund_ask") for _ in range(40)]
    verdict = judged(again[:1] + good() + again[1:], params)
    assert verdict.ok, verdict.message
    assert verdict.clean.column("text").count("thanks a lot") == 1
    assert (verdict.quarantine.num_rows, verdict.report["quarantined"]) == (0, 0)
    assert (verdict.report["rows"], verdict.report["repeated"]) == (160, 39)
    later = [row | {"batch": "0002-b"} for row in again] + good(100, "0002-b", "e")
    verdict = judged(again + good() + later, params)
    assert verdict.ok, verdict.message
    assert verdict.clean.column("text").count("thanks a lot") == 1


def test_one_text_under_two_labels_is_told_as_such(params: ValidateParams) -> None:
    first, second = without_id("thanks a lot", "refund_ask"), without_id("thanks a lot", "parcel_late")
    verdict = judged([first, *good(), second, second], params)
    assert verdict.ok, verdict.message
    assert [(row["label"], row["reason"]) for row in verdict.quarantine.to_pylist()] == [
        ("parcel_late", "label conflict: parcel_late, the same text came as refund_ask before")
    ]
    assert entry(verdict, "unique_ids")["count"] == 0
    assert entry(verdict, "one_label")["count"] == 1


def test_a_repeat_in_another_split_is_leakage_and_the_exam_keeps_its_copy(params: ValidateParams) -> None:
    rows = [without_id("thanks a lot", "refund_ask", split) for split in ("train", "test", "train")]
    verdict = judged([*rows, *good()], params)
    assert verdict.clean.column("doc_id").count(content_id("thanks a lot")) == 1
    assert [row["reason"] for row in verdict.quarantine.to_pylist()] == [
        "leakage: the same text is in another split"
    ]


def test_an_id_that_looks_like_ours_but_is_not_is_an_id(params: ValidateParams) -> None:
    rows = good()
    rows[0]["doc_id"] = rows[1]["doc_id"] = content_id("quite another text")
    verdict = judged(rows, params)
    assert list(reasons(verdict).values()) == ["duplicate id"]


def test_leakage_inside_a_batch_leaves_the_exam_alone(params: ValidateParams) -> None:
    rows = good()
    rows[4]["text"] = rows[3]["text"] = rows[0]["text"]  # test, valid, train
    assert set(reasons(judged(rows, params))) == {"d0", "d3"}


def test_a_later_batch_changes_no_exam_that_was_sat(params: ValidateParams) -> None:
    rows = good(200) + good(100, "0002-b", "e")
    rows[200]["text"], rows[204]["text"] = (
        rows[4]["text"],
        rows[0]["text"],
    )  # new train = old test, and the reverse
    verdict = judged(rows, params)
    assert set(reasons(verdict)) == {"e0", "e4"}


def test_the_same_text_twice_in_one_split_may_stay(params: ValidateParams) -> None:
    rows = good()
    rows[5]["text"] = rows[0]["text"]
    assert judged(rows, params).quarantine.num_rows == 0
