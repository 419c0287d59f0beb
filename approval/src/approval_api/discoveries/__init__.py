"""What collectors found. Lists and decisions are shared; dry-run and production rows never meet."""
