"""The kinds of object that sandboxes can run as. They do not know each other."""
