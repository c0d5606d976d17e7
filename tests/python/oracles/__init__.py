"""What must come out, by other means than the project's: Pidgin's code, and our own."""
