"""Folders on any filesystem, files that are whole or absent, and archives."""
