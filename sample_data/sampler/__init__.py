"""What the bundled sample is made of: texts, models, and Pidgin's way to record."""
