from gsrec.data.sequences import LogSizes
from gsrec.reporting.thesis_outcomes import Outcome, our_outcomes, thesis_outcomes
from gsrec.reporting.thesis_questions import answer_questions, standing

from .conftest import WriteRun

TINY = {"tiny": "ML-1M"}
SIZES = LogSizes(100, 50, 1000)


def _outcome(data: str = "Beauty", **values: float) -> Outcome:
    return Outcome(data, SIZES, {"NDCG@10": values})


def test_the_thesis_is_ahead_of_pop_only() -> None:
    first = answer_questions(thesis_outcomes())[0]
    assert first.question == "1. Does GSRec outperform state-of-the-art models?"
    assert first.verdict == (
        "In part. By NDCG@10, GSRec is ahead of POP on Beauty and ML-1M; GSRec is behind BERT4Rec on Beauty and ML-1M."
    )
    assert first.evidence[0] == (
        "Beauty: GSRec is higher than POP on 4 of 4 metrics (NDCG@10 0.1349 against 0.0442, +205%); "
        "GSRec is higher than BERT4Rec on 0 of 4 metrics (NDCG@10 0.1349 against 0.1773, -24%)."
    )


def test_the_thesis_beats_one_component_on_one_data_set() -> None:
    second = answer_questions(thesis_outcomes())[1]
    assert second.verdict == (
        "By NDCG@10, GSRec is behind SASRec on Beauty and ML-1M; "
        "GSRec is ahead of GRU4Rec on Beauty and behind GRU4Rec on ML-1M."
    )


def test_the_thesis_does_better_on_beauty_by_what_others_reach() -> None:
    third = answer_questions(thesis_outcomes())[2]
    assert third.verdict == (
        "Better on Beauty, measured by what the best other model reaches there: "
        "76% of the best other model's NDCG@10 on Beauty, 62% on ML-1M."
    )
    assert third.evidence[1] == (
        "ML-1M (165.6 interactions a user, 4.190% of all pairs): NDCG@10 0.2841, place 4 of 5, "
        "62% of the best other model's (BERT4Rec, 0.4611)."
    )


def test_ours_count_only_what_the_paired_test_holds(write_run: WriteRun) -> None:
    runs = [
        write_run("poprec", [20] * 40),
        write_run("bert4rec", [1, 2] * 19 + [2, 2]),
        write_run("gsrec", [1, 2] * 20),
    ]
    (outcome,) = our_outcomes(runs, datasets=TINY)
    assert standing(outcome, "POP") == "ahead of"
    assert standing(outcome, "BERT4Rec") == "not told apart from"
    assert standing(outcome, "SASRec") == "not compared with"
    first, second, _ = answer_questions([outcome])
    assert first.verdict == (
        "In part. By NDCG@10, GSRec is ahead of POP on ML-1M; GSRec is not told apart from BERT4Rec on ML-1M."
    )
    assert first.evidence[0].startswith(
        "ML-1M: GSRec is higher than POP on 4 of 4 metrics (NDCG@10 0.8155 against 0.0000; "
        "difference +0.7575 to +0.8734 at 95%, corrected p 0.0002); "
    )
    assert second.verdict == "Not answered: GSRec was not run beside them."
    assert second.evidence == ("ML-1M: GSRec and SASRec were not both run; GSRec and GRU4Rec were not both run.",)


def test_ours_without_ranks_go_by_the_mean_and_say_so(write_run: WriteRun) -> None:
    runs = [write_run("poprec", [3, 9], run=None), write_run("gsrec", [1, 2], run=None)]
    first = answer_questions(our_outcomes(runs, datasets=TINY))[0]
    assert first.verdict.endswith("Where no test could be made, the mean alone decides.")
    assert "; not tested)" in first.evidence[0]


def test_ahead_of_all_is_a_yes_and_of_none_a_no() -> None:
    verdicts = [
        answer_questions([_outcome(POP=0.1, BERT4Rec=other, GSRec=0.3)])[0].verdict.split(".")[0]
        for other in (0.2, 0.3, 0.4)
    ]
    assert verdicts == ["Yes", "In part", "In part"]
    assert answer_questions([_outcome(POP=0.4, BERT4Rec=0.5, GSRec=0.3)])[0].verdict.startswith("No. By NDCG@10")


def test_a_very_small_p_is_said_in_words(write_run: WriteRun) -> None:
    runs = [write_run("sasrec", [20] * 40), write_run("gsrec", [1] * 40)]
    assert "corrected p below 0.0001" in answer_questions(our_outcomes(runs, datasets=TINY))[1].evidence[0]


def test_characteristics_take_two_data_sets() -> None:
    third = answer_questions([_outcome(POP=0.1, GSRec=0.3)])[2]
    assert third.verdict == "Not answered: it takes runs of GSRec and another model on two data sets."
    assert third.evidence == (
        "Beauty (10.0 interactions a user, 20.000% of all pairs): NDCG@10 0.3000, place 1 of 2, "
        "300% of the best other model's (POP, 0.1000).",
    )


def test_equal_shares_are_said_to_be_equal() -> None:
    outcomes = [_outcome("Beauty", POP=0.2, GSRec=0.1), _outcome("ML-1M", POP=0.4, GSRec=0.2)]
    assert answer_questions(outcomes)[2].verdict == (
        "Equally well: 50% of the best other model's NDCG@10 on Beauty, 50% on ML-1M."
    )


def test_what_was_not_run_everywhere_is_not_compared_across_data_sets() -> None:
    outcomes = [_outcome("Beauty", POP=0.2, GSRec=0.3), _outcome("ML-1M", POP=0.4, BERT4Rec=0.6, GSRec=0.5)]
    first, _, third = answer_questions(outcomes)
    assert first.verdict.startswith("In part, as far as was run. By NDCG@10")
    assert third.verdict == ("Not answered yet: the models run beside GSRec are not the same on both data sets.")


def test_gsrec_alone_or_beside_nothing_answers_nothing() -> None:
    for outcome in (_outcome(GSRec=0.1), _outcome(POP=0.1), _outcome(POP=0.0, GSRec=0.1)):
        third = answer_questions([outcome])[2]
        assert third.evidence[0].endswith("GSRec was not run beside another model that found anything.")


def test_no_runs_answer_nothing() -> None:
    assert all(answer.verdict.startswith("Not answered") for answer in answer_questions([]))
