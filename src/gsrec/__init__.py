"""GSRec: sequential recommendation, judged honestly, on an ordinary CPU."""

__version__ = "0.1.0"
