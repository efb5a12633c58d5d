"""Programs that run a vendor's SDK in a process of their own; ``warehouse.sources.isolated`` starts them.

An SDK may print, hang, keep global state, or trust what its host sends. Here it can do so without harm: the
process has no secret but its vendor's, answers over a pipe, and is killed when it takes too long.
"""
