"""A list of clips, shared among workers."""
