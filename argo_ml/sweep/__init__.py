"""The cells of an experiment, run shard by shard."""
