"""The stages' thin bodies: open paths, call the library, save, report."""
