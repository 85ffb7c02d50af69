import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture(name="generate")
def load_generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", ["architecture", "keys"])
def test_what_is_made_from_the_code_is_fresh(generate: ModuleType, name: str) -> None:
    made = getattr(generate, name)()
    kept = (ROOT / "docs" / f"{name}.md").read_text(encoding="utf-8")
    assert made == kept, "stale: run python docs/generate.py"


def test_every_link_between_the_documents_leads_somewhere() -> None:
    import re

    for path in [ROOT / "README.md", *ROOT.glob("docs/*.md")]:
        for target in re.findall(r"\]\(([^)#:]+)\)", path.read_text(encoding="utf-8")):
            assert (path.parent / target).exists(), f"{path.name}: {target}"
