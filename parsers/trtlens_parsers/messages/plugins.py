"""Messages about plugins: finding them, their fields, the formats they accept.

Line forms of TensorRT 5.0 to 11 and of the ONNX parser that ships with it.
"""

from __future__ import annotations

from trtlens_parsers.messages.entry import Entry

PLUGINS = (
    Entry(
        "plugin-not-found",
        "error",
        "5 and later",
        "An operator needs a plugin that is not registered",
        (
            "getPluginCreator could not find plugin",
            "Plugin not found, are the plugin name",
            "Cannot find plugin: ",
            "since corresponding IPluginCreator",
        ),
    ),
    Entry(
        "op-as-plugin",
        "info",
        "7 and later (ONNX parser)",
        "The parser does not know an operator and looks for a plugin of that name",
        ("No importer registered for op: ", ". Attempting to check as plugin", ". Importing this node as a plugin"),
        quiet=True,
    ),
    Entry(
        "plugin-formats",
        "error",
        "7 and later",
        "A plugin accepts none of the formats and types at its inputs and outputs",
        ("^<layer>: could not find any supported formats consistent", "could not find any supported formats"),
    ),
    Entry(
        "plugin-attribute-missing",
        "warning",
        "7 and later (ONNX parser)",
        "The model does not give a plugin's field",
        (" not found in plugin node!",),
    ),
    Entry(
        "plugin-already-registered",
        "info",
        "5 and later",
        "Two libraries bring the same plugin; the first one counts",
        (
            "Plugin creator already registered",
            "annot register the library as plugin creator",
            "an not register the library as plugin creator",
        ),
    ),
    Entry(
        "plugin-formats-cut",
        "warning",
        "7 and later",
        "A plugin has so many format combinations that not all are tried",
        ("ignores some format combinations because combination limit",),
    ),
)
