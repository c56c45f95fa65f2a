"""Files on disk: replaced atomically, locked, checked."""
