"""New events for a trained model: it learns from them, takes in new items, and must beat the model it would replace."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from gsrec.bundle import Bundle, save_bundle
from gsrec.data.log import InteractionLog
from gsrec.errors import ConfigError
from gsrec.evaluation.evaluator import Evaluation, Evaluator, evaluate
from gsrec.evaluation.metrics import ndcg
from gsrec.evaluation.significance import SIGNIFICANT, PairedTest, paired_test
from gsrec.evaluation.widened import Widened
from gsrec.experiment.folder import check_new_place, training_of
from gsrec.experiment.further_training import RefreshPlan, go_on
from gsrec.experiment.newest_window import cut_newest, cut_told, num_learned, num_new, num_new_items
from gsrec.experiment.prepare import MANY_REPEATS
from gsrec.training.course import Listener


@dataclass(frozen=True, eq=False)
class Refreshed:
    """A refreshed model beside the one it came from, both judged on the newest window.

    Attributes:
        bundle: the refreshed model.
        new_items: items that the old model had not learned from.
        new_events: events since the old model's newest; without clock times, by how many there are more than before.
        learned_events: new events that it learned from; the others judge.
        rows: of training, with new events and without.
        champion: the old model on the newest window; what it does not know is never recommended.
        challenger: the refreshed model.
        test: NDCG@10 of the challenger minus that of the champion, paired over users.
        epochs: it was trained for.
        seconds: of training and its validations.
    """

    bundle: Bundle
    new_items: int
    new_events: int
    learned_events: int
    rows: tuple[int, int]
    champion: Evaluation
    challenger: Evaluation
    test: PairedTest
    epochs: int
    seconds: float

    @property
    def is_better(self) -> bool:
        """Whether the refreshed model beats the old one by more than chance, by the interval and by the test.

        With few users who differ, an interval alone says too little.
        """
        return self.test.interval[0] > 0 and self.test.p_value < SIGNIFICANT

    def record(self) -> dict[str, Any]:
        """The refresh as JSON."""
        return {
            "promoted": self.is_better,
            "new_items": self.new_items,
            "new_events": self.new_events,
            "learned_events": self.learned_events,
            "rows": {"with new events": self.rows[0], "replayed": self.rows[1]},
            "targets": int(self.challenger.ranks.size),
            "champion": self.champion.record(),
            "challenger": self.challenger.record(),
            "difference": asdict(self.test),
            "epochs": self.epochs,
            "seconds": self.seconds,
        }


def refresh(
    bundle: Bundle,
    log: InteractionLog,
    out: Path,
    plan: RefreshPlan | None = None,
    *,
    stop: Callable[[], bool] = lambda: False,
    listener: Listener | None = None,
) -> Refreshed:
    """Go on training a model with a log that has grown, and keep the result if it beats the old model.

    Args:
        bundle: the old model, from a training run.
        log: all events, those the model learned from and the new ones.
        out: where the refreshed bundle goes if it is better: a folder, or a file that ends with `.gsrec`.
        plan: how.
        stop: asked after every step whether to stop.
        listener: is told how training goes on.

    Raises:
        ConfigError: if the bundle does not tell how it was trained, `out` is the model of a run, or old rows are to be
            drawn where no clock tells which ones are old.
        DataError: if the log has nothing new, or too little to judge by.
        TrainingError: if training cannot go on.
        StoppedError: if it was told to stop.
    """
    plan, config, listener = plan or RefreshPlan(), training_of(bundle), listener or Listener()
    check_new_place(out)
    split, since = cut_newest(bundle, config.data.filtered(log), plan.window)
    if since is None and plan.replay is not None:
        told = f"{bundle.data.name}, which the model learned from, had no clock times"
        raise ConfigError(f"{told}: which rows are old is not known. Leave out replay.")
    if split.sequences.num_interactions < bundle.data.num_interactions:
        listener.on_note(_FEWER.format(log.name, split.sequences.num_interactions, bundle.data.num_interactions))
    repeats = split.sequences.share_of_repeats(split.targets("test").positions)
    if config.data.filter_seen and repeats > MANY_REPEATS:
        listener.on_note(_REPEATS.format(repeats))
    further = go_on(bundle, config, split, since, plan, stop=stop, listener=listener)
    model = further.model
    tested = Evaluator(split, config.data.protocol("test"))
    champion = tested.evaluate(Widened(bundle.model, split.sequences.num_items, bundle.counts))
    challenger = tested.evaluate(model)
    validation = evaluate(model, split, config.data.protocol("validation")).metrics
    settings = {**bundle.settings, "data": cut_told(config.data, split, since).model_dump(mode="json")}
    new = Bundle.of(model, config.model, split, settings=settings, metrics=validation, licence=bundle.licence)
    refreshed = Refreshed(
        bundle=new,
        new_items=num_new_items(bundle, split.sequences),
        new_events=num_new(bundle, split.sequences, since),
        learned_events=num_learned(bundle, split, since),
        rows=(further.new_rows, further.replayed_rows),
        champion=champion,
        challenger=challenger,
        test=paired_test(ndcg(challenger.ranks, 10), ndcg(champion.ranks, 10), plan.seed),
        epochs=further.epochs,
        seconds=further.seconds,
    )
    if refreshed.is_better:
        save_bundle(new, out)
    return refreshed


_FEWER = (
    "{} has {:,} events, fewer than the {:,} that the model learned from: give all of them, the old ones too, or "
    "histories begin anew"
)
_REPEATS = (
    "{:.0%} of the events that judge are of items that their users had before, and so misses: is something in the log "
    "twice? For items that are taken again a model is trained with filter_seen=false"
)
