"""Score detectors of patterns in dialogues: ours, or those of anybody with a CSV of onsets."""
