"""Pages for browsers: routes, templates, style and scripts. Nothing but the app imports them."""
