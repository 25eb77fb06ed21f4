from __future__ import annotations

import pytest
from toy_rows import Row, entry, good, judged, labelled, reasons

from openautoglm.params import ValidateParams


def test_a_good_corpus_goes_on_whole(params: ValidateParams) -> None:
    verdict = judged(good(), params)
    assert verdict.ok
    assert verdict.report["ok"]
    assert len(verdict.clean) == 120
    assert verdict.quarantine.num_rows == 0
    assert all(e["ok"] and not e["count"] for e in verdict.report["expectations"])
    assert verdict.report["drift"] == {}


@pytest.mark.parametrize(
    ("change", "rule", "reason"),
    [
        ({"text": None}, "text_present", "text missing"),
        ({"text": " \n "}, "text_present", "text missing"),
        ({"label": None}, "label_present", "label missing"),
        ({"text": "x"}, "text_not_too_short", "text too short"),
        ({"text": "word " * 2001}, "text_not_too_long", "text too long: 2001 words"),
        ({"text": "字" * 2001}, "text_not_too_long", "text too long: 2001 words"),
        ({"text": "caf\ufffd here"}, "encoding", "broken encoding"),
        ({"text": "the cafÃ© is â€œshutâ€\x9d"}, "encoding", "broken encoding"),
        ({"text": "a null \x00 inside"}, "encoding", "broken encoding"),
        ({"doc_id": "d1"}, "unique_ids", "duplicate id"),
        ({"text": "This is  text d 0 on refunds"}, "leakage", "leakage: the same text is in another split"),
        ({"label": "refund_aks"}, "label_spelling", "label misspelt: refund_aks, meant is refund_ask"),
        ({"label": "rare"}, "label_support", "label too rare to learn: rare"),
        ({"text": "417", "fault": "wrong type: text is a number, not a text"}, "value_types", "wrong type"),
        (
            {"text": None, "fault": "column missing: no text, found id, body"},
            "columns_present",
            "column missing",
        ),
        (
            {"text": None, "label": None, "fault": "unreadable row: not JSON"},
            "rows_readable",
            "unreadable row",
        ),
        ({"fault": "unknown split: 'x', expected train, valid or test"}, "split_names", "unknown split"),
    ],
)
def test_one_bad_row_is_set_aside_by_one_rule(
    params: ValidateParams, change: Row, rule: str, reason: str
) -> None:
    rows = good()
    rows[73] |= {"doc_id": "bad", "label": "refund_ask"} | change  # 73 is in valid, d0 in train
    verdict = judged(rows, params)
    assert verdict.ok, verdict.message
    assert len(verdict.clean) == len(rows) - 1
    broken = [e["name"] for e in verdict.report["expectations"] if e["count"]]
    assert broken == [rule]
    (found,) = reasons(verdict).values() if rule != "leakage" else [reasons(verdict)["d0"]]
    assert found.startswith(reason)


def test_sound_text_of_any_script_is_not_broken(params: ValidateParams) -> None:
    sound = ["São Paulo, açaí, Ångström, naïve", "£5 – “quoted” … €", "¿Dónde está?", "😀 ok", "中文 文本"]
    rows = good()
    for row, text in zip(rows, sound, strict=False):
        row["text"] = text
    assert judged(rows, params).quarantine.num_rows == 0


def test_over_the_share_every_fault_is_named(params: ValidateParams) -> None:
    rows = good()
    for n in range(6):
        rows[n]["text"] = None
    rows[50]["text"] = "caf\ufffd"
    rows[60]["doc_id"] = "d61"
    verdict = judged(rows, params)
    assert not verdict.ok
    assert "8 of 120 rows set aside (6.7%), validate.max_quarantined allows 2.0%" in verdict.message
    assert "allows 2.0%: 6 × text missing, 1 × broken encoding, 1 × duplicate id" in verdict.message
    assert "0001-a: 6 × text missing [text_present] d0, d1, d2" in verdict.details
    assert "0001-a: 1 × broken encoding [encoding] d50 (caf\ufffd)" in verdict.details
    assert any("1 × duplicate id [unique_ids] d61" in line for line in verdict.details)
    assert "\n" not in verdict.message
    assert entry(verdict, "quarantine_share")["observed"] == round(8 / 120, 6)
    assert not verdict.report["ok"]


