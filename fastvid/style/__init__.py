"""Style models: network grammar, checkpoints, painting."""
