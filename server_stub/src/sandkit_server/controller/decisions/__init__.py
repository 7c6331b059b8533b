"""What to do next about an object: pure functions of a view, the time and the configuration.

Each decision makes at most one call, and looks only at what is there, so any of them may be repeated, lost or
made by another process. Three rules make that safe although views may be old:

* A status is written only at the version that was read, a delete names the uid, a create takes a name that
  follows from its owner.
* Only the leading controller writes status, and reads what it wrote. So of a view only the intents, and what
  nodes and jobs report, can be older than the last decision, never the phase.
* What is made for an attempt carries its number. Whoever sees something of a later attempt than the sandbox
  it sees leaves it alone.
"""
