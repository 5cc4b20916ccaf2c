"""Quality: how good every symbol-session is."""
