import pytest

from gsrec.reporting.comparison import compare_runs
from gsrec.reporting.phrases import (
    audit_sentence,
    candidates_phrase,
    conditions,
    conditions_in_short,
    duration,
    list_in_words,
    sampling_warning,
)

from .conftest import WriteRun

SAMPLED = {"split": "validation", "candidates": "uniform:100", "filter_seen": False, "ties": "against the model"}


def test_data_and_protocol_are_said(write_run: WriteRun) -> None:
    run = write_run("sasrec", [1, 2])
    assert conditions(compare_runs([run])) == (
        "Data: tiny (1,200 users, 300 items, 36,000 interactions; fingerprint 0123456789ab).",
        "Protocol: leave-one-out split, test part, 2 users judged; candidates: the full catalogue; "
        "seen items are no candidates; ties count against the model.",
    )
    assert conditions_in_short(run) == "leave-one-out, 2 users, the full catalogue, seen items are no candidates"
    assert sampling_warning(compare_runs([run])) == ()


def test_a_sampled_protocol_is_said_and_warned_of(write_run: WriteRun) -> None:
    comparison = compare_runs([write_run("sasrec", [1, 2], protocol=SAMPLED)])
    assert conditions(comparison)[1] == (
        "Protocol: leave-one-out split, validation part, 2 users judged; candidates: the target and 100 negatives "
        "sampled uniformly; only seen targets are candidates too; ties count against the model."
    )
    (warning,) = sampling_warning(comparison)
    assert warning.startswith("Metrics of sampled negatives need not keep the order")


def test_other_ways_to_sample_are_said_as_they_are() -> None:
    assert candidates_phrase("given:50") == "the target and up to 50 negatives that were brought"
    assert candidates_phrase("recency:50") == "the target and 50 negatives sampled by recency"


def test_an_audit_says_what_it_knows() -> None:
    sentence = audit_sentence({"leakage": 0.4519, "time_ties": None, "few_candidates": 0, "new_check": "skipped"})
    assert sentence == (
        "Audit, of the targets: 45.2% older than some training event; an unknown share tied in time with a neighbour; "
        "0.0% with fewer candidates than asked for; skipped new check."
    )
    assert audit_sentence({}) == "Audit: none was recorded."


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0.0 s"), (59.6, "1 min 0 s"), (3599, "59 min 59 s"), (3600, "1 h 0 min")]
)
def test_durations_carry_over(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_one_word_is_a_list() -> None:
    assert list_in_words(["Beauty"]) == "Beauty"
