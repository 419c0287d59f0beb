from pathlib import Path
from typing import get_args

import pytest

from dryrun_replica.inventory.model import Service
from dryrun_replica.levels import Level
from dryrun_replica.recipes.loading import RecipeBook, RecipeError, load_recipes
from dryrun_replica.recipes.matching import Matcher
from dryrun_replica.recipes.model import Category

RECIPES = Path(__file__).parents[3] / "images" / "recipes"

CACHE = """\
title: Cache
category: cache
protocol: cache
relative_of: [cache]
names: {nmap: [Cache store]}
packages: [cached]
version: {command: "cached -V"}
files:
  cache.conf: |
    listen @address@:@port@
start: exec cached "$HERE/cache.conf"
memory_mib: 4
health: {opens: true}
"""


@pytest.fixture(scope="module")
def book() -> RecipeBook:
    return load_recipes(RECIPES)


def test_the_project_has_recipes_for_every_kind_of_server_that_inventories_hold(book: RecipeBook) -> None:
    assert len(book.recipes) >= 45
    assert {recipe.category for recipe in book} == set(get_args(Category.__value__))


def test_by_the_first_name_of_a_stand_in_s_product_its_recipe_is_found_again(book: RecipeBook) -> None:
    matcher = Matcher(book)
    for recipe in book:
        service = Service(port=1000, transport=recipe.transports[0], product=recipe.products[0])
        match = matcher.match(service)
        assert (match.recipe, match.level) == (recipe.name, Level.SAME_PRODUCT)
        assert len({each.casefold() for each in recipe.products}) == len(recipe.products)
        assert set(recipe.products) <= {recipe.title, *recipe.names.nmap}


def test_two_services_of_every_recipe_fit_into_a_container_or_it_says_that_it_is_there_once(
    book: RecipeBook,
) -> None:
    for recipe in book:
        assert recipe.only_once or recipe.memory_mib <= 200, recipe.name


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (("@port@", "@ports@"), "there is no placeholder @ports@"),
        (("opens: true", "opens: true, http: /"), "asks one question"),
        (("protocol: cache\n", ""), "protocol: is missing"),
        (("packages: [cached]", "packages: ['cached; id']"), "packages.0: must match the pattern"),
        (("memory_mib: 4", "memory_mib: 4096"), "memory_mib: must be at most 512"),
        (("memory_mib: 4", "memory_mib: 4\ntls: own"), "lines that begin with @tls belong together"),
        (("cache.conf:", "../cache.conf:"), "must match the pattern"),
        (("title: Cache", "title: Cache\ncolour: red"), "colour: is not known here"),
    ],
)
def test_a_recipe_that_could_not_work_is_a_fault_with_its_place(
    tmp_path: Path, change: tuple[str, str], complaint: str
) -> None:
    (tmp_path / "cache.yml").write_text(CACHE.replace(*change))
    with pytest.raises(RecipeError) as caught:
        load_recipes(tmp_path)
    assert complaint in str(caught.value)
    assert "cache.yml" in str(caught.value)


def test_all_faults_of_all_files_come_at_once(tmp_path: Path) -> None:
    (tmp_path / "one.yml").write_text(CACHE.replace("category: cache", "category: food"))
    (tmp_path / "two.yml").write_text("- not a mapping")
    (tmp_path / "three.yml").write_text("a: [")
    with pytest.raises(RecipeError) as caught:
        load_recipes(tmp_path)
    assert [problem.split(":")[0] for problem in caught.value.problems] == ["one.yml", "three.yml", "two.yml"]


def test_one_recipe_alone_stands_for_the_other_products_of_a_protocol(tmp_path: Path) -> None:
    (tmp_path / "one.yml").write_text(CACHE)
    (tmp_path / "two.yml").write_text(CACHE)
    with pytest.raises(RecipeError, match=r"2 recipes are relative_of cache \(tcp\); one has to be"):
        load_recipes(tmp_path)
