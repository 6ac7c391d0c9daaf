from gsrec.data.build import log_from_frame as log_from_frame
from gsrec.data.columns import Columns as Columns
from gsrec.data.log import InteractionLog as InteractionLog
from gsrec.data.readers import read_log as read_log
from gsrec.data.sources import open_log as open_log
from gsrec.evaluation.evaluator import Protocol as Protocol
from gsrec.experiment.configure import run_config as run_config
from gsrec.experiment.folder import LogReference as LogReference
from gsrec.experiment.prepare import config_for as config_for
from gsrec.experiment.run import open_run as open_run
from gsrec.experiment.run import train as train
from gsrec.recommend.recommender import Recommender as Recommender

__version__: str
