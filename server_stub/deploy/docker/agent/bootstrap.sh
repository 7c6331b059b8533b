#!/bin/sh
# Stands in for the start script of an in-sandbox agent: starts the agent beside the program, then becomes the program.
/opt/opensandbox/execd &
exec "$@"
