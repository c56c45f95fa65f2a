"""A whole run: files in, a folder of results out."""
