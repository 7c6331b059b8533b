"""A reverse proxy that gets one thing wrong: shows what the suite sees in front of anybody's server."""
