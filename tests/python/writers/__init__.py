"""Writes what Pidgin writes, and what nobody should: logs and old databases."""
