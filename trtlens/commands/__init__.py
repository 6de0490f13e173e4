"""The commands, a module for each group; every module registers its commands on the application.

What a user types and what is printed stands here, and nothing that computes an answer. May import everything.
"""
