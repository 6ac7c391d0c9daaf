"""From a scorer and a split to ranks, metrics, intervals, an audit and significance."""
