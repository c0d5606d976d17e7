"""Score detectors of patterns: ours, or those of anybody with a CSV of onsets."""
