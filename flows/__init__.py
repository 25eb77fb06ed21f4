"""The order of things: what runs after what, and what happens then."""
