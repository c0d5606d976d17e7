"""Measures how fast the project is, as ratios taken in one run.

The generator writes what the sample's recorder writes, and shares its parts.
"""

import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]

sys.path.append(str(ROOT / "sample_data"))
# Starts the servers of a lake.
sys.path.append(str(ROOT / "tests" / "python"))
