"""Says before anything is built what a template would stand for, and how well."""
