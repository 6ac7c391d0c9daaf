"""Training: objectives, losses, and one trainer for all models."""
