"""What a user can cause: every error says what was expected, what was found, where, and what to do."""


class GSRecError(Exception):
    """The base of every error that a user of this package can cause."""


class DataError(GSRecError):
    """The log cannot be read or holds something no model can learn from."""


class ConfigError(GSRecError):
    """A configuration, an option or an argument is unknown or out of its range."""


class BundleError(GSRecError):
    """A saved model is missing, damaged or of a format this version does not know."""


class NotFittedError(GSRecError):
    """A model was asked for scores before it was trained."""


class TrainingError(GSRecError):
    """Training cannot go on, for example because the loss is no longer finite."""


class StoppedError(GSRecError):
    """A training was told to stop; it can be resumed."""


class MissingExtraError(GSRecError):
    """A feature needs an optional dependency that is not installed."""

    def __init__(self, package: str, extra: str) -> None:
        """Say which extra of this package brings the missing dependency."""
        super().__init__(f"{package} is not installed. It comes with the extra: pip install 'gsrec[{extra}]'")
