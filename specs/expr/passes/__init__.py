"""Passes over the typed graph: folding constants, sharing equal nodes, dropping unused ones."""
