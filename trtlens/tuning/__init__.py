"""What the tuner timed, and which of it the engine runs.

Holds the tuner's record of a layer, the match between engine layers and format combinations, and who was chosen. May
import `tables` and the parsers: it works on tables by name, wherever they come from. Hands out `Tuner`, `Matcher`, the
tables `combinations` and `choices`, and the rows of the strategy that was kept.
"""
