"""What the project's own readers ask is what their exposures name."""

from __future__ import annotations

import re
from itertools import chain

import pytest
import yaml
from helpers.harness import ROOT

ASKED = re.compile(r"\b(?:from|join)\s+([a-z_]+(?:\.[a-z_]+)?)")
EXPOSURES = {
    exposure["name"]: exposure
    for exposure in yaml.safe_load((ROOT / "models" / "exposures.yml").read_text())[
        "exposures"
    ]
}
# Models whose name in the database is not that of the file.
PREFIXED = ("analysis", "compat")


def relations() -> dict[str, str]:
    """Return the name of each model by what a query calls it."""
    found = {}
    for path in (ROOT / "models").rglob("*.sql"):
        layer, model = path.relative_to(ROOT / "models").parts[0], path.stem
        name = model.removeprefix(f"{layer}_") if layer in PREFIXED else model
        found[name if layer == "marts" else f"{layer}.{name}"] = model
    return found


@pytest.mark.parametrize("name", EXPOSURES)
def test_an_exposure_names_what_its_queries_ask(name: str) -> None:
    """No more and no less, in the files that it says ask."""
    known = relations()
    files = [
        [*ROOT.glob(path)] for path in EXPOSURES[name]["config"]["meta"]["asked_by"]
    ]
    assert all(files)
    asked = {
        known[relation]
        for path in chain.from_iterable(files)
        for relation in ASKED.findall(path.read_text(encoding="utf-8"))
        if relation in known
    }
    assert asked
    named = [
        re.fullmatch(r"ref\('(\w+)'\)", one)[1]  # type: ignore[index]
        for one in EXPOSURES[name]["depends_on"]
    ]
    assert named == sorted(asked)
