import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from gsrec.reporting.breakdown import Bin, BinValue
from gsrec.reporting.curves import Curve, ModelCurves
from gsrec.reporting.figures import COLOURS, Words, image, learning_curves, looks, metric_by_bins

WORDS = Words(title="t$x$", subtitle="under it", x_label="Epoch", y_label="Validation NDCG@10")


def _curve(*values: float, seconds: float = 1.0) -> Curve:
    epochs = np.arange(1, len(values) + 1)
    return Curve(epochs, epochs * seconds, np.array(values))


def _legend(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.legends[0].get_texts()]


def _axes(figure: Figure) -> list[Axes]:
    return figure.axes


def test_one_line_a_model_with_its_best_epoch_marked() -> None:
    curve = _curve(0.1, 0.3, 0.2, seconds=60.0)
    left, right = _axes(learning_curves([ModelCurves("sasrec", curve, (curve,), 0.3)], WORDS))
    (line,) = left.lines
    assert np.asarray(line.get_xdata()).tolist() == [1, 2, 3]
    assert np.asarray(line.get_ydata()).tolist() == [0.1, 0.3, 0.2]
    assert line.get_markevery() == [1]
    assert np.asarray(right.lines[0].get_xdata()).tolist() == [1.0, 2.0, 3.0]
    assert (left.get_xlabel(), left.get_ylabel()) == ("Epoch", "Validation NDCG@10")
    assert right.get_xlabel() == "Training time (minutes)"


@pytest.mark.parametrize(("seconds", "unit"), [(0.01, "seconds"), (30, "seconds"), (60, "minutes"), (3600, "hours")])
def test_time_is_told_in_the_unit_that_suits(seconds: float, unit: str) -> None:
    curve = _curve(0.1, 0.3, seconds=seconds)
    figure = learning_curves([ModelCurves("sasrec", curve, (curve,), None)], WORDS)
    assert _axes(figure)[1].get_xlabel() == f"Training time ({unit})"


def test_single_seeds_are_thin_lines_beside_their_mean() -> None:
    seeds = (_curve(0.1, 0.2), _curve(0.3, 0.4))
    left = _axes(learning_curves([ModelCurves("sasrec", _curve(0.2, 0.3), seeds, None)], WORDS))[0]
    assert [line.get_linewidth() for line in left.lines] == [0.7, 0.7, 1.8]


def test_a_model_without_epochs_is_a_level_and_the_legend_goes_by_height() -> None:
    models = [
        ModelCurves("poprec", None, (), 0.05),
        ModelCurves("gru4rec", _curve(0.1), (_curve(0.1),), None),
        ModelCurves("_private$", _curve(0.2), (_curve(0.2),), None),
    ]
    figure = learning_curves(models, WORDS)
    assert np.asarray(_axes(figure)[0].lines[0].get_ydata()).tolist() == [0.05, 0.05]
    assert _legend(figure) == ["_private$", "gru4rec", "poprec"]
    assert image(figure, "png").startswith(b"\x89PNG")


def test_bins_stand_side_by_side_with_their_intervals() -> None:
    bins = [Bin(1, 4), Bin(5, 9)]
    models = {
        "sasrec": [BinValue(bins[0], 20, 0.2, (0.1, 0.3)), BinValue(bins[1], 5, 0.4, (0.35, 0.45))],
        "gsrec": [BinValue(bins[0], 20, 0.3, (0.2, 0.4)), BinValue(bins[1], 5, 0.5, (0.5, 0.5))],
    }
    figure = metric_by_bins(models, WORDS)
    (axes,) = _axes(figure)
    assert [label.get_text() for label in axes.get_xticklabels()] == ["1 to 4\nn = 20", "5 to 9\nn = 5"]
    places = [np.asarray(container[0].get_xdata(), dtype=float).round(3).tolist() for container in axes.containers]
    assert places == [[-0.175, 0.825], [0.175, 1.175]]
    (bars,) = axes.containers[0][2]
    assert [segment[:, 1].round(3).tolist() for segment in bars.get_segments()] == [[0.1, 0.3], [0.35, 0.45]]
    assert axes.get_ylim()[0] == 0
    assert _legend(figure) == ["sasrec", "gsrec"]


def test_values_that_are_all_zero_can_be_drawn() -> None:
    figure = metric_by_bins({"poprec": [BinValue(Bin(0, 0), 3, 0.0, (0.0, 0.0))]}, WORDS)
    assert image(figure, "png")


def test_models_look_different_however_many_there_are() -> None:
    labels = [f"m{place}" for place in range(len(COLOURS) * 3)]
    assert len(set(looks(labels).values())) == len(labels)


@pytest.mark.parametrize("kind", ["png", "svg"])
def test_equal_figures_give_equal_bytes(kind: str) -> None:
    curve = _curve(0.1, 0.2)
    first, second = (image(learning_curves([ModelCurves("a", curve, (curve,), None)], WORDS), kind) for _ in range(2))
    assert first == second
