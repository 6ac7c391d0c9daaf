"""From files and frames to histories and splits."""

from gsrec.data.build import log_from_frame
from gsrec.data.catalogue import SOURCES, Source
from gsrec.data.columns import Columns
from gsrec.data.describe import LogDescription, Spread, describe
from gsrec.data.log import InteractionLog
from gsrec.data.readers import read_log
from gsrec.data.sequences import Sequences
from gsrec.data.sources import fetch, known_names, open_log
from gsrec.data.splits import Split, Targets, global_temporal, last_n, leave_one_out
from gsrec.data.synthetic import synthetic_log
from gsrec.data.times import TimeKind
from gsrec.data.vocabulary import Vocabulary

__all__ = [
    "SOURCES",
    "Columns",
    "InteractionLog",
    "LogDescription",
    "Sequences",
    "Source",
    "Split",
    "Spread",
    "Targets",
    "TimeKind",
    "Vocabulary",
    "describe",
    "fetch",
    "global_temporal",
    "known_names",
    "last_n",
    "leave_one_out",
    "log_from_frame",
    "open_log",
    "read_log",
    "synthetic_log",
]
