"""Screens: how results look on a terminal. Every function takes a flow's result and prints it."""
