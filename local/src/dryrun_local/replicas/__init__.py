"""Templates that stand for real networks: their images, their installation, the check before their use."""
