"""What one worker does with one shard."""
