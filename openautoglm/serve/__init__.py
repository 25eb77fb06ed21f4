"""A node that answers: follows a channel of a release store and changes version without missing a request."""
