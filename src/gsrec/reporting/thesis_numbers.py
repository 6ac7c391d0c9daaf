"""The thesis's Table 5.1 and the sizes of its data, as it prints them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from gsrec.data.sequences import LogSizes

THESIS_MODELS: Mapping[str, str] = MappingProxyType(
    {"POP": "poprec", "GRU4Rec": "gru4rec", "SASRec": "sasrec", "BERT4Rec": "bert4rec", "GSRec": "gsrec"}
)
"""The thesis's name of a model, in the order of its table, and ours."""

THESIS_METRICS = ("HR@10", "NDCG@5", "NDCG@10", "MRR")

DATASETS: Mapping[str, str] = MappingProxyType(
    {
        "amazon-beauty": "Beauty",
        "amazon-beauty-bert4rec": "Beauty",
        "amazon-beauty-5core": "Beauty",
        "ml-1m": "ML-1M",
    }
)
"""Our name of a log, and the data of the thesis it stands for: "Beauty" is several logs, so tables say which."""


THESIS_SIZES: Mapping[str, LogSizes] = MappingProxyType(
    {"Beauty": LogSizes(52_024, 57_289, 394_908), "ML-1M": LogSizes(6_040, 3_952, 1_000_209)}
)
"""Section 4.1, before users with fewer than 3 interactions are left out."""


def _by_model(*values: float) -> Mapping[str, float]:
    return MappingProxyType(dict(zip(THESIS_MODELS, values, strict=True)))


TABLE_5_1: Mapping[str, Mapping[str, Mapping[str, float]]] = MappingProxyType(
    {
        "Beauty": MappingProxyType(
            {
                "HR@10": _by_model(0.0823, 0.2133, 0.2450, 0.2715, 0.2357),
                "NDCG@5": _by_model(0.0351, 0.0725, 0.1323, 0.1387, 0.1296),
                "NDCG@10": _by_model(0.0442, 0.1035, 0.1517, 0.1773, 0.1349),
                "MRR": _by_model(0.0347, 0.0997, 0.1488, 0.1529, 0.1348),
            }
        ),
        "ML-1M": MappingProxyType(
            {
                "HR@10": _by_model(0.1283, 0.5407, 0.6429, 0.6385, 0.4212),
                "NDCG@5": _by_model(0.0324, 0.3058, 0.4011, 0.4162, 0.2633),
                "NDCG@10": _by_model(0.0588, 0.3404, 0.4392, 0.4611, 0.2841),
                "MRR": _by_model(0.0459, 0.2902, 0.3543, 0.3943, 0.2209),
            }
        ),
    }
)
"""Data, metric, model: Table 5.1. The text once gives GSRec's HR@10 on Beauty as 0.1991; this is the table's."""

CAVEATS = (
    "The thesis's Beauty has 52,024 users, 57,289 items and 394,908 interactions, its ML-1M 6,040, 3,952 and "
    "1,000,209, before users with fewer than 3 interactions are left out. Other logs go by the same names.",
    "The thesis does not say whether its targets were ranked among the whole catalogue or among sampled negatives; the "
    "level of its numbers is that of 100 sampled negatives, which is an inference.",
    "Its text once gives GSRec's HR@10 on Beauty as 0.1991, its table 0.2357; the table's is used.",
)