def test_a_damaged_batch_does_not_hide_behind_a_large_corpus(params: ValidateParams) -> None:
    rows = good(2000) + good(100, "0002-b", "e")
    for n in range(5):
        rows[2000 + n]["text"] = None  # 5 % of the batch, 0.2 % of the corpus
    verdict = judged(rows, params)
    assert verdict.message.startswith("0002-b: 5 of 100 rows set aside")
    assert entry(verdict, "text_present")["in_newest_batch"] == 5


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([r for r in good() if r["split"] != "test"], "splits_filled: found none in test"),
        ([r | {"label": "refund_ask"} for r in good()], "label_count: found 1, a classifier needs at least 2"),
        ([r for r in good(300) if r["label"] == "refund_ask" or int(str(r["doc_id"])[1:]) < 100], "class_balance: found 0.75, validate.max_class_share is 0.6"),
        (good() + [r | {"text": f"gibberish blah {n}"} for n, r in enumerate(good(60, "0002-b", "e"))], "drift_oov: found "),
        (good() + [r | {"text": f"{r['text']} " * 9} for r in good(60, "0002-b", "e")], "drift_length_psi: found "),
        (good() + [r for r in good(160, "0002-b", "e") if r["label"] == "refund_ask"], "drift_label_psi: found "),
    ],
)  # fmt: skip
def test_faults_of_the_whole_stop_the_run(params: ValidateParams, rows: list[Row], message: str) -> None:
    verdict = judged(rows, params)
    assert message in verdict.message
    assert not verdict.report["ok"]


def test_a_batch_of_new_labels_alone_is_welcome(params: ValidateParams) -> None:
    fresh = [r | {"label": f"new_{r['label']}"} for r in good(60, "0002-b", "e")]
    verdict = judged(good() + fresh, params)
    assert verdict.ok, verdict.message
    assert verdict.report["drift"]["new_labels"] == ["new_parcel_late", "new_refund_ask"]


def test_nothing_left_is_a_verdict_and_not_a_crash(params: ValidateParams) -> None:
    verdict = judged([r | {"text": None} for r in good(20)], params)
    assert "20 of 20 rows set aside" in verdict.message
    assert len(verdict.clean) == 0


def test_an_accepted_batch_is_not_refused_for_what_was_forgotten_of_it(params: ValidateParams) -> None:
    first, second = labelled(good(), 5, "lost_card"), good(120, "0002-b", "e")
    assert judged(first, params).ok
    gone = next(row for row in first if row["label"] == "lost_card")
    left = [row for row in first if row is not gone]
    for rows in (left, left + second):
        verdict = judged(rows, params, forgotten={"0001-a": 1})
        assert verdict.ok, verdict.message
        assert set(reasons(verdict).values()) == {"label too rare to learn: lost_card"}
        assert verdict.report["batches"][0] == {"batch": "0001-a", "rows": 119, "quarantined": 4}
    assert not judged(left, params).ok, "nothing was forgotten: the batch brought a label that is too rare"


def test_what_was_forgotten_excuses_no_label_that_was_rare_all_along(params: ValidateParams) -> None:
    rows = good() + labelled(good(60, "0002-b", "e"), 3, "lost_card")
    assert not judged(rows, params, forgotten={"0001-a": 1}).ok
    assert judged(rows, params, forgotten={"0001-a": 2}).ok


def test_rows_that_were_forgotten_leave_room_for_the_faults_of_the_others(params: ValidateParams) -> None:
    rows = good()
    rows[0]["text"] = rows[1]["text"] = rows[2]["text"] = None
    assert judged(rows, params).ok
    assert not judged(rows[:60], params).ok
    assert judged(rows[:60], params, forgotten={"0001-a": 60}).ok


def test_a_later_batch_makes_no_accepted_label_a_refused_one(params: ValidateParams) -> None:
    first = labelled(good(), 7, "gamma")
    assert judged(first, params).ok
    second = [
        row | {"label": "Gamma"} if n % 4 == 1 else row for n, row in enumerate(good(400, "0002-b", "e"))
    ]
    verdict = judged(first + second, params)
    assert verdict.ok, verdict.message
    assert list(reasons(verdict).values()) == ["label misspelt: gamma, meant is Gamma"] * 7
    assert not judged(second + [row | {"batch": "0003-c"} for row in first], params).ok


def test_documents_of_no_class_hide_no_fault_of_the_corpus(params: ValidateParams) -> None:
    none = [row | {"label": "oos"} for row in good(400, "0001-a", "o")]
    rows = [row for row in good() if row["split"] != "test"] + none
    assert "splits_filled: found none in test" in judged(rows, params, "oos").message
    assert (
        "label_count: found 1" in judged([r | {"label": "a"} for r in good()] + none, params, "oos").message
    )
    verdict = judged(good() + none, params, "oos")
    assert verdict.ok, "the largest label of those that are classes has half of them: " + verdict.message
