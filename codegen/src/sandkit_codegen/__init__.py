"""Reads the specs of sandkit, checks them and generates code from them. Not published."""
