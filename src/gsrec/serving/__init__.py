"""Serving: the recommender over HTTP, with sessions that outlive the process."""
