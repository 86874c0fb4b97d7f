"""Corpora on disk: manifests in, shards out, and shards read back."""
