"""The same targets brought up and removed by others. Nothing here pulls: every image is named by its ID."""
