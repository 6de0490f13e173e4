"""Every table declared once, and what Arrow columns are made and read with.

Holds the declarations (`declarations`: name, key, columns with type, unit and meaning) and small operations on Arrow
arrays. May import the parsers and the single modules at the top. Hands out `TABLES`, `TableSpec`, `LazyTables`.
"""
