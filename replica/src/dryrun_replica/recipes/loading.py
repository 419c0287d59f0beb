"""Reads `images/recipes/*.yml` into one book, with every fault of every file at once."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from dryrun_contract.fault_words import in_words
from dryrun_replica.recipes.model import Recipe

# libyaml's loader is as safe, and takes a fifth of the time.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class RecipeError(Exception):
    """Recipes are invalid; each of `problems` names the file and the place in it."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n  ".join([f"{len(self.problems)} problems in recipes:", *self.problems]))


@dataclass(frozen=True, slots=True)
class RecipeBook:
    """All recipes, by name."""

    recipes: Mapping[str, Recipe]

    def __iter__(self) -> Iterator[Recipe]:
        return iter(self.recipes.values())

    def __getitem__(self, name: str) -> Recipe:
        return self.recipes[name]

    def relative_of(self, protocol: str, transport: str) -> Recipe | None:
        """Return the recipe that stands for other products of `protocol`."""
        fitting = (recipe for recipe in self if protocol in recipe.relative_of)
        return next((recipe for recipe in fitting if transport in recipe.transports), None)


def load_recipes(folder: Path) -> RecipeBook:
    """Read every recipe in `folder`. Raises RecipeError."""
    problems: list[str] = []
    found: dict[str, Recipe] = {}
    for path in sorted(folder.glob("*.yml")):
        recipe = _read(path, problems)
        if recipe is not None:
            found[recipe.name] = recipe
    if not found and not problems:
        problems.append(f"{folder}: there is no recipe")
    problems.extend(_conflicts(found.values()))
    if problems:
        raise RecipeError(problems)
    return RecipeBook(found)


def _read(path: Path, problems: list[str]) -> Recipe | None:
    try:
        content: Any = yaml.load(path.read_bytes(), Loader=_LOADER)  # noqa: S506  # both are safe loaders
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        problems.append(f"{path.name}: not YAML: {' '.join(str(error).split())}")
        return None
    if not isinstance(content, dict):
        problems.append(f"{path.name}: is not a mapping")
        return None
    try:
        return Recipe.model_validate({"name": path.stem, **content})
    except ValidationError as error:
        for problem in error.errors(include_url=False, include_input=False):
            place = ".".join(map(str, problem["loc"])) or "the document"
            problems.append(f"{path.name}: {place}: {in_words(problem)}")
        return None


def _conflicts(recipes: Iterable[Recipe]) -> Iterator[str]:
    """Yield protocols for whose other products two recipes want to stand: one of them has to."""
    wanted = Counter(
        (protocol, transport)
        for recipe in recipes
        for protocol in recipe.relative_of
        for transport in recipe.transports
    )
    for (protocol, transport), times in wanted.items():
        if times > 1:
            yield f"{times} recipes are relative_of {protocol} ({transport}); one has to be"
