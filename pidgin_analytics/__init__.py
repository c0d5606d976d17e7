"""The Python half of Pidgin Analytics: what SQL cannot do."""
