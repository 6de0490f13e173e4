"""The commands, a module for each group; every module registers its commands on the application."""
