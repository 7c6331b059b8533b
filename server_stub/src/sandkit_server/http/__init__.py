"""The wire: everything that knows HTTP, and nothing that knows an engine.

A request passes, in this order, through modules named after what they do:

``protocol``        bytes to ASGI; answers what is not HTTP at all
``application``     ASGI to :class:`~sandkit_server.http.exchange.Request` and ``Answer`` back; crash,
shutdown, log
``request_id``      the id of the exchange
``routing``         path and method to one route
``authentication``  the API key
``operations``      a route for each generated operation: ``parameters``, ``content``, then the handler, then
the answer
``handlers``        the generated service Protocol, over the core's service; ``wire`` maps between the two
``envelope``        the one body every error has
"""

from __future__ import annotations
