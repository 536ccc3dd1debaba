"""docs/operations.md names every setting there is, and none that there is not."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
OPERATIONS = (ROOT / "docs/operations.md").read_text()
# What reads a setting: a method of environs, or a helper of the settings built on one.
READERS = {"str", "int", "float", "bool", "list", "log_level", "dj_db_url", "_seconds"}


def read_variables() -> set[str]:
    found = set()
    for path in [ROOT / "config/settings.py", ROOT / "config/supervisor/plan.py", ROOT / "config/embedded/paths.py"]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
                reader = getattr(node.func, "attr", getattr(node.func, "id", None))
                name = node.args[0].value
                if (
                    (reader in READERS or ast.unparse(node.func) == "os.environ.get")
                    and isinstance(name, str)
                    and re.fullmatch(r"[A-Z][A-Z_]+", name)
                ):
                    found.add(name)
    return found


def documented_variables() -> set[str]:
    settings = OPERATIONS.partition("\n## Settings\n")[2].partition("\n## ")[0]
    return set(re.findall(r"^\| `([A-Z_]+)` \|", settings, re.MULTILINE))


def test_every_setting_is_documented_and_no_other():
    assert documented_variables() == read_variables()
    assert len(read_variables()) > 20


def test_the_table_of_contents_leads_somewhere():
    headings = {
        re.sub(r"[^a-z -]", "", line[3:].lower()).replace(" ", "-")
        for line in re.findall(r"^## .*", OPERATIONS, re.MULTILINE)
    }
    assert set(re.findall(r"\]\(#([a-z-]+)\)", OPERATIONS)) <= headings
