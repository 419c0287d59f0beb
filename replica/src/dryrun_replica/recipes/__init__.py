"""How a product is run: recipes, which are data (`images/recipes/`), and the search for the one that fits."""
