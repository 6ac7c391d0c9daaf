"""Tables and plots of results. Reads result records and ranks, never models."""
