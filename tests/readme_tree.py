"""`python -m tests.readme_tree`: write the tree in the README anew, one line a file."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
# The order of the flow, then what holds it together.
_FOLDERS = (
    "recipes", "cli", "datasets", "dicom", "image_files", "preprocess", "splits", "models",
    "training", "evaluation", "scoring", "reports", "distributed", "object_storage",
)  # fmt: skip
_WIDTH = 28


def main() -> None:
    """Put the tree between the README's fences."""
    readme = ROOT / "README.md"
    text = readme.read_text(encoding="utf-8")
    before, _, rest = text.partition("```text\n")
    after = rest.partition("```")[2]
    tree = "\n".join(_tree())
    readme.write_text(f"{before}```text\n{tree}\n```{after}", encoding="utf-8")


def _tree() -> Iterator[str]:
    package = ROOT / "mammo_ray"
    yield "mammo_ray/"
    for path in sorted(package.glob("*.py")):
        if path.name != "__init__.py":
            yield _line(1, path.name, _summary(path))
    for name in _FOLDERS:
        yield from _folder(package / name, 1)
    yield from _folder(ROOT / "jobs", 0)
    text = "mirrors mammo_ray/; integration/ on real Ray clusters; bench/ and fuzz/ are run by hand"
    yield _line(0, "tests/", text)


def _folder(folder: Path, depth: int) -> Iterator[str]:
    start = folder / "__init__.py"
    text = _summary(start) if start.exists() else "complete configurations, one a system"
    yield _line(depth, f"{folder.name}/", text)
    for path in sorted(folder.iterdir()):
        if path.suffix in {".py", ".yaml"} and not path.name.startswith("__"):
            yield _line(depth + 1, path.name, _summary(path))
        elif path.is_dir() and (path / "__init__.py").exists():
            yield from _folder(path, depth + 1)


def _summary(path: Path) -> str:
    """The first line of a docstring, or of a recipe."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".yaml":
        return text.partition("\n")[0].lstrip("# ").rstrip(".")
    return (ast.get_docstring(ast.parse(text)) or "").partition("\n")[0].rstrip(".")


def _line(depth: int, name: str, text: str) -> str:
    return f"{'  ' * depth}{name:<{_WIDTH - 2 * depth}}{text}".rstrip()


if __name__ == "__main__":
    main()
